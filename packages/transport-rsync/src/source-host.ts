import type { PluginContext, PluginOptions } from "@backup/core";
import type { HostArguments } from "./host-arguments.js";
import type { RemoteSource } from "./open-remote-directory.js";
import { parseRemote } from "./remote.js";

/** The key for a host that is no destination: that of a tree, or of what a tree is brought back to. */
export const SOURCE_HOST_OPTIONS = {
  srcsecret: {
    type: "string",
    isSecret: true,
    describe: "File with the ssh key for that host, an absolute path; default /backup/HOST.id_rsa, HOST.id_ed25519",
  },
  srcpassphrase: {
    type: "string",
    isSecret: true,
    describe: "File with the passphrase of that key, an absolute path; default /backup/HOST.passphrase",
  },
} as const satisfies PluginOptions;

/** How to get to it: what is not of the one end that is a destination is of the other. */
export interface SourceHostArguments extends HostArguments {
  readonly srcsecret?: string | undefined;
  readonly srcpassphrase?: string | undefined;
  /** Seconds. */
  readonly timeout?: number | undefined;
}

/** Silence after which a host counts as lost, seconds. */
const TIMEOUT_S = 60;

/** Undefined: it is a directory here. @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE */
export async function hostOf(
  place: string,
  args: SourceHostArguments,
  { onEvent, secretsDirectory, env }: Pick<PluginContext, "onEvent" | "secretsDirectory" | "env">,
): Promise<RemoteSource | undefined> {
  const remote = parseRemote(place);
  if (!remote) return undefined;
  // Loaded when used: it costs start-up time.
  const { findIdentity } = await import("./identity.js");
  const query = { parameter: args.srcsecret, option: "--srcsecret", host: remote.host, directory: secretsDirectory };
  return {
    port: args.sshPort,
    sshConfig: args.sshConfig,
    knownHosts: args.knownHosts,
    hostKeyFingerprint: args.hostKeyFingerprint,
    identity: await findIdentity(query),
    passphraseFile: args.srcpassphrase,
    secretsDirectory,
    env,
    onEvent,
    timeoutMs: (args.timeout ?? TIMEOUT_S) * 1000,
  };
}
