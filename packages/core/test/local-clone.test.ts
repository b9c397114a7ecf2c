import { linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cloneTree } from "../src/local-clone.js";
import { ext4 } from "../../../test/support/mounts.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";

const NEVER = new AbortController().signal;

/** A tree of so many files, more than one thread links; three directories. */
function makeTree(at: string, files: number): void {
  for (const name of ["a", "b", "b/c"]) mkdirSync(join(at, name), { recursive: true });
  for (let n = 0; n < files; n++) writeFileSync(join(at, n % 2 ? "a" : "b/c", `${n}`), "");
  writeFileSync(join(at, "b/-x\n"), "x");
}

/** Every file, and its inode. */
function inodes(at: string): ReadonlyMap<string, number> {
  const files = readdirSync(at, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(at.length), statSync(path).ino] as const;
    }),
  );
}

describe("a clone of many files", () => {
  it("has all of them, each a hard link", async () => {
    await using directory = await temporaryDirectory();
    const [from, to] = [join(directory.path, "from"), join(directory.path, "to")];
    makeTree(from, 5000);
    expect(await cloneTree(from, to, NEVER)).toEqual({ copied: 0 });
    expect(inodes(from).size).toBe(5001);
    expect(inodes(to)).toEqual(inodes(from));
  });

  it("copies the one that has as many names as it may have", async () => {
    await using mount = await ext4();
    const [from, to, names] = ["from", "to", "names"].map((name) => join(mount.path, name)) as [string, string, string];
    makeTree(from, 1500);
    await mkdir(names);
    const full = (): void => {
      for (let n = 0; ; n++) linkSync(join(from, "a/1"), join(names, `${n}`));
    };
    expect(full).toThrow(expect.objectContaining({ code: "EMLINK" }));
    expect(await cloneTree(from, to, NEVER)).toEqual({ copied: 1 });
    const [before, after] = [inodes(from), inodes(to)];
    const other = [...before].filter(([path, inode]) => after.get(path) !== inode).map(([path]) => path);
    expect(other).toEqual(["/a/1"]);
    expect(after.size).toBe(before.size);
  });

  it("ends when it is to", async () => {
    await using directory = await temporaryDirectory();
    const from = join(directory.path, "from");
    makeTree(from, 5000);
    const stop = new AbortController();
    const cloned = cloneTree(from, join(directory.path, "to"), stop.signal);
    stop.abort(new Error("enough"));
    await expect(cloned).rejects.toMatchObject({ code: "ABORTED" });
    // Nobody goes on with it.
    const left = inodes(join(directory.path, "to")).size;
    expect(left).toBeLessThan(5001);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(inodes(join(directory.path, "to")).size).toBe(left);
  });
});
