import { closeSync, constants, open, read } from "node:fs";
import { promisify } from "node:util";
import { ahead } from "./ahead.js";
import { ContentHash, contentOf } from "./digest.js";
import { BackupError, systemCode, throwIfAborted } from "./errors.js";
import type { Path } from "./model.js";
import type { Digested } from "./store.js";

/**
 * Files that are read at the same time. Hashing is on this thread and faster than most disks (1.7 GB/s where the processor
 * has instructions for it): what takes time is waiting for the threads that read.
 */
const LANES = 16;

/** Bytes that are read in one go: a mail, mostly. */
const PIECE = 256 * 1024;

/** This process is short of something: that says nothing of the file. */
const NOT_ITS_FAULT: readonly (string | undefined)[] = ["EMFILE", "ENFILE", "ENOMEM"];

// The callback function: a FileHandle for each file costs more than to hash it.
const openFile = promisify(open);

/** Digests of files of this machine. A symbolic link is not followed: it is unreadable. */
export async function* digestFiles(
  files: readonly (readonly [path: Path, file: string])[],
  signal: AbortSignal,
): AsyncGenerator<Digested> {
  const buffers: Buffer[] = [];
  const digested = ahead(files, LANES, async ([path, file]): Promise<Digested> => {
    throwIfAborted(signal);
    const buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(PIECE);
    try {
      return { path, digest: await digestFile(file, buffer, signal) };
    } catch (error) {
      return { path, error: unreadable(path, error) };
    } finally {
      buffers.push(buffer);
    }
  });
  for await (const { result } of digested) yield result;
}

async function digestFile(file: string, buffer: Buffer, signal: AbortSignal): Promise<string> {
  const descriptor = await openFile(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    let count = await readSome(descriptor, buffer);
    if (count < buffer.length) return contentOf(buffer.subarray(0, count)).digest;
    const hash = new ContentHash();
    for (; count > 0; count = await readSome(descriptor, buffer)) {
      throwIfAborted(signal);
      hash.update(buffer.subarray(0, count));
    }
    return hash.content().digest;
  } finally {
    // What was only read waits for nothing, and a thread would take ten times as long.
    closeSync(descriptor);
  }
}

/** Bytes read: fewer than the buffer holds only at the end of the file, as read(2) promises of regular files. */
function readSome(descriptor: number, buffer: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, buffer, 0, buffer.length, null, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function unreadable(path: Path, error: unknown): BackupError {
  const code = systemCode(error);
  if (error instanceof BackupError || code === undefined || NOT_ITS_FAULT.includes(code)) throw error;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new BackupError("NOT_FOUND", `${path} is not there`, { cause: error });
  return new BackupError("ITEM_UNREADABLE", `${path} cannot be read (${code})`, { cause: error });
}
