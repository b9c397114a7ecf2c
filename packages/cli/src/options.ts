import { BackupError } from "@backup/core";
import { DESTINATION_OPTIONS, checkDestinationOptions } from "./destination-options.js";
import type { Argv, InferredOptionTypes, Options } from "yargs";
import { checkGivenOnce } from "./usage.js";

const NONE: string[] = [];

/** Options of every command. */
export const COMMON_OPTIONS = {
  json: { type: "boolean", default: false, describe: "Print one event a line as JSON" },
  quiet: { alias: "q", type: "boolean", default: false, describe: "Print what is wrong only" },
  verbose: { alias: "v", type: "boolean", default: false, describe: "Print every folder" },
} as const satisfies Record<string, Options>;

const IMAP_OPTIONS = {
  srcsecret: {
    type: "string",
    requiresArg: true,
    describe: "File with the password, an absolute path; default /backup/USER.password",
  },
  "tls-ca": { type: "string", requiresArg: true, describe: "File of certificates to trust besides the system's" },
  folder: {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Only folders that match this glob; repeatable",
  },
  "exclude-folder": {
    type: "string",
    array: true,
    requiresArg: true,
    default: NONE,
    describe: "Not the folders that match this glob; repeatable",
  },
  "keep-deleted": { type: "boolean", default: false, describe: "Keep what was deleted on the server" },
  "allow-deletes": { type: "boolean", default: false, describe: "Delete more than half of a folder if the server did" },
  "dry-run": { type: "boolean", default: false, describe: "Say what would be done; write nothing" },
  timeout: {
    type: "number",
    requiresArg: true,
    default: 60,
    describe: "Seconds of silence until the server counts as lost",
  },
} as const satisfies Record<string, Options>;

/** For messages about wrong usage, by command. */
export const USAGES = {
  imap: {
    command: "backup imap",
    positionals: ["USER", "DEST", "SERVER"],
    options: Object.keys({ ...COMMON_OPTIONS, ...IMAP_OPTIONS, ...DESTINATION_OPTIONS }),
  },
  "check-destination": {
    command: "backup check-destination",
    positionals: ["DEST"],
    options: Object.keys({ ...COMMON_OPTIONS, ...DESTINATION_OPTIONS }),
  },
} as const;

const DEST = {
  type: "string",
  demandOption: true,
  describe: "Directory here, or [user@]host:dir; made if it is missing",
} as const;

/** Options without a value. */
export const BOOLEAN_OPTIONS = Object.entries<Options>({ ...COMMON_OPTIONS, ...IMAP_OPTIONS })
  .filter(([, { type }]) => type === "boolean")
  .map(([name]) => name);

const LONGEST_TIMEOUT_S = 24 * 60 * 60;

/** The arguments of `backup imap`. */
export function imapOptions(command: Argv<InferredOptionTypes<typeof COMMON_OPTIONS>>) {
  return command
    .positional("user", { type: "string", demandOption: true, describe: "Logon name, mostly the mail address" })
    .positional("dest", DEST)
    .positional("server", {
      type: "string",
      demandOption: true,
      describe: "host or host:993 for TLS, host:143 for STARTTLS, imaps://host:port, imap://host:port",
    })
    .options(IMAP_OPTIONS)
    .options(DESTINATION_OPTIONS)
    .check((args) => {
      checkGivenOnce(args, ["srcsecret", "tls-ca", "timeout", ...Object.keys(DESTINATION_OPTIONS)]);
      const [, extra] = args._;
      if (extra !== undefined)
        throw new BackupError("USAGE", `'${extra}' is one argument too many; see backup imap --help`);
      if (args.user === "") throw new BackupError("USAGE", "USER is empty; give the logon name");
      checkDestinationOptions(args);
      if (args.timeout > 0 && args.timeout <= LONGEST_TIMEOUT_S) return true;
      throw new BackupError("USAGE", "--timeout takes a number of seconds above 0, up to 86400 (a day)");
    })
    .example("backup imap alice@example.org /backup/alice mail.example.org", "the whole account, by TLS")
    .example(
      "backup imap alice@example.org ./alice mail.example.org:143 --folder 'Archive/**'",
      "some folders, by STARTTLS",
    )
    .example("backup imap alice@example.org nas:mail/alice mail.example.org", "to another host, by ssh");
}

/** The arguments of `backup check-destination`. */
export function checkDestinationArguments(command: Argv<InferredOptionTypes<typeof COMMON_OPTIONS>>) {
  return command
    .positional("dest", DEST)
    .options(DESTINATION_OPTIONS)
    .check((args) => {
      checkGivenOnce(args, Object.keys(DESTINATION_OPTIONS));
      const [, extra] = args._;
      if (extra !== undefined)
        throw new BackupError("USAGE", `'${extra}' is one argument too many; see backup check-destination --help`);
      checkDestinationOptions(args);
      return true;
    })
    .example("backup check-destination nas:mail/alice", "can it be reached, and what can it do?");
}
