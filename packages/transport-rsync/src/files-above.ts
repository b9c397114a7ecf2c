import type { Path } from "@backup/core";
import type { FileAbove } from "./file-above.js";
import { OPEN, type SftpCalls, SftpStatus } from "./sftp-calls.js";
import { folderOf } from "./sftp-root.js";

/** What is read of each; no file that is asked for is as long. */
const BYTES = 4096;

/** No path has more directories: whoever says so lies. */
const MOST = 2048;

/** Looks for a file in a directory and in those above it, the nearest first; what the account cannot see is left out. */
export async function filesAbove(sftp: SftpCalls, directory: string, file: Path): Promise<readonly FileAbove[]> {
  const start = await unlessRefused(sftp.realpath(directory));
  if (start === undefined) return [];
  const directories = [start];
  for (let at = start; at !== folderOf(at) && directories.length < MOST; ) directories.push((at = folderOf(at)));
  const found = await Promise.all(
    directories.map(async (each): Promise<readonly FileAbove[]> => {
      const text = await unlessRefused(headOf(sftp, `${each === "/" ? "" : each}/${file}`));
      return text === undefined ? [] : [{ directory: each, text }];
    }),
  );
  return found.flat();
}

async function headOf(sftp: SftpCalls, path: string): Promise<string | undefined> {
  // A pipe would be waited for.
  if (!(await sftp.lstat(path)).isFile()) return undefined;
  const handle = await sftp.open(path, OPEN.READ);
  try {
    const into = Buffer.alloc(BYTES);
    return into.toString("utf8", 0, await sftp.read(handle, into, BYTES, 0));
  } finally {
    // Nothing depends on the answer.
    sftp.close(handle).catch(() => {});
  }
}

async function unlessRefused<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof SftpStatus) return undefined;
    throw error;
  }
}
