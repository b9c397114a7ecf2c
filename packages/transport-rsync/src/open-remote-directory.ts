import { tmpdir } from "node:os";
import { BackupError, type FileTree, type Path, type Reach } from "@backup/core";
import type { FileAbove } from "./file-above.js";
import { filesAbove } from "./files-above.js";
import type { HostOptions } from "./host-options.js";
import { openHost } from "./open-host.js";
import { runCommand } from "./remote-command.js";
import { sumsByShell } from "./remote-sums.js";
import type { Sums } from "./remote-sums.js";
import { probeRsync } from "./rsync-probe.js";
import { rsyncProgram } from "./rsync-process.js";
import { SftpChannel } from "./sftp-channel.js";
import { rootOf } from "./sftp-root.js";
import { SftpTree } from "./sftp-tree.js";
import { ShellLine } from "./shell-line.js";

/** How to reach it. */
export type RemoteSource = Omit<HostOptions, "remote">;

/** A directory on another host that is read from. */
export interface RemoteDirectory extends AsyncDisposable {
  /** Connects when it is first asked. @throws BackupError as Host.connect; TRANSPORT_MISSING without ssh(1) */
  reach(signal: AbortSignal): Promise<Reach>;
  /** SHA-256 of files there, by their names as the host knows them; what cannot be had is left out. */
  readonly sums: Sums;
  /**
   * Paths of all entries of this name, from the directory on, each byte a character.
   * @throws BackupError TRANSPORT_MISSING where the account runs no find(1)
   */
  find(name: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Undefined: rsync works there. @throws BackupError as Host.connect */
  whyNoRsync(signal: AbortSignal): Promise<BackupError | undefined>;
  /** What it and the directories above it hold as this file, the nearest first, as far as the account sees it by SFTP. */
  above(file: Path, signal: AbortSignal): Promise<readonly FileAbove[]>;
  /** Its entries one by one, by SFTP. Connects when it is first used. */
  tree(): FileTree;
}

/** The directory and the name come on its input, so that no shell reads them; the last word says that it is all. */
const FIND = `xargs -0 sh -c 'cd -- "$1" && find . -name "$2" -print0 && printf end' sh`;

/**
 * A directory at `[user@]host:dir`, for programs that go through ssh(1), and entry by entry.
 * @throws BackupError USAGE, SECRET_UNREADABLE
 */
export async function openRemoteDirectory(options: HostOptions): Promise<RemoteDirectory> {
  const host = await openHost(options);
  const line = new ShellLine(host);
  const { path: directory } = rootOf(options.remote.directory);
  const { env, onEvent, timeoutMs, remote } = options;
  const files = new SftpChannel({ host, compress: false, onEvent, timeoutMs });
  return {
    reach: async (signal) => {
      if (host.by === "OpenSSH") return { shell: await line.shell(signal), directory: remote.directory };
      const message = `rsync gets to ${host.name} by the program ssh, which is not on the PATH; install it`;
      throw new BackupError("TRANSPORT_MISSING", message);
    },
    sums: sumsByShell((signal) => line.shell(signal)),
    find: async (entry, signal) => {
      const input = `${options.remote.directory || "."}\0${literal(entry)}\0`;
      const { stdout } = await runCommand(await line.shell(signal), { command: FIND, input }, signal);
      const paths = stdout.toString("latin1").split("\0");
      if (paths.pop() === "end") return paths.map((path) => path.slice(2));
      const message = `${host.name} does not let this account look for ${entry}, or not everywhere; leave --exclude-if-present out`;
      throw new BackupError("TRANSPORT_MISSING", message);
    },
    whyNoRsync: async (signal) => {
      const run = rsyncProgram({ env });
      const place = { shell: await line.shell(signal), directory: remote.directory, local: tmpdir() };
      const probe = await probeRsync({ run, ...place, signal });
      return probe.works ? undefined : probe.reason;
    },
    above: (file, signal) => files.run((sftp) => filesAbove(sftp, directory, file), signal),
    tree() {
      return new SftpTree({ channel: files, name: host.name, directory });
    },
    async [Symbol.asyncDispose]() {
      await files[Symbol.asyncDispose]();
      await line[Symbol.asyncDispose]();
    },
  };
}

/** A pattern of find(1) that is this name and no other. */
function literal(name: string): string {
  return name.replace(/[*?[\]\\]/g, "\\$&");
}
