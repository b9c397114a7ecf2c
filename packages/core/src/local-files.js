// What a batch does with its files (local-batch.ts), on the thread of the program or on one of its own (local-files-thread.js).
// The calls that wait for no disk are synchronous: each takes some microseconds, and an asynchronous one ten times that.
// Not TypeScript: a thread begins with a file that Node can run, also where the sources do.
import { hash } from "node:crypto";
import { closeSync, constants, fsync, futimesSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";

/**
 * A part of a buffer that is to be a file. `mtime` in milliseconds.
 *
 * @typedef {{ readonly temporary: string, readonly start: number, readonly end: number, readonly mtime: number }} Part
 */

/**
 * A file that is open, complete, and not yet synced.
 *
 * @typedef {{ readonly descriptor: number, readonly temporary: string }} OpenFile
 */

/**
 * Where an open file goes; nowhere: it is removed.
 *
 * @typedef {OpenFile & { readonly target: string | undefined }} PlacedFile
 */

/**
 * Writes each part to a new file. When one fails none is left.
 *
 * @param {Uint8Array} bytes
 * @param {readonly Part[]} parts
 * @returns {readonly (OpenFile & { readonly sha256: Uint8Array })[]}
 */
export function writeFiles(bytes, parts) {
  /** @type {(OpenFile & { readonly sha256: Uint8Array })[]} */
  const written = [];
  try {
    for (const { temporary, start, end, mtime } of parts) {
      const part = bytes.subarray(start, end);
      const descriptor = openSync(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
      written.push({ descriptor, temporary, sha256: hash("sha256", part, "buffer") });
      for (let at = 0; at < part.byteLength; ) at += writeSync(descriptor, part, at);
      // As a text, because Node takes a number before 1970 for the present.
      futimesSync(descriptor, String(mtime / 1000), String(mtime / 1000));
    }
    return written;
  } catch (error) {
    for (const { descriptor, temporary } of written) {
      ignoring(["EBADF", "EIO", "ENOSPC", "EDQUOT"], () => closeSync(descriptor));
      ignoring(["ENOENT", "EIO", "EROFS"], () => unlinkSync(temporary));
    }
    throw error;
  }
}

/**
 * fsync(2) of all, side by side: the disk is waited for once, mostly. Resolves, or rejects, when none is under way.
 *
 * @param {readonly number[]} descriptors
 * @returns {Promise<void>}
 */
export function syncFiles(descriptors) {
  return new Promise((resolve, reject) => {
    let waiting = descriptors.length;
    /** @type {Error | undefined} */
    let failure;
    if (waiting === 0) resolve();
    for (const descriptor of descriptors)
      fsync(descriptor, (error) => {
        failure ??= error ?? undefined;
        if (--waiting > 0) return;
        if (failure) reject(failure);
        else resolve();
      });
  });
}

/**
 * Closes all, then gives each its name. When that fails those that have none are removed.
 *
 * @param {readonly PlacedFile[]} files
 */
export function finishFiles(files) {
  /** @type {{ readonly error: unknown } | undefined} */
  let failure;
  for (const { descriptor } of files) {
    try {
      closeSync(descriptor);
    } catch (error) {
      failure ??= { error };
    }
  }
  try {
    if (failure) throw failure.error;
    for (const { temporary, target } of files) if (target !== undefined) renameSync(temporary, target);
  } catch (error) {
    // Only those that were not renamed are still there; the next put takes the same temporary names.
    for (const { temporary } of files) ignoring(["ENOENT", "EIO", "EROFS"], () => unlinkSync(temporary));
    throw error;
  }
  for (const { temporary, target } of files)
    if (target === undefined) ignoring(["ENOENT"], () => unlinkSync(temporary));
}

/**
 * @param {readonly string[]} codes of errors that do not matter
 * @param {() => void} work
 */
function ignoring(codes, work) {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && codes.includes(String(error.code)))) throw error;
  }
}
