import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
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
  const id = randomUUID();
  while (!(await isMade(mark, id))) {
    if (await isStale(mark)) await breakTurn(mark);
    else await setTimeout(POLL_MS, undefined, { signal });
  }
  return {
    async [Symbol.asyncDispose]() {
      // Who was held up for long has lost its turn, and another may have it.
      if ((await ifThere(() => readFile(mark, "utf8"))) === id) await rm(mark, { force: true });
    },
  };
}

async function isMade(mark: string, id: string): Promise<boolean> {
  try {
    await writeFile(mark, id, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Several may have found the same one stale, and the first may have made its own in its place: that is put back. */
export async function breakTurn(mark: string): Promise<void> {
  const aside = `${mark}.${randomUUID()}`;
  const isTaken = await ifThere(async () => {
    await rename(mark, aside);
    return true;
  });
  if (!isTaken) return;
  try {
    if (!(await isStale(aside))) await link(aside, mark);
  } catch (error) {
    // A third one was faster.
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

async function isStale(mark: string): Promise<boolean> {
  const stats = await ifThere(() => stat(mark));
  return stats !== undefined && Date.now() - stats.mtimeMs > STALE_MS;
}

/** Undefined: its owner was faster. */
async function ifThere<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
