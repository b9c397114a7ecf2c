import { BackupError, ContentHash, type Digested, type Path, throwIfAborted } from "@backup/core";
import { OPEN, STATUS, type SftpCalls, SftpStatus } from "./sftp-calls.js";
import { PIECE } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";

/** Files that are read at the same time; each has so many bytes on their way, at most. */
const FILES = 32;
const TOGETHER = 8;

/** Reads whole files back and digests them here, many at a time; none is kept in memory. */
export async function digestsBySftp(
  sftp: SftpCalls,
  files: readonly { readonly path: Path; readonly at: string }[],
  signal: AbortSignal,
): Promise<readonly Digested[]> {
  const digested: Digested[] = [];
  const limit = Math.min(FILES, sftp.handles);
  await inFlight(files, { limit, signal }, async ({ path, at }) => {
    try {
      digested.push({ path, digest: await digestOne(sftp, at, signal) });
    } catch (error) {
      if (!(error instanceof SftpStatus)) throw error;
      digested.push({ path, error: unreadable(path, error) });
    }
  });
  return digested;
}

async function digestOne(sftp: SftpCalls, at: string, signal: AbortSignal): Promise<string> {
  const handle = await sftp.open(at, OPEN.READ);
  try {
    const hash = new ContentHash();
    const pieces = Array.from({ length: TOGETHER }, () => Buffer.allocUnsafe(PIECE));
    const measured = sftp.fstat(handle);
    for (let position = 0; ; ) {
      throwIfAborted(signal);
      const start = position;
      const reads = pieces.map((piece, index) => sftp.read(handle, piece, PIECE, start + index * PIECE));
      const [{ size }, ...counts] = await Promise.all([measured, ...reads]);
      for (const [index, piece] of pieces.entries()) {
        const count = counts[index] ?? 0;
        hash.update(piece.subarray(0, count));
        position += count;
        // A server may give less than was asked for: what comes after is asked for again from there.
        if (count < PIECE) break;
      }
      if (position >= size || position === start) return hash.content().digest;
    }
  } finally {
    // Nothing depends on the answer.
    sftp.close(handle).catch(() => {});
  }
}

function unreadable(path: Path, error: SftpStatus): BackupError {
  return error.status === STATUS.NO_SUCH_FILE
    ? new BackupError("NOT_FOUND", `${path} is not there`, { cause: error })
    : new BackupError("ITEM_UNREADABLE", `${path} cannot be read (${error.message})`, { cause: error });
}
