import { randomUUID } from "node:crypto";
import { link, readFile, readdir, rename, stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ignoring } from "./disk-error.js";
import { systemCode } from "./errors.js";
import type { LeaseFile } from "./lease.js";

/** The lease as a file of this machine. Its modification time is the heartbeat. */
export function localLeaseFile(path: string): LeaseFile {
  const mine = `${path}.${randomUUID()}`;
  return {
    async create(text) {
      try {
        await writeFile(mine, text, { mode: 0o600, flag: "wx" });
        await exclusive(mine, path, text);
        return true;
      } catch (error) {
        if (systemCode(error) === "EEXIST") return false;
        throw error;
      } finally {
        await ignoring(["ENOENT"], unlink(mine));
      }
    },
    async read() {
      const text = await ignoring(["ENOENT"], readFile(path, "utf8"));
      const stats = await ignoring(["ENOENT"], stat(path));
      return text === undefined || !stats ? undefined : { text, ageMs: (await now(mine)) - stats.mtimeMs };
    },
    async beat(text) {
      await writeFile(path, text, { flag: "r+" });
    },
    async remove(text) {
      // Taken aside first: of two that remove at once, only one gets the file, and it sees whose it was.
      const aside = `${path}.${randomUUID()}`;
      await ignoring(["ENOENT"], rename(path, aside));
      const found = await ignoring(["ENOENT"], readFile(aside, "utf8"));
      if (found === undefined) return true;
      if (found !== text) await ignoring(["EEXIST"], exclusive(aside, path, found));
      await ignoring(["ENOENT"], unlink(aside));
      return found === text;
    },
  };
}

/**
 * Removes the working files of runs that were killed while they took or gave back the lease. Younger ones may be of a
 * run that does so right now.
 */
export async function clearLeaseLeftovers(path: string, olderThanMs: number): Promise<void> {
  const names = await readdir(dirname(path));
  const files = names.filter((name) => name.startsWith(`${basename(path)}.`)).map((name) => join(dirname(path), name));
  if (files.length === 0) return;
  const limit = (await now(`${path}.${randomUUID()}`)) - olderThanMs;
  for (const file of files) {
    const stats = await ignoring(["ENOENT"], stat(file));
    if (stats && stats.mtimeMs < limit) await ignoring(["ENOENT"], unlink(file));
  }
}

/** The time by the clock of the disk, which may be another machine's. */
async function now(probe: string): Promise<number> {
  await writeFile(probe, "", { mode: 0o600 });
  const { mtimeMs } = await stat(probe);
  await unlink(probe);
  return mtimeMs;
}

/** Gives a finished file its name, if that is free: link(2), or an exclusive write where there are no hard links. */
async function exclusive(from: string, to: string, text: string): Promise<void> {
  const linked = await ignoring(
    ["EPERM", "ENOTSUP", "ENOSYS", "EMLINK"],
    link(from, to).then(() => true as const),
  );
  if (!linked) await writeFile(to, text, { mode: 0o600, flag: "wx" });
}
