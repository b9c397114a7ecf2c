import {
  copyFileSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { systemCode, throwIfAborted } from "./errors.js";
import { NO_LINK } from "./local-link.js";
import type { Cloned } from "./store.js";
import { syncDirectory } from "./sync-directory.js";

/** Files in one go between two turns of the event loop. */
const CHUNK = 1000;

/**
 * Makes a second tree of a directory's files, by hard links; a file that cannot have another name is copied. Symbolic
 * links and the like are left out. `to` does not exist.
 *
 * Not asynchronous, in chunks: link(2) takes some microseconds, and a thread ten times that.
 */
export async function cloneTree(from: string, to: string, signal: AbortSignal): Promise<Cloned> {
  const made: string[] = [];
  let files = 0;
  let copied = 0;
  const visit = async (at: string, target: string): Promise<void> => {
    const entries = readdirSync(at, { withFileTypes: true });
    mkdirSync(target, { mode: 0o700 });
    made.push(target);
    for (const entry of entries) {
      if (files % CHUNK === 0) await new Promise(setImmediate);
      throwIfAborted(signal);
      const [one, other] = [join(at, entry.name), join(target, entry.name)];
      if (entry.isDirectory()) await visit(one, other);
      if (!entry.isFile()) continue;
      files++;
      if (!linked(one, other)) {
        copy(one, other);
        copied++;
      }
    }
  };
  await visit(from, to);
  for (const directory of made) await syncDirectory(directory);
  return { copied };
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = systemCode(error) ?? "";
    // What vanished or is in the way is no lack of links.
    if (code === "ENOENT" || code === "EEXIST" || !NO_LINK.includes(code)) throw error;
    return false;
  }
}

function copy(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const { mtimeMs } = lstatSync(from);
  utimesSync(to, mtimeMs / 1000, mtimeMs / 1000);
  const descriptor = openSync(to, "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
