import { BackupError } from "@backup/core";
import { type Handle, OPEN, STATUS, type SftpCalls, unless } from "./sftp-calls.js";
import { PIECE } from "./sftp-files.js";

/** Pieces that are asked for together. */
const TOGETHER = 16;

type Run = <T>(task: (sftp: SftpCalls) => Promise<T>) => Promise<T>;

/**
 * The bytes of a file, some pieces at a time; after a lost connection it goes on where it was.
 * @throws BackupError `gone` where there is no such file; NOT_FOUND where it is another one after a lost connection
 */
export async function* readPieces(
  run: Run,
  { path, gone }: { readonly path: string; readonly gone: BackupError },
): AsyncGenerator<readonly Uint8Array[]> {
  let opened: { readonly sftp: SftpCalls; readonly handle: Handle } | undefined;
  let first: { readonly size: number; readonly mtime: number } | undefined;
  let position = 0;
  try {
    for (;;) {
      const start = position;
      const pieces = await run(async (sftp) => {
        let handle = opened?.sftp === sftp ? opened.handle : undefined;
        if (!handle) {
          handle = await unless([STATUS.NO_SUCH_FILE], sftp.open(path, OPEN.READ));
          if (!handle) throw gone;
          opened = { sftp, handle };
          const { size, mtime } = await sftp.fstat(handle);
          if (first && (first.size !== size || first.mtime !== mtime)) throw gone;
          first ??= { size, mtime };
        }
        return readSome(sftp, handle, { start, left: (first?.size ?? 0) - start });
      });
      yield pieces;
      for (const piece of pieces) position += piece.byteLength;
      // Nothing more, or all that it had when it was opened.
      if (position === start || position >= (first?.size ?? 0)) return;
    }
  } finally {
    const { sftp, handle } = opened ?? {};
    // Nothing depends on the answer.
    if (sftp && handle) sftp.close(handle).catch(() => {});
  }
}

async function readSome(
  sftp: SftpCalls,
  handle: Handle,
  { start, left }: { readonly start: number; readonly left: number },
): Promise<readonly Uint8Array[]> {
  const count = Math.max(1, Math.min(TOGETHER, Math.ceil(left / PIECE)));
  const asked = Array.from({ length: count }, async (_, index) => {
    const piece = Buffer.allocUnsafe(PIECE);
    return piece.subarray(0, await sftp.read(handle, piece, PIECE, start + index * PIECE));
  });
  const pieces: Uint8Array[] = [];
  for (const piece of await Promise.all(asked)) {
    if (piece.byteLength > 0) pieces.push(piece);
    // A server may give less than was asked for: what comes after is asked for again from there.
    if (piece.byteLength < PIECE) break;
  }
  return pieces;
}
