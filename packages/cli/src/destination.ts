import { access, constants } from "node:fs/promises";
import { type AnyActionPlugin, BackupError, LocalStore, type Store, camelCase, systemCode } from "@backup/core";
import { parseRemote } from "@backup/transport-rsync/remote";
import type { ActionContext } from "./action.js";
import { type DestinationArguments, remoteOptionsGiven } from "./destination-options.js";
import { problemsOf } from "./problems-of.js";

/** Silence after which a host counts as lost, seconds. */
const TIMEOUT_S = 60;

/** What of an action's arguments is said of its destination: on this machine, no option that is the source's own too. */
export function destinationOf(
  { options }: Pick<AnyActionPlugin, "options">,
  args: DestinationArguments,
): DestinationArguments {
  if (parseRemote(args.dest)) return args;
  const own = new Set(Object.keys(options).flatMap((name) => [name, camelCase(name)]));
  const rest = Object.entries(args).filter(([name]) => !own.has(name));
  return { ...Object.fromEntries(rest), dest: args.dest };
}

/**
 * The store that DEST names. One on another host begins to connect at once, and what fails shows at its first use.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function openDestination(
  args: DestinationArguments,
  { onEvent, secrets, env }: Pick<ActionContext, "onEvent" | "secrets" | "env">,
): Promise<Store> {
  const remote = parseRemote(args.dest);
  if (!remote) {
    const unused = remoteOptionsGiven({ ...args });
    if (unused.length > 0) {
      const names = unused.map((name) => `--${name}`).join(", ");
      const message = `${names}: only for a destination on another host, and ${args.dest} is a directory here`;
      onEvent({ type: "warning", code: "OPTION_UNUSED", message });
    }
    return new LocalStore(args.dest);
  }
  // Loaded when used: it costs start-up time.
  const { findIdentity, openRemoteStore } = await import("@backup/transport-rsync");
  return openRemoteStore({
    destination: args.dest,
    transport: args.transport ?? "auto",
    port: args.sshPort,
    sshConfig: args.sshConfig,
    knownHosts: args.knownHosts,
    hostKeyFingerprint: args.hostKeyFingerprint,
    spool: args.spool,
    bwlimit: args.bwlimit,
    secretsDirectory: secrets,
    identity: await findIdentity({ parameter: args.dstsecret, host: remote.host, directory: secrets }),
    passphraseFile: args.dstpassphrase,
    timeoutMs: (args.timeout ?? TIMEOUT_S) * 1000,
    env,
    onEvent,
  });
}

/** Secrets that a destination names and that are not there. */
export async function destinationProblems(
  { dest, dstsecret, dstpassphrase }: DestinationArguments,
  { secrets: directory }: Pick<ActionContext, "secrets">,
): Promise<readonly BackupError[]> {
  const remote = parseRemote(dest);
  if (!remote) return [];
  const { findIdentity } = await import("@backup/transport-rsync");
  const findKey = () => findIdentity({ parameter: dstsecret, host: remote.host, directory });
  return await problemsOf(dstpassphrase === undefined ? [findKey] : [findKey, () => checkPassphrase(dstpassphrase)]);
}

async function checkPassphrase(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    const reason = systemCode(error) ?? "unknown error";
    const message = `the file ${file} of --dstpassphrase cannot be read (${reason}); check the path`;
    throw new BackupError("SECRET_MISSING", message, { cause: error });
  }
}
