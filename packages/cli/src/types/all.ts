import type { ActionType } from "./action-type.js";
import { fileType } from "./file.js";
import { imapType } from "./imap.js";

/** Every type of action that the command line knows. */
export const ACTION_TYPES: readonly ActionType<never>[] = [imapType, fileType];
