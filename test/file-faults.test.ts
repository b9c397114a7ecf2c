import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, readdir, rename, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Result, reportOf, runBackup, startBackup } from "./support/command.js";
import { differencesOf } from "./support/random-tree.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const run = promisify(execFile);
const NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups"];
const BACKUP = join(process.cwd(), "packages/cli/bin/backup.js");

let home: TemporaryDirectory;
let source: string;
let dest: string;
beforeEach(async () => {
  home = await temporaryDirectory();
  [source, dest] = [join(home.path, "source"), join(home.path, "dest")];
  await mkdir(source);
});
afterEach(async () => await home[Symbol.asyncDispose]());

const backUp = (...more: string[]): Promise<Result> => runBackup(["file", source, dest, "--json", ...more]);
const onDay = (day: number, ...more: string[]): Promise<Result> =>
  backUp("--hist", `--histdate=2026-11-0${day}`, ...more);

/** Files of the same size and time, whatever is in them. */
async function write(path: string, text: string): Promise<void> {
  await mkdir(join(source, path, ".."), { recursive: true });
  await writeFile(join(source, path), text);
  await utimes(join(source, path), 1_600_000_000, 1_600_000_000);
}

/** As somebody who may not read everything. */
async function asNobody(...more: string[]): Promise<Result> {
  await run("chown", ["-R", "nobody", home.path]);
  const args = [...NOBODY, process.execPath, BACKUP, "file", source, dest, "--json", ...more];
  const env = { PATH: process.env.PATH, HOME: home.path };
  return await run("setpriv", args, { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr, signal: null }),
    (error: Result) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr, signal: null }),
  );
}

it("says each time that a directory cannot be read, and deletes nothing of it", async () => {
  await write("open/file", "1");
  await write("closed/file", "2");
  expect((await asNobody()).code).toBe(0);
  await chmod(join(source, "closed"), 0);
  for (let time = 0; time < 2; time++) {
    const result = await asNobody();
    expect(result.code, `time ${time}: ${result.stdout}`).toBe(3);
    expect(await readFile(join(dest, "closed/file"), "utf8")).toBe("2");
  }
});

it("keeps the complete snapshot of a day when the one that is to take its place lacks something", async () => {
  await write("data/file", "1");
  expect((await asNobody("--hist", "--histdate=2026-11-01")).code).toBe(0);
  await chmod(join(source, "data"), 0);
  const partly = await asNobody("--hist", "--histdate=2026-11-01");
  expect(partly.code).toBe(3);
  expect(partly.stdout).toContain("SNAPSHOT_KEPT");
  expect(await readFile(join(dest, "2026/11/01/data/file"), "utf8")).toBe("1");
  await chmod(join(source, "data"), 0o755);
  await write("data/more", "2");
  expect((await asNobody("--hist", "--histdate=2026-11-01")).code).toBe(0);
  expect((await readdir(join(dest, "2026/11/01/data"))).toSorted()).toEqual(["file", "more"]);
});

describe.each([
  { name: "in a mirror", back: () => backUp(), at: () => dest },
  { name: "in a snapshot", back: (day: number) => onDay(day), at: (day: number) => join(dest, `2026/11/0${day}`) },
])("what is exchanged while its directory is renamed, of the same size and time, $name", ({ back, at }) => {
  it.each([
    [
      "two files",
      [
        ["A/f", "B/g"],
        ["A/g", "B/f"],
      ],
      [],
    ],
    ["a file and a new one", [["A/f", "C/f"]], [["B/f", "NNNN"]]],
    [
      "a directory in it",
      [
        ["A/x/1", "B/y/1"],
        ["A/x/2", "B/y/2"],
      ],
      [
        ["B/x/1", "MMMM"],
        ["B/x/2", "OOOO"],
      ],
    ],
    ["one from outside", [["C/x", "B/f"]], []],
  ] as const)("is what the source has: %s", async (_what, moves, made) => {
    for (const [path, text] of [
      ["A/f", "FFFF"],
      ["A/g", "GGGG"],
      ["A/h", "HHHH"],
      ["A/i", "IIII"],
      ["A/x/1", "1111"],
      ["A/x/2", "2222"],
      ["C/x", "XXXX"],
    ] as const)
      await write(path, text);
    expect((await back(1)).code).toBe(0);
    await rename(join(source, "A"), join(source, "B"));
    const now = (path: string): string => join(source, path.replace(/^A\//, "B/"));
    for (const [index, [from]] of moves.entries()) await rename(now(from), join(source, `aside-${index}`));
    for (const [index, [, to]] of moves.entries()) {
      await mkdir(join(source, to, ".."), { recursive: true });
      await rename(join(source, `aside-${index}`), join(source, to));
    }
    for (const [path, text] of made) await write(path, text);
    const result = await back(2);
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect(await differencesOf(source, at(2))).toBe("");
    const verified = await runBackup(["verify", dest, "--json"]);
    expect(verified.code, verified.stdout).toBe(0);
  });
});

it("does not take a new file for the old one because its directory was renamed, where size alone is compared", async () => {
  await write("A/status", "0001");
  await write("A/other", "x");
  await write("A/third", "yy");
  await backUp("--inet");
  await rename(join(source, "A"), join(source, "B"));
  await writeFile(join(source, "B/status"), "0002");
  expect((await backUp("--inet")).code).toBe(0);
  expect(await readFile(join(dest, "B/status"), "utf8")).toBe("0002");
});

it("knows after an interrupted run what that one has left", async () => {
  for (let at = 0; at < 40; at++) await write(`file-${at}`, "before");
  await backUp();
  for (let at = 0; at < 40; at++) await writeFile(join(source, `file-${at}`), Buffer.alloc(200_000, at));
  const { child, result } = startBackup(["file", source, dest, "--bwlimit=2000"]);
  const isBegun = async (): Promise<boolean> => (await stat(join(dest, "file-1"))).size > 10;
  for (let waited = 0; waited < 15_000 && !(await isBegun()); waited += 50) await sleep(50);
  child.kill("SIGKILL");
  await result;
  expect(reportOf(await backUp())).toMatchObject({ result: "done" });
  const verified = await runBackup(["verify", dest, "--json"]);
  expect(verified.code, verified.stdout).toBe(0);
  expect(await differencesOf(source, dest)).toBe("");
});

it("makes a manifest that was damaged anew", async () => {
  for (let at = 0; at < 30; at++) await write(`file-${at}`, `${at}`);
  await backUp();
  const manifest = join(dest, ".backup/manifest.mtree.gz");
  await truncate(manifest, (await stat(manifest)).size - 20);
  await write("new", "1");
  const result = await backUp();
  expect(result.code, result.stdout).toBe(0);
  expect((await runBackup(["verify", dest])).code).toBe(0);
});

it("puts a file in the place of a directory, and keeps the directory where the file cannot be had", async () => {
  await write("place/one", "1");
  await write("other", "2");
  expect((await asNobody()).code).toBe(0);
  await rm(join(source, "place"), { recursive: true });
  await writeFile(join(source, "place"), "a file now", { mode: 0 });
  expect((await asNobody()).code).toBe(3);
  await chmod(join(source, "place"), 0o644);
  expect((await asNobody()).code).toBe(0);
  expect(await readFile(join(dest, "place"), "utf8")).toBe("a file now");
});

it("deletes nothing when the source was lost while it was copied", async () => {
  await mkdir(join(source, "mount"));
  for (let at = 0; at < 60; at++) await write(`file-${at}`, `${at}`);
  await write(".mounted", "");
  await backUp("--require=.mounted");
  await rm(join(source, "file-1"));
  for (let at = 0; at < 20; at++) await writeFile(join(source, `big-${at}`), Buffer.alloc(200_000, at));
  const { result } = startBackup(["file", source, dest, "--require=.mounted", "--bwlimit=2000", "--json"]);
  const isBegun = async (): Promise<boolean> => (await readdir(dest)).some((name) => name.startsWith("big-"));
  for (let waited = 0; waited < 15_000 && !(await isBegun()); waited += 50) await sleep(50);
  for (let at = 2; at < 60; at++) await rm(join(source, `file-${at}`));
  await rm(join(source, ".mounted"));
  const { code } = await result;
  expect(code).not.toBe(0);
  expect((await readdir(dest)).filter((name) => name.startsWith("file-"))).toHaveLength(60);
});
