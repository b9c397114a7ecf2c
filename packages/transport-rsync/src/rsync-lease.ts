import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LEASE_FILE, type LeaseFile, type LeaseTiming, PRIVATE, isBackupError, systemCode } from "@backup/core";
import type { RsyncTree } from "./rsync-tree.js";

const CLOCK = `${PRIVATE}/tmp/clock`;

/** A heartbeat waits for the transfer that is going on, so that it may come minutes late. */
export const RSYNC_LEASE_TIMING: LeaseTiming = { beatMs: 60_000, expiryMs: 15 * 60_000 };

/** Time of the host's clock, milliseconds to the second: that of a file which is written now. */
async function clockOf(tree: RsyncTree, signal: AbortSignal): Promise<number | undefined> {
  await pushText(tree, { path: CLOCK, text: "", option: "--ignore-times" }, signal);
  return (await tree.list([CLOCK], signal)).at(0)?.mtime;
}

/** How far the host's clock is ahead, milliseconds to the second; leaves nothing behind. */
export async function rsyncClockSkew(tree: RsyncTree, signal: AbortSignal): Promise<number | undefined> {
  const before = Date.now();
  const clock = await clockOf(tree, signal);
  await tree.remove([CLOCK], signal);
  return clock === undefined ? undefined : clock - Math.floor(before / 1000) * 1000;
}

interface Text {
  readonly path: string;
  readonly text: string;
  /** --ignore-existing or --ignore-times. */
  readonly option: string;
}

function pushText(tree: RsyncTree, { path, text, option }: Text, signal: AbortSignal): Promise<void> {
  return tree.scratch(async (local) => {
    await mkdir(dirname(join(local, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(local, path), text, { mode: 0o600 });
    await tree.push([path], local, ["--perms", option], signal);
  });
}

/**
 * The lease where only rsync(1) works, which neither links nor renames what is there.
 *
 * Under rrsync(1), one run at a time, --ignore-existing is as good as an exclusive create. Without its lock two runs
 * that begin within the same second can both find no lease; the later one overwrites the earlier, whose next heartbeat
 * finds that out. Until then both write: no file is lost, since every file is written whole under a name that says
 * what is in it, but the same work is done twice.
 */
export function rsyncLeaseFile(tree: RsyncTree, until: () => AbortSignal): LeaseFile {
  const push = (text: string, option: string): Promise<void> =>
    pushText(tree, { path: LEASE_FILE, text, option }, until());
  const pull = (): Promise<{ readonly text: string; readonly mtime: number } | undefined> =>
    tree.scratch(async (local) => {
      try {
        await tree.pull([LEASE_FILE], local, until());
        const file = join(local, LEASE_FILE);
        return { text: await readFile(file, "utf8"), mtime: (await stat(file)).mtimeMs };
      } catch (error) {
        if (systemCode(error) === "ENOENT" || isBackupError(error, "NOT_FOUND")) return undefined;
        throw error;
      }
    });
  return {
    async create(text) {
      await push(text, "--ignore-existing");
      return (await pull())?.text === text;
    },
    async read() {
      const found = await pull();
      if (!found) return undefined;
      const clock = await clockOf(tree, until());
      return { text: found.text, ageMs: clock === undefined ? 0 : clock - found.mtime };
    },
    async beat(text) {
      await push(text, "--ignore-times");
    },
    async remove(text) {
      const found = await pull();
      if (found?.text === text) await tree.remove([LEASE_FILE], until());
      return found === undefined || found.text === text;
    },
  };
}
