import { BackupError, camelCase, checkHome } from "@backup/core";
import { HOST_OPTIONS, type HostArguments, checkHostOptions } from "@backup/transport-rsync/options";
import type { ActionOption } from "./types/action-type.js";
import { toOptions } from "./types/to-options.js";

/** What an option of yargs may be for a destination: the words of `backup … DEST`. */
export const DESTINATION_OPTIONS = {
  dstsecret: {
    type: "string",
    requiresArg: true,
    isSecret: true,
    describe: "File with the ssh key, an absolute path; default /backup/HOST.id_rsa, HOST.id_ed25519, HOST.id_ecdsa",
  },
  dstpassphrase: {
    type: "string",
    requiresArg: true,
    isSecret: true,
    describe: "File with the passphrase of that key, an absolute path; default /backup/HOST.passphrase",
  },
  transport: {
    type: "string",
    requiresArg: true,
    choices: ["rsync", "sftp"],
    describe: "How files reach another host; default: rsync where both ends have it, else SFTP",
  },
  ...toOptions(HOST_OPTIONS),
  spool: {
    type: "string",
    requiresArg: true,
    describe: "Directory for what is on its way to another host, 64 MiB; default: that for temporary files",
  },
  bwlimit: { type: "number", requiresArg: true, describe: "KiB a second that rsync may send" },
} as const satisfies Record<string, ActionOption>;

/** Options that a destination on this machine has no use for, by their names on the command line. */
const REMOTE_ONLY = Object.keys(DESTINATION_OPTIONS);

/** The destination's options as yargs gives them. */
export interface DestinationArguments extends HostArguments {
  readonly dest: string;
  readonly dstsecret?: string | undefined;
  readonly dstpassphrase?: string | undefined;
  readonly transport?: "rsync" | "sftp" | undefined;
  readonly spool?: string | undefined;
  readonly bwlimit?: number | undefined;
  /** Seconds. */
  readonly timeout?: number | undefined;
}

/** Those of them that were given. */
export function remoteOptionsGiven(args: Readonly<Record<string, unknown>>): readonly string[] {
  return REMOTE_ONLY.filter((name) => args[name] !== undefined || args[camelCase(name)] !== undefined);
}

/** @throws BackupError USAGE */
export function checkDestinationOptions(args: DestinationArguments): void {
  // What an unset variable of a script leaves; an empty destination would be the directory that one is in.
  if (args.dest === "") throw usage("DEST is empty; name a directory (. is the one you are in)");
  checkHome({
    DEST: args.dest,
    "--dstsecret": args.dstsecret,
    "--dstpassphrase": args.dstpassphrase,
    "--spool": args.spool,
  });
  checkHostOptions(args);
  const { bwlimit: limit } = args;
  if (limit !== undefined && !(limit > 0)) throw usage("--bwlimit takes a number of KiB a second, greater than 0");
}

function usage(message: string): BackupError {
  return new BackupError("USAGE", message);
}
