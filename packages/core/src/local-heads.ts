import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { ignoring } from "./disk-error.js";
import { throwIfAborted } from "./errors.js";
import type { Path } from "./model.js";

/** Files that are open at the same time. */
const CHUNK = 64;

/** The first bytes of files, so many at most; a missing one is left out, and so is a symbolic link. */
export async function readHeads(
  files: readonly (readonly [path: Path, file: string])[],
  bytes: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<Path, Uint8Array>> {
  const heads = new Map<Path, Uint8Array>();
  for (let at = 0; at < files.length; at += CHUNK) {
    throwIfAborted(signal);
    const chunk = files.slice(at, at + CHUNK);
    const read = await Promise.all(
      chunk.map(([, file]) => ignoring(["ENOENT", "ENOTDIR", "ELOOP"], head(file, bytes))),
    );
    for (const [index, [path]] of chunk.entries()) {
      const found = read[index];
      if (found) heads.set(path, found);
    }
  }
  return heads;
}

async function head(file: string, bytes: number): Promise<Uint8Array> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { buffer, bytesRead } = await handle.read(new Uint8Array(bytes), 0, bytes, 0);
  return buffer.subarray(0, bytesRead);
}
