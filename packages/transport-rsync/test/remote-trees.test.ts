import { mkdir, readFile, readdir, stat, utimes, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { type RemoteTrees, remoteTrees } from "../src/remote-trees.js";
import { plainShell, scriptShell } from "./support/rsync-shells.js";

const NEVER = new AbortController().signal;

let parent: TemporaryDirectory;
let home: string;
beforeEach(async () => {
  parent = await temporaryDirectory();
  home = join(parent.path, "home");
  await mkdir(join(home, "it's $x/cur"), { recursive: true });
  await writeFile(join(home, "it's $x/cur/1"), "one");
  await writeFile(join(home, "seen"), "");
});
afterEach(() => parent[Symbol.asyncDispose]());

/** Programs in `programs` are found before those of this machine. */
async function treesWith(programs = ""): Promise<RemoteTrees> {
  // ssh(1) is called with `--` before the host.
  const plain = await plainShell(home);
  const path = `PATH='${programs}${delimiter}'"$PATH"`;
  const shell = await scriptShell(join(parent.path, "ssh"), `${path} exec '${plain.program}' "$@"`);
  return remoteTrees(async () => shell, "seen");
}

describe("a whole directory at a host", () => {
  it("is cloned by hard links, in the place of what was left there", async () => {
    await utimes(join(home, "it's $x"), 1e9, 1e9);
    await mkdir(join(home, "to/old"), { recursive: true });
    const trees = await treesWith();
    expect(await trees.clone("it's $x", "to", NEVER)).toBe(true);
    expect(await readdir(join(home, "to"), { recursive: true })).toEqual(["cur", "cur/1"]);
    expect(await readFile(join(home, "to/cur/1"), "utf8")).toBe("one");
    const file = await stat(join(home, "to/cur/1"));
    expect(file).toMatchObject({ nlink: 2, ino: (await stat(join(home, "it's $x/cur/1"))).ino });
    expect((await stat(join(home, "to"))).mtimeMs).toBe(1e12);
  });

  it("is not cloned into one that a command of a lost connection makes at the same time", async () => {
    const programs = join(parent.path, "programs");
    // The other command is between its `rm` and its `cp` too, and a step further.
    await scriptShell(join(programs, "rm"), `/bin/rm -rf -- "$2" && mkdir -- "$2"`);
    const trees = await treesWith(programs);
    expect(await trees.clone("it's $x", "to", NEVER)).toBe(false);
    expect(await readdir(join(home, "to"))).toEqual([]);
  });
});
