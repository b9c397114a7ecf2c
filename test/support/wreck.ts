import { lstat, open, readFile, readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "./random.js";

/** What was done to a backup's files. Paths are below its root. */
export interface Wreck {
  /** Files with other bytes than before, sorted. */
  readonly damaged: readonly string[];
  /** Files that are gone, sorted. */
  readonly lost: readonly string[];
}

/** The messages of a backup, as paths below its root, sorted. */
export async function messagesIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.parentPath.endsWith("/cur"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted();
}

/** Does so many things to messages that no name and no time tells of: flipped bits, cuts, additions, swaps, deletions. */
export async function wreck(root: string, count: number, random: Random): Promise<Wreck> {
  const left = [...(await messagesIn(root))];
  const take = (): string => left.splice(random.below(left.length), 1)[0] ?? "";
  const damaged: string[] = [];
  const lost: string[] = [];
  for (let n = 0; n < count && left.length > 1; n++) {
    const path = take();
    const file = join(root, path);
    const { size, atime, mtime } = await lstat(file);
    switch (random.below(5)) {
      case 0:
        await rm(file);
        lost.push(path);
        continue;
      case 1:
        await truncate(file, random.below(size));
        break;
      case 2:
        await writeFile(file, "x", { flag: "a" });
        break;
      case 3: {
        const other = take();
        await swap(file, join(root, other));
        damaged.push(other);
        break;
      }
      default:
        await flip(file, random.below(size), 1 << random.below(8));
    }
    await utimes(file, atime, mtime);
    damaged.push(path);
  }
  return { damaged: damaged.toSorted(), lost: lost.toSorted() };
}

/** Turns bits of one byte. */
export async function flip(file: string, position: number, bits = 1): Promise<void> {
  await using handle = await open(file, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ bits;
  await handle.write(byte, 0, 1, position);
}

async function swap(one: string, other: string): Promise<void> {
  const [first, second] = [await readFile(one), await readFile(other)];
  if (first.equals(second)) throw new Error(`${one} and ${other} hold the same bytes`);
  await writeFile(one, second);
  await writeFile(other, first);
}
