import { type BackupError, type EventSink, isBackupError, throwIfAborted } from "@backup/core";
import type { Connection, Host } from "./connection.js";
import { type KeyUse, describeOffer, keyProblem } from "./identity-passphrase.js";
import { type KeyBlob, keyTypeOf } from "./host-key.js";
import { knownName, pinnedKeys } from "./known-hosts.js";
import { checkPinned } from "./host-key-pins.js";
import type { Environment } from "./openssh-process.js";
import type { SshContext } from "./ssh-errors.js";
import { connectClient, connectionOf } from "./ssh2-connection.js";
import { collectOffers } from "./ssh2-keys.js";
import { type KeyCheck, checkPresented, isOtherType, preferredAlgorithms } from "./ssh2-trust.js";

export interface Ssh2Settings extends KeyUse {
  /** What a person calls the host. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** The default keys; they need not exist. */
  readonly identityFiles: readonly string[];
  /** A new key is pinned in the first one. */
  readonly userKnownHosts: readonly string[];
  readonly globalKnownHosts: readonly string[];
  readonly fingerprint: string | undefined;
  readonly env: Environment;
  readonly onEvent: EventSink;
  readonly onConnecting: (() => void) | undefined;
  readonly timeoutMs: number;
}

/**
 * A host that is reached by the library ssh2: SFTP alone, and never compressed, since ssh2 1.17 throws outside of any
 * call when a compressed connection is lost.
 */
export function ssh2Host(settings: Ssh2Settings): Host {
  return {
    name: settings.name,
    by: "ssh2",
    // Not looked for: programs cannot use its connections, and there is one at a time.
    isPinned: async () => false,
    connect: (_options, signal) => connect(settings, signal),
  };
}

async function connect(settings: Ssh2Settings, signal: AbortSignal): Promise<Connection> {
  throwIfAborted(signal);
  const { name, address, port, user, timeoutMs } = settings;
  const check = await keyCheckOf(settings);
  checkPinned(check);
  const offers = await collectOffers(settings);
  // None of a key that was given: it cannot be opened, and no connection is needed to know that.
  const problem = offers.length === 0 ? await keyProblem(settings) : undefined;
  if (problem) throw problem;
  const context: SshContext = { host: name, port, user, offered: describeOffer(settings), timeoutMs };
  const refused: string[] = [];
  let mismatch: BackupError | undefined;
  for (;;) {
    const algorithms = preferredAlgorithms(check.pinned, refused);
    if (algorithms.length === 0 && mismatch) throw mismatch;
    let type = "";
    const verify = (key: KeyBlob): Promise<void> => {
      type = keyTypeOf(key);
      return checkPresented(check, key);
    };
    try {
      const client = await connectClient(
        { address, port, user, offers, algorithms, context, verify, onConnecting: settings.onConnecting },
        signal,
      );
      return connectionOf(client, context);
    } catch (error) {
      // No key of the types that are left.
      if (mismatch && isBackupError(error, "PROTOCOL")) throw mismatch;
      if (!isOtherType(check, error)) throw error;
      mismatch ??= error;
      refused.push(type);
    }
  }
}

async function keyCheckOf(settings: Ssh2Settings): Promise<KeyCheck> {
  const { name: host, address, port, userKnownHosts, globalKnownHosts } = settings;
  const { fingerprint, onEvent } = settings;
  const files = [...userKnownHosts, ...globalKnownHosts];
  const name = knownName(address, port);
  const pinned = await pinnedKeys(files, name);
  const elsewhere = port !== 22 ? await pinnedKeys(files, knownName(address, 22)) : [];
  const file = userKnownHosts[0] ?? "/dev/null";
  return { host, name, pinned, elsewhere, fingerprint, file, onEvent };
}
