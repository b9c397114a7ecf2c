import type { Path } from "@backup/core";
import { OPEN, STATUS, type SftpCalls, unless } from "./sftp-calls.js";
import { MANY, PIECE } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";

/** Bytes asked for before the size is known, and together later. */
const GUESS = 8 * PIECE;
const TOGETHER = 128;

/** The whole file; undefined: there is none. Two round trips for a small one. */
export async function readWhole(sftp: SftpCalls, path: string): Promise<Buffer | undefined> {
  const handle = await unless([STATUS.NO_SUCH_FILE], sftp.open(path, OPEN.READ));
  if (!handle) return undefined;
  let size: number | undefined;
  /** Fills `into`, and gives how much of it the file had. */
  const fill = async (into: Buffer, position: number): Promise<number> => {
    let filled = 0;
    while (filled < into.length) {
      const count = await sftp.read(handle, into.subarray(filled), into.length - filled, position + filled);
      filled += count;
      if (count === 0 || position + filled === size) break;
    }
    return filled;
  };
  const fillAll = async (into: Buffer, position: number): Promise<number> => {
    const offsets = Array.from({ length: Math.ceil(into.length / PIECE) }, (_, index) => index * PIECE);
    let filled = 0;
    await inFlight(offsets, { limit: TOGETHER }, async (offset) => {
      const count = await fill(into.subarray(offset, offset + PIECE), position + offset);
      filled += count;
    });
    return filled;
  };
  try {
    const start = Buffer.alloc(GUESS);
    const measured = sftp.fstat(handle).then((stats) => (size = stats.size));
    const [length, filled] = await Promise.all([measured, fillAll(start, 0)]);
    if (length <= filled) return start.subarray(0, filled);
    const whole = Buffer.alloc(length);
    start.copy(whole);
    return whole.subarray(0, filled + (await fillAll(whole.subarray(filled), filled)));
  } finally {
    // Nothing depends on the answer.
    sftp.close(handle).catch(() => {});
  }
}

/** The first bytes of many files; what cannot be opened is left out. */
export async function readHeads(
  sftp: SftpCalls,
  files: readonly { readonly path: Path; readonly at: string }[],
  { bytes, signal }: { readonly bytes: number; readonly signal: AbortSignal },
): Promise<ReadonlyMap<Path, Uint8Array>> {
  const heads = new Map<Path, Uint8Array>();
  await inFlight(files, { limit: MANY, signal }, async ({ path, at }) => {
    const handle = await unless(
      [STATUS.NO_SUCH_FILE, STATUS.PERMISSION_DENIED, STATUS.FAILURE],
      sftp.open(at, OPEN.READ),
    );
    if (!handle) return;
    try {
      const into = Buffer.alloc(bytes);
      heads.set(path, into.subarray(0, await sftp.read(handle, into, bytes, 0)));
    } finally {
      // Nothing depends on the answer.
      sftp.close(handle).catch(() => {});
    }
  });
  return heads;
}
