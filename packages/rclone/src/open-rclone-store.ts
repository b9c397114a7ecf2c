import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EventSink, type LeaseTiming, type Secret, type Store, makeOwnedDirectory } from "@backup/core";
import { PendingStore, Spool } from "@backup/transport-rsync/sending";
import { Calls } from "./calls.js";
import { secretsIn } from "./config-text.js";
import { startDaemon } from "./daemon.js";
import { type FoundConfig, findConfig } from "./find-config.js";
import { PrivateConfig } from "./private-config.js";
import { type RcloneAddress, formatRclone } from "./rclone-address.js";
import { RcloneStore } from "./rclone-store.js";
import { RemoteDirectory } from "./remote-directory.js";

/** How to reach a remote. What is left out has the default of the command line. */
export interface RcloneOptions {
  readonly address: RcloneAddress;
  /** What a person calls it. Default: the address. */
  readonly name?: string | undefined;
  /** The file with rclone's configuration, an absolute path. */
  readonly config?: string | undefined;
  /** The option that names it, for messages. Default `--dstsecret`. */
  readonly option?: string | undefined;
  /** Default `/backup`. */
  readonly secretsDirectory?: string | undefined;
  /** Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly onEvent?: EventSink | undefined;
  /** Silence after which a remote counts as lost, milliseconds. Default a minute. */
  readonly timeoutMs?: number | undefined;
  /** Directory for what is on its way. Default: that for temporary files. */
  readonly spool?: string | undefined;
  /** KiB a second. */
  readonly bwlimit?: number | undefined;
}

/** A directory at a remote, and what serves it, which is disposed of in this order. */
export interface OpenedRemote {
  readonly remote: RemoteDirectory;
  readonly owned: readonly AsyncDisposable[];
}

/**
 * Starts rclone for a remote.
 * @throws BackupError SECRET_MISSING, SECRET_UNREADABLE, TRANSPORT_MISSING
 */
export async function openRemoteDirectory(options: RcloneOptions, signal: AbortSignal): Promise<OpenedRemote> {
  const { address, env = process.env, onEvent = () => {}, timeoutMs = 60_000, bwlimit } = options;
  const found = await findConfig({
    remote: address.remote,
    parameter: options.config,
    option: options.option ?? "--dstsecret",
    directory: options.secretsDirectory ?? "/backup",
    env,
    onEvent,
  });
  warnOfHostKeys(found, options);
  const directory = await makeOwnedDirectory({ parent: tmpdir(), prefix: "backup-rclone-" });
  const owned: AsyncDisposable[] = [removing(directory)];
  try {
    const copy = join(directory, "rclone.conf");
    const config = await PrivateConfig.make({ found, copy, remote: address.remote, onEvent });
    owned.unshift(config);
    const daemon = await startDaemon({ directory, config: copy, env, timeoutMs, bwlimit }, signal);
    owned.unshift(daemon);
    const calls = new Calls(daemon);
    owned.unshift(calls);
    const secrets = (): readonly Secret[] => secretsIn(config.config);
    const name = options.name ?? formatRclone(address);
    return { remote: new RemoteDirectory({ calls, name, ...address, secrets }), owned };
  } catch (error) {
    for (const resource of owned) await resource[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * A directory at a remote of rclone as a store. rclone is started at once, while the caller does something else; what
 * fails shows at the first use.
 */
export function openRcloneStore(options: RcloneOptions & { readonly timing?: LeaseTiming }): Store {
  const { address, onEvent = () => {}, timing } = options;
  return new PendingStore(options.name ?? formatRclone(address), async (signal) => {
    const { remote, owned } = await openRemoteDirectory(options, signal);
    const spool = new Spool({ directory: options.spool });
    const store = new RcloneStore({ remote, spool, onEvent, timing });
    try {
      await store.connect(signal);
      return { store, owned: [spool, ...owned] };
    } catch (error) {
      for (const resource of [spool, ...owned]) await resource[Symbol.asyncDispose]();
      throw error;
    }
  });
}

function removing(directory: string): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

/** rclone checks the key of a host only if it is told which ones it may have. */
function warnOfHostKeys({ config }: FoundConfig, { address: { remote }, onEvent = () => {} }: RcloneOptions): void {
  const options = config.get(remote);
  if (options?.get("type") !== "sftp" || options.get("known_hosts_file")) return;
  const message = `rclone does not check the host's key of ${remote}; add known_hosts_file = /absolute/path to its configuration, as ssh-keyscan(1) writes it`;
  onEvent({ type: "warning", code: "HOST_KEY_UNCHECKED", message });
}
