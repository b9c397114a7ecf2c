import { createHash } from "node:crypto";
import { lstat, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Days of the snapshots at a destination that lie here, `2026/11/23`, in their order. */
export async function publishedDays(root: string): Promise<readonly string[]> {
  const names = async (at: string): Promise<readonly string[]> => await readdir(join(root, at)).catch(() => []);
  const days: string[] = [];
  for (const year of (await names("")).filter((name) => /^\d{4}$/.test(name)))
    for (const month of await names(year))
      for (const day of await names(join(year, month))) if (/^\d{2}$/.test(day)) days.push(`${year}/${month}/${day}`);
  return days.toSorted();
}

/** Everything that a later run could change of a snapshot: names, modes, times, inodes and bytes. */
export async function frozen(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const lines = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const { mode, mtimeMs, ino } = await lstat(path);
    const digest = entry.isFile()
      ? createHash("sha256")
          .update(await readFile(path))
          .digest("hex")
      : "";
    return `${path.slice(root.length)} ${mode.toString(8)} ${mtimeMs} ${entry.isFile() ? ino : ""} ${digest}`;
  });
  return (await Promise.all(lines)).toSorted();
}
