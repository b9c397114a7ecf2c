import { parentOf } from "@backup/core";
import type { Outgoing, Sender } from "./sender.js";
import type { SftpDestination } from "./sftp-destination.js";
import { writeFiles } from "./sftp-files.js";
import { settleAll } from "./sftp-in-flight.js";
import { missingDirectories } from "./sftp-make.js";

export interface SftpLanes {
  /** For a batch that is small. */
  readonly few: SftpDestination;
  /**
   * Share one that is not, each by a connection of its own: a server does the requests of one connection one after the
   * other, and most of them wait for its disk.
   */
  readonly many: readonly SftpDestination[];
}

/** What a connection more is worth. */
const SHARE = { files: 64, bytes: 1024 * 1024 };

/** Sends files by SFTP: a batch costs four round trips; what a lost connection had of it is sent again. */
export function sftpSender({ few, many }: SftpLanes): Sender {
  return {
    describe: async () => "SFTP",
    fromFiles: false,
    batchFiles: 512,
    batchBytes: 8 * 1024 * 1024,
    async send(files, signal) {
      const shares = Math.min(
        many.length,
        Math.ceil(Math.max(files.length / SHARE.files, bytesOf(files) / SHARE.bytes)),
      );
      if (shares <= 1) return sendBy(few, files, signal);
      const size = Math.ceil(files.length / shares);
      const parts = many.map((lane, index) => ({ lane, files: files.slice(index * size, (index + 1) * size) }));
      return settleAll(parts.map((part) => sendBy(part.lane, part.files, signal)));
    },
  };
}

async function sendBy(destination: SftpDestination, files: readonly Outgoing[], signal: AbortSignal): Promise<void> {
  if (files.length === 0) return;
  const { root, where } = destination;
  const remote = files.map(({ path, mtime, content }) => ({ path: root.at(path), mtime, content }));
  const parents = new Set(files.map(({ path }) => parentOf(path)));
  const attempt = { where, root: root.path, bytes: bytesOf(files) };
  await destination.change(
    (sftp) =>
      writeFiles(sftp, remote, {
        temporaryName: () => destination.temporaryName(),
        attempt,
        // A symbolic link in the place of a directory would lead the files out of the destination.
        check: async () => void (await missingDirectories(sftp, destination, parents)),
        signal,
      }),
    signal,
  );
}

function bytesOf(files: readonly Outgoing[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
