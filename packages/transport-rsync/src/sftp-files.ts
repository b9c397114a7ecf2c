import { open } from "node:fs/promises";
import type { InputAttributes } from "ssh2";
import { throwIfAborted } from "@backup/core";
import { type Handle, OPEN, STATUS, type SftpCalls, unless, unlessRefused } from "./sftp-calls.js";
import { directorySync } from "./sftp-directory.js";
import { type Attempt, explained } from "./sftp-errors.js";
import { ByteWindow, inFlight, settleAll } from "./sftp-in-flight.js";
import { folderOf } from "./sftp-root.js";

/** A file to be written. */
export interface RemoteFile {
  /** As the server knows it. */
  readonly path: string;
  /** Milliseconds since 1970; undefined: the present. */
  readonly mtime?: number | undefined;
  readonly content: Uint8Array | { readonly file: string };
}

export interface WriteOptions {
  /** A name that no file ever had, on the same file system. */
  readonly temporaryName: () => string;
  readonly attempt: Attempt;
  /** Must be true before anything is renamed; asked while the files are written. */
  readonly check?: (sftp: SftpCalls) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Bytes of a WRITE request: what every server takes. */
export const PIECE = 32 * 1024;

/**
 * Bytes that are sent and not answered yet: as many as OpenSSH lets be on their way. More would only wait here, and
 * with them all that is sent after: the heartbeat of the lease.
 */
export const UNANSWERED = 2 * 1024 * 1024;

/** Requests that hold no handle and few bytes, in flight at a time. */
export const MANY = 256;

/**
 * Writes files, all or none: each to a temporary name and synced; when all are, they are renamed, replacing what is
 * there, and their directories synced. Four round trips, however many they are.
 *
 * Every attempt takes names of its own: a server that lost its client may still work off what it was sent, and must
 * neither find nor rename what is being written now.
 */
export async function writeFiles(
  sftp: SftpCalls,
  files: readonly RemoteFile[],
  { temporaryName, attempt, check, signal }: WriteOptions,
): Promise<void> {
  const window = new ByteWindow(UNANSWERED);
  const written = files.map((file) => ({ file, temporary: temporaryName() }));
  let isComplete = false;
  try {
    const limit = Math.min(sftp.handles, files.length);
    const writing = inFlight(written, { limit, signal }, async ({ file, temporary }) => {
      const handle = await sftp.open(temporary, OPEN.CREATE | OPEN.EXCLUSIVE | OPEN.WRITE);
      await writeAll(sftp, { handle, pieces: piecesOf(file.content), attributes: attributesOf(file.mtime) }, window);
    });
    await settleAll(check ? [writing, check(sftp)] : [writing]);
    throwIfAborted(signal);
    const directories = directorySync(sftp, new Set(files.map(({ path }) => folderOf(path))));
    try {
      await inFlight(written, { limit: MANY }, ({ file, temporary }) => replace(sftp, temporary, file.path));
      isComplete = true;
    } finally {
      await (isComplete ? directories.finish() : directories.drop());
    }
  } catch (error) {
    // Before anything is removed: it may be what fills the disk.
    const reason = await explained(error, sftp, attempt);
    if (!isComplete)
      await inFlight(written, { limit: MANY }, ({ temporary }) =>
        unless([STATUS.NO_SUCH_FILE, STATUS.FAILURE, STATUS.PERMISSION_DENIED], sftp.unlink(temporary)),
      );
    throw reason;
  }
}

/** What is to be written to an open file; pieces are no longer than PIECE. */
interface Writing {
  readonly handle: Handle;
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly attributes: InputAttributes;
}

/** Writes a file, sets its attributes, has it on disk where the server can, and closes it. */
export async function writeAll(
  sftp: SftpCalls,
  { handle, pieces, attributes }: Writing,
  window: ByteWindow,
): Promise<void> {
  const writes: Promise<void>[] = [];
  try {
    let position = 0;
    for await (const bytes of pieces) {
      const room = window.room(bytes.byteLength);
      if (room) await window.take(bytes.byteLength);
      const write = sftp.write(handle, bytes, position).finally(() => window.release(bytes.byteLength));
      write.catch(() => {});
      writes.push(write);
      position += bytes.byteLength;
    }
    // Servers that have fsync@openssh.com work in the order of the requests; others may set the time and write after.
    if (!sftp.offers.fsync) await settleAll(writes.splice(0));
    writes.push(sftp.fsetstat(handle, attributes));
    if (sftp.offers.fsync) writes.push(sftp.fsync(handle));
  } finally {
    writes.push(sftp.close(handle));
    await settleAll(writes);
  }
}

/** Version 3 has no time before 1970. @param mode 0600 again, for servers that do not heed the mode of an OPEN */
export function attributesOf(
  mtime: number | undefined,
  mode = 0o600,
): { mode: number; mtime?: number; atime?: number } {
  if (mtime === undefined) return { mode };
  const seconds = Math.min(Math.max(0, Math.floor(mtime / 1000)), 0xffff_ffff);
  return { mode, mtime: seconds, atime: seconds };
}

async function* piecesOf(content: RemoteFile["content"]): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) {
    for (let at = 0; at < content.byteLength; at += PIECE) yield content.subarray(at, at + PIECE);
    return;
  }
  await using file = await open(content.file);
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE), 0, PIECE, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * rename(2), which replaces what is at `to`. `from` is a temporary file.
 *
 * Where the server only has the RENAME of version 3, which refuses to, what is there is put aside first: when the server
 * dies between the two, `to` is missing, and the next run copies it anew.
 */
export async function replace(sftp: SftpCalls, from: string, to: string): Promise<void> {
  if (sftp.offers.posixRename) return sftp.posixRename(from, to);
  if (await unlessRefused([STATUS.FAILURE], sftp.rename(from, to))) return;
  // Never on a guess: `to` may be all that there is of a rename that was done before.
  await sftp.lstat(from);
  const aside = `${from}.old`;
  const isAside = await unlessRefused([STATUS.NO_SUCH_FILE], sftp.rename(to, aside));
  try {
    await sftp.rename(from, to);
  } catch (error) {
    if (isAside) await sftp.rename(aside, to);
    throw error;
  }
  if (isAside) await sftp.unlink(aside);
}
