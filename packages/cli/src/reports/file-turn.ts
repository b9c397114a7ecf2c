import { open, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { systemCode } from "@backup/core";

/** A turn takes milliseconds: one that is so old is that of a process that was killed. */
const STALE_MS = 10_000;
const POLL_MS = 20;

/**
 * Waits until no other process of ours changes this file; the turn lasts until what is returned is disposed of. It is a
 * file beside it, which only one can make.
 * @throws the signal's reason
 */
export async function takeFileTurn(file: string, signal: AbortSignal): Promise<AsyncDisposable> {
  const mark = join(dirname(file), `.${basename(file)}.lock`);
  while (!(await isMade(mark))) {
    if (await isStale(mark)) await rm(mark, { force: true });
    else await setTimeout(POLL_MS, undefined, { signal });
  }
  return { [Symbol.asyncDispose]: () => rm(mark, { force: true }) };
}

async function isMade(mark: string): Promise<boolean> {
  try {
    await (await open(mark, "wx", 0o600)).close();
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function isStale(mark: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(mark)).mtimeMs > STALE_MS;
  } catch (error) {
    // Its owner was faster.
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
