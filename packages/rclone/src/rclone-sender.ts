import { randomUUID } from "node:crypto";
import { rm, utimes, writeFile } from "node:fs/promises";
import { PRIVATE, type Path, checkPath, throwIfAborted } from "@backup/core";
import { type Outgoing, type Sender, type Spool, spoolError } from "@backup/transport-rsync/sending";
import { inLanes } from "./lanes.js";
import type { RemoteDirectory } from "./remote-directory.js";

export const TEMPORARY = `${PRIVATE}/tmp`;

export interface RcloneSenderOptions {
  readonly remote: RemoteDirectory;
  readonly spool: Spool;
}

export interface RcloneSender extends Sender {
  /** Writes a small file straight to its place: a reader may see half of it, but never none. */
  write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
}

/**
 * Sends files of the spool, many at once. Where a file would show before it is whole it gets another name first. When it is
 * durable, its remote alone knows.
 */
export function rcloneSender({ remote, spool }: RcloneSenderOptions): RcloneSender {
  const send = async ({ path, mtime, content }: Outgoing, signal: AbortSignal): Promise<void> => {
    const { partial } = await remote.facts(signal);
    const file = content instanceof Uint8Array ? await held(spool, content, mtime) : content.file;
    try {
      if (!partial) return await remote.upload(file, path, signal);
      const temporary = `${TEMPORARY}/${randomUUID()}`;
      await remote.upload(file, temporary, signal);
      throwIfAborted(signal);
      await remote.move(temporary, path, signal);
    } finally {
      if (content instanceof Uint8Array) await rm(file, { force: true });
    }
  };
  return {
    fromFiles: true,
    batchFiles: 256,
    batchBytes: spool.limitBytes / 2,
    async write(path, bytes, signal) {
      const file = await held(spool, bytes, Date.now());
      try {
        await remote.upload(file, path, signal);
      } finally {
        await rm(file, { force: true });
      }
    },
    describe: async (signal) => `rclone ${await remote.version(signal)}`,
    async send(files, signal) {
      throwIfAborted(signal);
      for (const { path } of files) checkPath(path);
      // Of two with the same path the later one counts.
      const last = new Map(files.map((file) => [file.path, file]));
      await inLanes(last.values(), (file) => send(file, signal));
    },
  };
}

async function held(spool: Spool, bytes: Uint8Array, mtime: number): Promise<string> {
  const file = await spool.newName();
  try {
    await writeFile(file, bytes, { mode: 0o600, flag: "wx" });
    // As a text, because Node takes a number before 1970 for the present.
    await utimes(file, String(mtime / 1000), String(mtime / 1000));
    return file;
  } catch (error) {
    throw spoolError(error, await spool.directory());
  }
}
