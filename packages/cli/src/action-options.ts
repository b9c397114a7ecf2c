import { HISTORY_OPTIONS } from "./history-options.js";
import type { ActionOption } from "./types/action-type.js";

/** Options of every type of action, beside those of its destination. */
export const ACTION_OPTIONS = {
  name: {
    type: "string",
    requiresArg: true,
    describe: "What to call it in reports; default: what is backed up, and where to",
  },
  ...HISTORY_OPTIONS,
  "keep-deleted": { type: "boolean", default: false, describe: "Keep what was deleted at the source" },
  "allow-deletes": { type: "boolean", default: false, describe: "Delete more than half of a folder if the source did" },
  "dry-run": {
    type: "boolean",
    default: false,
    describe: "Say what would be done; write nothing. DRY_RUN=1 does the same",
  },
} as const satisfies Record<string, ActionOption>;
