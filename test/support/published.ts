import { createHash } from "node:crypto";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** A message that a backup shows, complete or not at all: also while, or after, a run was killed. */
export interface Published {
  /** Directory of the folder, below the destination. */
  readonly directory: string;
  readonly uid: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

const NAME = /^(n?)(\d+)\.V\d+U(\d+)D([a-z2-7]{26})\.backup,S=(\d+)[:;]2,[A-Za-z]*$/;

/** Files that were found whole, by inode: while their times are the same they are not read again. */
export type Seen = Map<string, Published>;

/**
 * Every file in a `cur`. Throws for one that is not whole: its size, digest or time is not that of its name.
 * A destination that is not there has none.
 */
export async function readPublished(root: string, seen: Seen = new Map()): Promise<readonly Published[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && entry.parentPath.endsWith("/cur"));
  return Promise.all(
    files.map(async ({ parentPath, name }) => {
      const [, negative, epoch, uid, digest, size] = NAME.exec(name) ?? [];
      const file = join(parentPath, name);
      const { ino, mtimeMs, ctimeMs } = await stat(file);
      const key = `${file} ${ino} ${mtimeMs} ${ctimeMs}`;
      const known = seen.get(key);
      if (known) return known;
      const bytes = await readFile(file);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const whole =
        bytes.length === Number(size) &&
        digest === base32(sha256.slice(0, 32)) &&
        mtimeMs / 1000 === Number(epoch) * (negative ? -1 : 1);
      if (!whole) throw new Error(`${file} is not whole: ${bytes.length} bytes, SHA-256 ${sha256}, time ${mtimeMs}`);
      const found = { directory: parentPath.slice(root.length + 1, -"/cur".length), uid: Number(uid), sha256 };
      seen.set(key, found);
      return found;
    }),
  );
}

/** 128 bits as 26 letters. */
function base32(hexadecimal: string): string {
  const bits = `${BigInt(`0x${hexadecimal}`).toString(2).padStart(128, "0")}00`;
  const groups = bits.match(/.{5}/g) ?? [];
  return groups.map((group) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(group, 2)]).join("");
}
