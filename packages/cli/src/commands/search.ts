import { BackupError } from "@backup/core";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";
import type { Subcommand } from "./subcommand.js";

export interface SearchArguments extends LookingArguments {
  readonly term: readonly string[];
  readonly limit?: number | undefined;
}

/** What terms look like, for help. */
const TERM_HELP =
  "from:, to:, cc:, subject: and text:TEXT, folder:GLOB, since: and before:DATE, larger: and smaller:SIZE, is:seen (unseen, flagged, answered, draft, deleted), has:attachment; anything else is looked for in header and text";

export const searchCommand: Subcommand<SearchArguments> = {
  name: "search",
  summary: "find messages of a backup of mail, newest first: exit status 0, or 1 where there is none",
  positionals: [
    { name: "dest", describe: "Directory here, or [user@]host:dir; only read" },
    { name: "term", isOptional: true, isMany: true, describe: `All must match. ${TERM_HELP}` },
  ],
  options: {
    limit: { type: "number", requiresArg: true, describe: "Messages to show, at most" },
    ...LOOKING_OPTIONS,
  },
  examples: [
    ["backup search nas:mail/alice from:bob since:2024-06 invoice", "what Bob wrote of an invoice since June 2024"],
    ["backup search nas:mail/alice 'folder:Archive/**' larger:10M has:attachment", "what takes much room"],
  ],
  check(args) {
    checkLookingOptions(args);
    const { limit } = args;
    if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
      throw new BackupError("USAGE", "--limit takes a number of messages, greater than 0");
  },
  async run(args, context) {
    // Loaded when used: it costs start-up time.
    const { searchBackup } = await import("../look/search-backup.js");
    return searchBackup(args, context);
  },
};
