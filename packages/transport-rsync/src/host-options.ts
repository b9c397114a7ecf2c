import type { EventSink } from "@backup/core";
import type { Identity } from "./identity.js";
import type { Environment } from "./openssh-process.js";
import type { Remote } from "./remote.js";

export interface HostOptions {
  readonly remote: Remote;
  readonly port?: number | undefined;
  /** Instead of the user's and the system's ssh_config files. */
  readonly sshConfig?: string | undefined;
  /** Default: `known_hosts` in the secrets' directory if that is there, else what ssh(1) uses. */
  readonly knownHosts?: string | undefined;
  /** `SHA256:…`, what the host's key must be at the first contact. */
  readonly hostKeyFingerprint?: string | undefined;
  /** Default: the default keys and the agent. */
  readonly identity?: Identity | undefined;
  /** Absolute path; default `<secretsDirectory>/<host>.passphrase`, which may be missing. */
  readonly passphraseFile?: string | undefined;
  readonly secretsDirectory: string;
  readonly env: Environment;
  readonly onEvent: EventSink;
  /** Called when a connection has begun, and nothing is waited for but the network. */
  readonly onConnecting?: (() => void) | undefined;
  /** To connect; what is silent for longer once it is connected is lost. Milliseconds. */
  readonly timeoutMs: number;
}
