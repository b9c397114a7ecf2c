import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import { BackupError, type Move, PRIVATE, type Path } from "@backup/core";
import { FSYNC, type RsyncMeans, describeRsync, isFsyncRefused, push } from "./rsync-push.js";
import { retryTransient } from "./rsync-retry.js";
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

interface Sending {
  readonly files: readonly Outgoing[];
  readonly staging: Path;
  /** They were sent before. */
  readonly isAgain: boolean;
  readonly signal: AbortSignal;
}

/**
 * Sends a batch with rsync(1) to a directory of its own among the temporary files, makes it durable as a whole, and
 * renames the files to their places. One sync for a batch instead of one for each file, which is most of the time on a
 * disk that turns; and no half file is ever anywhere else, so that rsync may write --inplace, and go on with a large file
 * where it was.
 */
export function stagedSender(options: StagedSenderOptions): Sender {
  const { directory, spool, stage } = options;
  let canSyncAll: boolean | undefined;
  let canSyncEach = true;
  const send = async ({ files, staging, isAgain, signal }: Sending): Promise<readonly Move[]> => {
    const named = files.map(({ path, content }) => ({ name: basename(fileOf(content)), path }));
    await push(options, {
      local: await spool.directory(),
      directory: directory === "" ? staging : `${directory.replace(/\/+$/, "")}/${staging}`,
      files: named.map(({ name }) => name),
      totalBytes: files.reduce((sum, { size }) => sum + size, 0),
      isAgain,
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
  let hasWarned = false;
  const warn = (): void => {
    if (hasWarned) return;
    hasWarned = true;
    const message =
      "the host can sync neither its disk nor single files (sync -f, rsync --fsync): a power failure there may cost what was just copied; --transport sftp may do better";
    options.onEvent?.({ type: "warning", code: "NOT_SYNCED", message });
  };
  return {
    describe: (signal) => describeRsync(options, signal),
    fromFiles: true,
    batchFiles: 4096,
    // Three are in the spool: one that comes in, one that is sent, one that the host makes durable.
    batchBytes: spool.limitBytes / 3,
    async send(files, signal, onSent) {
      // Tried out before the first batch: then it is known how to send it.
      canSyncAll ??= await stage.sync(signal);
      const staging = `${PRIVATE}/tmp/in-${randomUUID()}`;
      try {
        let isAgain = false;
        const sendDurably = async (): Promise<readonly Move[]> => {
          const moves = await send({ files, staging, isAgain, signal });
          // A host that goes down before the end of the sync may have lost some: then it is compared, and synced again.
          isAgain = true;
          onSent?.();
          if (canSyncAll && !(await stage.sync(signal)))
            throw new BackupError("CONNECTION_LOST", "the host could not sync its disk; run again", {
              transient: true,
            });
          return moves;
        };
        const moves = await retryTransient(sendDurably, { signal, waitMs: options.retryMs });
        if (!canSyncAll && !canSyncEach) warn();
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
