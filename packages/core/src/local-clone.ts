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
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { systemCode, throwIfAborted } from "./errors.js";
import { NO_LINK } from "./local-link.js";
import type { Cloned } from "./store.js";
import { syncDirectory } from "./sync-directory.js";

/** Names that a thread is given at a time. */
const SHARE = 1000;

/** More threads wait for each other in the file system. */
const MOST_THREADS = 4;

/** Names that get a hard link in another directory. */
interface Links {
  readonly from: string;
  readonly to: string;
  readonly names: readonly string[];
}

/**
 * Makes a second tree of a directory's files, by hard links; a file that cannot have another name is copied. Symbolic
 * links and the like are left out. `to` does not exist.
 *
 * Where they are many, threads of their own call link(2): it takes some microseconds of the processor, and an asynchronous
 * call ten times that.
 */
export async function cloneTree(from: string, to: string, signal: AbortSignal): Promise<Cloned> {
  const made: string[] = [];
  const shares: Links[] = [];
  const visit = (at: string, target: string): void => {
    throwIfAborted(signal);
    mkdirSync(target, { mode: 0o700 });
    made.push(target);
    const names: string[] = [];
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (entry.isDirectory()) visit(join(at, entry.name), join(target, entry.name));
      else if (entry.isFile()) names.push(entry.name);
    }
    for (let index = 0; index < names.length; index += SHARE)
      shares.push({ from: at, to: target, names: names.slice(index, index + SHARE) });
  };
  visit(from, to);
  let copied = 0;
  for (const share of await linkByThreads(shares, signal)) {
    await new Promise(setImmediate);
    for (const name of share.names) {
      throwIfAborted(signal);
      const [one, other] = [join(share.from, name), join(share.to, name)];
      if (linked(one, other)) continue;
      copy(one, other);
      copied++;
    }
  }
  for (const directory of made) await syncDirectory(directory);
  return { copied };
}

/** Returns what is left to do: all where there is little, and what link(2) refused. */
async function linkByThreads(shares: readonly Links[], signal: AbortSignal): Promise<readonly Links[]> {
  const names = shares.reduce((sum, share) => sum + share.names.length, 0);
  if (names <= SHARE) return shares;
  const threads = Math.min(MOST_THREADS, availableParallelism());
  const parts = Array.from({ length: threads }, (_, index) => shares.filter((_share, at) => at % threads === index));
  return (await Promise.all(parts.map((part) => linkByThread(part, signal)))).flat();
}

async function linkByThread(shares: readonly Links[], signal: AbortSignal): Promise<readonly Links[]> {
  const thread = new Worker(new URL("./link-thread.js", import.meta.url), { workerData: shares, execArgv: [] });
  try {
    const [left] = (await once(thread, "message", { signal })) as [readonly Links[]];
    return left;
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    await thread.terminate();
  }
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
