import { createHash } from "node:crypto";
import { constants, closeSync, fstatSync, lstatSync, openSync, readSync, readlinkSync } from "node:fs";
import { systemCode, throwIfAborted } from "@backup/core";
import type { Entry } from "./manifest.js";
import { type RawPath, placeIn } from "./raw-path.js";

/** Bytes that are read in one go. */
const PIECE = 256 * 1024;
/** Bytes after which the event loop gets a turn. */
const TURN = 32 * 1024 * 1024;
const buffer = Buffer.allocUnsafeSlow(PIECE);

/** What cannot be had is left out: it vanished, or may not be read, and rsync(1) says so. */
const GONE: ReadonlySet<string | undefined> = new Set([
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "EPERM",
  "ELOOP",
  "EIO",
  "ESTALE",
]);

/** What an entry of a directory of this machine is, without its digest; undefined: it cannot be had. */
export function localEntry(directory: string, path: RawPath): Entry | undefined {
  return unlessGone(() => {
    const place = placeIn(directory, path);
    const stats = lstatSync(place, { bigint: true });
    const type = stats.isFile() ? "file" : stats.isDirectory() ? "dir" : stats.isSymbolicLink() ? "link" : "other";
    return {
      path,
      type,
      mode: Number(stats.mode & 0o7777n),
      size: type === "file" ? Number(stats.size) : 0,
      mtime: stats.mtimeNs,
      inode: stats.ino,
      target: type === "link" ? readlinkSync(place, "latin1") : undefined,
    };
  });
}

/**
 * SHA-256 of a file of this machine, hexadecimal; undefined: it cannot be had, is no regular file, or changed while it was
 * read. A small one is read synchronously: what was just copied is in memory, where a thread costs more than to read it.
 */
export async function localDigest(directory: string, path: RawPath, signal: AbortSignal): Promise<string | undefined> {
  const descriptor = unlessGone(() =>
    openSync(placeIn(directory, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  if (descriptor === undefined) return undefined;
  try {
    const before = fstatSync(descriptor, { bigint: true });
    if (!before.isFile()) return undefined;
    const hash = createHash("sha256");
    let [count, sinceTurn] = [0, 0];
    do {
      count = unlessGone(() => readSync(descriptor, buffer, 0, PIECE, null)) ?? -1;
      if (count < 0) return undefined;
      hash.update(buffer.subarray(0, count));
      sinceTurn += count;
      if (sinceTurn < TURN) continue;
      sinceTurn = 0;
      await new Promise(setImmediate);
      throwIfAborted(signal);
    } while (count > 0);
    const after = fstatSync(descriptor, { bigint: true });
    const isSame = before.mtimeNs === after.mtimeNs && before.size === after.size;
    return isSame ? hash.digest("hex") : undefined;
  } finally {
    closeSync(descriptor);
  }
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (GONE.has(systemCode(error))) return undefined;
    throw error;
  }
}
