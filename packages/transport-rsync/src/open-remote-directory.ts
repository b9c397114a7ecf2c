import { BackupError, type Reach } from "@backup/core";
import type { HostOptions } from "./host-options.js";
import { openHost } from "./open-host.js";
import { runCommand } from "./remote-command.js";
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
  /**
   * Paths of all entries of this name, from the directory on, each byte a character.
   * @throws BackupError TRANSPORT_MISSING where the account runs no find(1)
   */
  find(name: string, signal: AbortSignal): Promise<readonly string[]>;
}

/** The directory and the name come on its input, so that no shell reads them; the last word says that it is all. */
const FIND = `xargs -0 sh -c 'cd -- "$1" && find . -name "$2" -print0 && printf end' sh`;

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
    find: async (entry, signal) => {
      const input = `${options.remote.directory || "."}\0${literal(entry)}\0`;
      const { stdout } = await runCommand(await line.shell(signal), { command: FIND, input }, signal);
      const paths = stdout.toString("latin1").split("\0");
      if (paths.pop() === "end") return paths.map((path) => path.slice(2));
      const message = `${host.name} does not let this account look for ${entry}, or not everywhere; leave --exclude-if-present out`;
      throw new BackupError("TRANSPORT_MISSING", message);
    },
    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };
}

/** A pattern of find(1) that is this name and no other. */
function literal(name: string): string {
  return name.replace(/[*?[\]\\]/g, "\\$&");
}
