import { lstat, mkdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CHECKPOINT_FILE } from "./checkpoint.js";
import { ignoring } from "./disk-error.js";
import { systemCode, throwIfAborted } from "./errors.js";
import { syncDirectory } from "./sync-directory.js";

/** Makes directories, 0700, with their parents, and their names durable. */
export async function makeDurably(directories: readonly string[], signal?: AbortSignal): Promise<void> {
  const parents = new Set<string>();
  for (const directory of directories) {
    if (signal) throwIfAborted(signal);
    const first = await makeWithParents(directory);
    if (first === undefined) continue;
    for (let at = directory; at.length >= first.length; at = dirname(at)) parents.add(dirname(at));
  }
  for (const parent of parents) await syncDirectory(parent);
}

/**
 * mkdir(2) with parents; the first that was made. Not by Node's own: that goes on for ever where the system says ENOENT
 * of a directory whose parent is there, as in /proc.
 */
async function makeWithParents(directory: string): Promise<string | undefined> {
  try {
    return await makeOne(directory);
  } catch (error) {
    const parent = dirname(directory);
    if (systemCode(error) !== "ENOENT" || parent === directory) throw error;
    const first = await makeWithParents(parent);
    const made = await makeOne(directory);
    return first ?? made;
  }
}

/** Undefined: it was there, whatever else would keep it from being made. */
async function makeOne(directory: string): Promise<string | undefined> {
  try {
    await mkdir(directory, { mode: 0o700 });
    return directory;
  } catch (error) {
    if ((await ignoring(["ENOENT", "ENOTDIR"], stat(directory)))?.isDirectory()) return undefined;
    throw error;
  }
}

/** The backup that a directory would be in, by where it really is; its own does not count. */
export async function backupAround(directory: string): Promise<string | undefined> {
  const real = (await ignoring(["ENOENT", "ENOTDIR"], realpath(directory))) ?? directory;
  const parent = dirname(real);
  if (parent === real) return undefined;
  return (await isBackup(parent)) ? parent : await backupAround(parent);
}

async function isBackup(directory: string): Promise<boolean> {
  // What this user may not look into is no backup that this user makes.
  const hidden = ["ENOENT", "ENOTDIR", "EACCES", "EPERM"];
  return (await ignoring(hidden, lstat(join(directory, CHECKPOINT_FILE)))) !== undefined;
}
