import { BackupError } from "@backup/core";
import { LOOKING_OPTIONS, type LookingArguments, checkLookingOptions } from "../looking-options.js";
import type { Subcommand } from "./subcommand.js";

export interface ShowArguments extends LookingArguments {
  readonly message: readonly string[];
  readonly headers: boolean;
  readonly raw: boolean;
  readonly attachments?: string | undefined;
  readonly json: boolean;
}

export const showCommand: Subcommand<ShowArguments> = {
  name: "show",
  summary: "show messages of a backup of mail: as text, with their attachments, or byte for byte",
  positionals: [
    { name: "dest", describe: "Directory here, or [user@]host:dir; only read" },
    {
      name: "message",
      isMany: true,
      describe: "FOLDER/UID, the path of its file at the destination, or the beginning of its digest",
    },
  ],
  options: {
    headers: { type: "boolean", default: false, describe: "Show the header alone, every field" },
    raw: { type: "boolean", default: false, describe: "Write the message as it is stored, byte for byte" },
    attachments: {
      type: "string",
      requiresArg: true,
      describe: "Directory to save the attachments in; never over a file that is there",
    },
    ...LOOKING_OPTIONS,
  },
  examples: [
    ["backup show nas:mail/alice INBOX/4711", "a message as text"],
    ["backup show nas:mail/alice INBOX/4711 --attachments /tmp/invoices", "and its attachments as files"],
    ["backup show nas:mail/alice INBOX/4711 --raw > message.eml", "as the server sent it"],
  ],
  check(args) {
    checkLookingOptions(args);
    checkShow(args);
  },
  async run(args, context) {
    // Loaded when used: it costs start-up time.
    const { show } = await import("../look/show.js");
    return show(args, context);
  },
};

/** @throws BackupError USAGE */
function checkShow({ message, headers, raw, attachments, json }: ShowArguments): void {
  const usage = (text: string): BackupError => new BackupError("USAGE", text);
  if (headers && raw) throw usage("--headers and --raw are two ways to show a message; give one");
  if (attachments !== undefined && (headers || raw))
    throw usage("--attachments goes with the text of a message, not with --headers or --raw");
  if (attachments === "") throw usage("--attachments is empty; name a directory");
  if (raw && json) throw usage("--raw is bytes and --json is not; give one");
  if (raw && message.length > 1)
    throw usage("--raw takes one message, since nothing would tell where one ends; backup export takes many");
}
