import { BackupError, type Reach } from "@backup/core";
import type { HostOptions } from "./host-options.js";
import { openHost } from "./open-host.js";
import { sumsByShell } from "./remote-sums.js";
import type { Sums } from "./remote-sums.js";
import { ShellLine } from "./shell-line.js";

/** How to reach it. */
export type RemoteSource = Omit<HostOptions, "remote">;

/** A directory on another host that programs read from. */
export interface RemoteDirectory extends AsyncDisposable {
  /** Connects when it is first asked. @throws BackupError as Host.connect */
  reach(signal: AbortSignal): Promise<Reach>;
  /** SHA-256 of files there, by their names as the host knows them; what cannot be had is left out. */
  readonly sums: Sums;
}

/**
 * A directory at `[user@]host:dir`, for programs that go through ssh(1).
 * @throws BackupError USAGE, SECRET_UNREADABLE, TRANSPORT_MISSING
 */
export async function openRemoteDirectory(options: HostOptions): Promise<RemoteDirectory> {
  const host = await openHost(options);
  if (host.by !== "OpenSSH")
    throw new BackupError(
      "TRANSPORT_MISSING",
      `${host.name} is read by rsync through the program ssh, which is not on the PATH; install it`,
    );
  const line = new ShellLine(host);
  return {
    reach: async (signal) => ({ shell: await line.shell(signal), directory: options.remote.directory }),
    sums: sumsByShell((signal) => line.shell(signal)),
    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };
}
