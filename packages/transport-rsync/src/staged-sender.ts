import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import { BackupError, type Move, PRIVATE, type Path } from "@backup/core";
import { FSYNC, type RsyncMeans, describeRsync, isFsyncRefused, push } from "./rsync-push.js";
import type { Outgoing, Sender } from "./sender.js";
import type { Spool } from "./spool.js";

/** What a host can do besides taking files. */
export interface Stage {
  /** Makes durable all that was written at the destination; false: it cannot, and files are to be synced one by one. */
  sync(signal: AbortSignal): Promise<boolean>;
  /** Renames complete files to their places, and makes the names durable. */
  publish(moves: readonly Move[], signal: AbortSignal): Promise<void>;
  /** Removes a directory among the temporary files, with what is left in it. */
  clear(directory: Path, signal: AbortSignal): Promise<void>;
}

export interface StagedSenderOptions extends RsyncMeans {
  /** The destination's directory; it has a `.backup/tmp`. */
  readonly directory: string;
  readonly spool: Spool;
  readonly stage: Stage;
}

/**
 * Sends a batch with rsync(1) to a directory of its own among the temporary files, makes it durable as a whole, and
 * renames the files to their places. One sync for a batch instead of one for each file, which is most of the time on a
 * disk that turns; and no half file is ever anywhere else, so that rsync may write --inplace.
 */
export function stagedSender(options: StagedSenderOptions): Sender {
  const { directory, spool, stage } = options;
  let canSyncAll: boolean | undefined;
  let canSyncEach = true;
  const send = async (files: readonly Outgoing[], staging: Path, signal: AbortSignal): Promise<readonly Move[]> => {
    const named = files.map(({ path, content }) => ({ name: basename(fileOf(content)), path }));
    await push(options, {
      local: await spool.directory(),
      directory: directory === "" ? staging : `${directory.replace(/\/+$/, "")}/${staging}`,
      files: named.map(({ name }) => name),
      totalBytes: files.reduce((sum, { size }) => sum + size, 0),
      options: () => ["--inplace", ...(!canSyncAll && canSyncEach ? [FSYNC] : [])],
      learn: (refusal) => {
        if (!canSyncEach || !isFsyncRefused(refusal)) return false;
        canSyncEach = false;
        return true;
      },
      signal,
    });
    return named.map(({ name, path }) => ({ from: `${staging}/${name}`, to: path }));
  };
  return {
    describe: (signal) => describeRsync(options, signal),
    fromFiles: true,
    batchFiles: 4096,
    batchBytes: spool.limitBytes / 2,
    async send(files, signal, onSent) {
      // Tried out before the first batch: then it is known how to send it.
      canSyncAll ??= await stage.sync(signal);
      const staging = `${PRIVATE}/tmp/in-${randomUUID()}`;
      try {
        const moves = await send(files, staging, signal);
        onSent?.();
        if (canSyncAll && !(await stage.sync(signal)))
          throw new BackupError("CONNECTION_LOST", "the host stopped to sync its disk; run again", { transient: true });
        await stage.publish(moves, signal);
      } catch (error) {
        // It may be what fills the disk. Where that fails too, the next lease clears it.
        if (!signal.aborted) await stage.clear(staging, signal).catch(() => {});
        throw error;
      }
      await stage.clear(staging, signal);
    },
  };
}

function fileOf(content: Outgoing["content"]): string {
  if (content instanceof Uint8Array) throw new TypeError("rsync sends files");
  return content.file;
}
