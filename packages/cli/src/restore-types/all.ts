import { fileRestore } from "./file.js";
import { imapRestore } from "./imap.js";
import type { RestoreType } from "./restore-type.js";

/** Every type of restore that the command line knows. */
export const RESTORE_TYPES: readonly RestoreType<never>[] = [imapRestore, fileRestore];
