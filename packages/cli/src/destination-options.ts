import { BackupError } from "@backup/core";
import { checkHome } from "./check-home.js";
import type { ActionOption } from "./types/action-type.js";

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
  "ssh-port": { type: "number", requiresArg: true, describe: "Port of the host's ssh server" },
  "ssh-config": { type: "string", requiresArg: true, describe: "File for ssh instead of ~/.ssh/config" },
  "known-hosts": {
    type: "string",
    requiresArg: true,
    describe: "File of host keys; default /backup/known_hosts where there is a /backup, else ~/.ssh/known_hosts",
  },
  "host-key-fingerprint": {
    type: "string",
    requiresArg: true,
    describe: "SHA256:… that the host's key must have at the first contact",
  },
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
export interface DestinationArguments {
  readonly dest: string;
  readonly dstsecret?: string | undefined;
  readonly dstpassphrase?: string | undefined;
  readonly transport?: "rsync" | "sftp" | undefined;
  readonly sshPort?: number | undefined;
  readonly sshConfig?: string | undefined;
  readonly knownHosts?: string | undefined;
  readonly hostKeyFingerprint?: string | undefined;
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
    "--ssh-config": args.sshConfig,
    "--known-hosts": args.knownHosts,
    "--spool": args.spool,
  });
  const { sshPort: port, bwlimit: limit, hostKeyFingerprint: fingerprint } = args;
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw usage("--ssh-port takes a port, a number from 1 to 65535");
  if (limit !== undefined && !(limit > 0)) throw usage("--bwlimit takes a number of KiB a second, greater than 0");
  if (fingerprint !== undefined && !/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(fingerprint))
    throw usage("--host-key-fingerprint takes SHA256: and 43 letters, as ssh-keygen -l -f KEY.pub prints it");
}

export function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

function usage(message: string): BackupError {
  return new BackupError("USAGE", message);
}
