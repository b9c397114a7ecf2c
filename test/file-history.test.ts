import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportOf, runBackup, startBackup } from "./support/command.js";
import { seededRandom } from "./support/random.js";
import { listedIn, namesIn } from "./support/manifest-names.js";
import { RandomTree, differencesOf } from "./support/random-tree.js";
import { type Sshd, startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const run = promisify(execFile);

let home: TemporaryDirectory;
let sshd: Sshd;
let restricted: Sshd;
beforeAll(async () => {
  home = await temporaryDirectory();
  [sshd, restricted] = await Promise.all([
    startSshd(),
    startSshd({ keyCommand: (directory) => `/usr/bin/rrsync -no-lock '${directory}'` }),
  ]);
});
afterAll(async () => {
  await sshd?.[Symbol.asyncDispose]();
  await restricted?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

let number = 0;
const place = (): string => join(home.path, `place-${number++}`);

interface Opened {
  readonly source: string;
  readonly dest: string;
  readonly args: readonly string[];
}

const ssh = (server: Sshd): readonly string[] => [`--ssh-port=${server.port}`, `--known-hosts=${server.knownHosts}`];

const openHere = (): Opened => {
  const [source, dest] = [place(), place()];
  return { source, dest, args: [source, dest] };
};

const WAYS: readonly { readonly name: string; readonly open: () => Opened }[] = [
  { name: "here to here", open: openHere },
  {
    name: "here to a host",
    open: () => {
      const [source, name] = [place(), `tree-${number++}`];
      const remote = `${sshd.user}@${sshd.host}:${sshd.remotePath}/${name}`;
      return {
        source,
        dest: join(sshd.path, name),
        args: [source, remote, `--dstsecret=${sshd.identity}`, ...ssh(sshd)],
      };
    },
  },
  {
    name: "a host to here",
    open: () => {
      const [dest, name] = [place(), `tree-${number++}`];
      const remote = `${sshd.user}@${sshd.host}:${sshd.remotePath}/${name}`;
      return {
        source: join(sshd.path, name),
        dest,
        args: [remote, dest, `--srcsecret=${sshd.identity}`, ...ssh(sshd)],
      };
    },
  },
];

const snapshot = (args: readonly string[], day: number, ...more: string[]) =>
  runBackup(["file", ...args, "--hist", `--histdate=2026-11-${String(day).padStart(2, "0")}`, "--json", ...more]);

const dayIn = (dest: string, day: number): string => join(dest, `2026/11/${String(day).padStart(2, "0")}`);

/** What the source is now, for later. */
async function keep(source: string): Promise<string> {
  const copy = place();
  await run("cp", ["-a", source, copy]);
  return copy;
}

describe.each(WAYS)("$name", ({ open }) => {
  it("holds in every snapshot what the source was then, whatever changed since", { timeout: 600_000 }, async () => {
    const { source, dest, args } = open();
    await mkdir(source, { recursive: true });
    const tree = new RandomTree(source, seededRandom(number));
    tree.grow(50);
    const kept = new Map<number, string>();
    for (let day = 1; day <= 4; day++) {
      if (day > 1) tree.change(12, day < 4);
      const result = await snapshot(args, day, "--allow-deletes");
      expect(result.code, `day ${day}: ${result.stderr}`).toBe(0);
      expect(await listedIn(dayIn(dest, day)), `day ${day}`).toEqual(await namesIn(source));
      kept.set(day, await keep(source));
      for (const [each, copy] of kept)
        expect(await differencesOf(copy, dayIn(dest, each)), `day ${each} after day ${day}`).toBe("");
    }
    expect((await readdir(join(dest, "2026/11"))).toSorted()).toEqual(["01", "02", "03", "04"]);
    expect(await readdir(join(dest, ".backup/tmp"))).toEqual([]);
  });

  it("shares what did not change, under its new name too, and sends none of it", async () => {
    const { source, dest, args } = open();
    await mkdir(join(source, "one/two"), { recursive: true });
    for (let at = 0; at < 20; at++) await writeFile(join(source, `one/two/${at}`), `${at}`.repeat(500));
    await writeFile(join(source, "same"), "same");
    await writeFile(join(source, "mode"), "mode");
    await snapshot(args, 1);
    await rename(join(source, "one"), join(source, "other"));
    await rename(join(source, "other/two/7"), join(source, "seven"));
    await chmod(join(source, "mode"), 0o600);
    const inodes = async (day: number, ...paths: string[]): Promise<readonly number[]> =>
      Promise.all(paths.map(async (path) => (await stat(join(dayIn(dest, day), path))).ino));
    const before = await inodes(1, "same", "one/two/3", "one/two/7");
    const modeBefore = (await stat(join(dayIn(dest, 1), "mode"))).mode;
    const report = reportOf(await snapshot(args, 2));
    expect(report).toMatchObject({ result: "done", moved: 20, removed: 0 });
    const now = await inodes(2, "same", "other/two/3", "seven");
    expect(report.bytes).toBe(0);
    expect(now).toEqual(before);
    expect((await stat(join(dayIn(dest, 1), "mode"))).mode).toBe(modeBefore);
    expect((await stat(join(dayIn(dest, 2), "mode"))).mode & 0o777).toBe(0o600);
    // Nothing changed: all is shared.
    expect(reportOf(await snapshot(args, 3))).toMatchObject({ added: 0, moved: 0, removed: 0, bytes: 0, unchanged: 1 });
    expect(await inodes(3, "same", "other/two/3", "seven")).toEqual(now);
    expect(await differencesOf(source, dayIn(dest, 3))).toBe("");
  });

  it("makes the snapshot of a day anew, refuses an older one, and writes none in a dry run", async () => {
    const { source, dest, args } = open();
    await mkdir(source, { recursive: true });
    await writeFile(join(source, "first"), "1");
    await snapshot(args, 5);
    await writeFile(join(source, "second"), "2");
    await rm(join(source, "first"));
    const dry = await snapshot(args, 5, "--dry-run");
    expect(reportOf(dry)).toMatchObject({ dryRun: true, added: 1, removed: 1 });
    expect(await readdir(dayIn(dest, 5))).toContain("first");
    expect(reportOf(await snapshot(args, 5))).toMatchObject({ result: "done", added: 1, removed: 1 });
    expect((await readdir(dayIn(dest, 5))).toSorted()).toEqual([".backup", "second"]);
    const older = await snapshot(args, 4);
    expect(older.code).toBe(1);
    expect(older.stdout).toContain("SNAPSHOT_NEWER");
    const mirror = await runBackup(["file", ...args]);
    expect(mirror.code).toBe(1);
    expect(mirror.stderr).toContain("snapshots");
  });
});

it("makes no snapshots where an account can rename nothing, and says so", async () => {
  const source = place();
  await mkdir(source);
  await writeFile(join(source, "file"), "1");
  const dest = `${restricted.user}@${restricted.host}:tree`;
  const result = await snapshot([source, dest, `--dstsecret=${restricted.identity}`, ...ssh(restricted)], 1);
  expect(result.code).toBe(1);
  expect(result.stdout).toContain("allows rsync only");
  expect(await readdir(restricted.path)).toEqual([]);
});

it("goes on with a snapshot that was interrupted, and changes no published one by that", {
  timeout: 180_000,
}, async () => {
  const { source, dest, args } = openHere();
  await mkdir(join(source, "many"), { recursive: true });
  for (let at = 0; at < 300; at++) {
    await writeFile(join(source, `many/${at}`), `${at}`.repeat(1000));
    await utimes(join(source, `many/${at}`), 1_600_000_000, 1_600_000_000);
  }
  await snapshot(args, 1);
  const first = await keep(source);
  for (let at = 0; at < 40; at++) await writeFile(join(source, `new-${at}`), Buffer.alloc(1_000_000, at));
  const slow = ["file", ...args, "--hist", "--histdate=2026-11-02", "--bwlimit=4000"];
  const { child, result } = startBackup(slow);
  for (let waited = 0; waited < 15_000; waited += 50) {
    const begun = await readdir(join(dest, "2026/11/02.in-progress")).catch(() => []);
    if (begun.length > 5) break;
    await sleep(50);
  }
  child.kill("SIGKILL");
  await result;
  expect((await readdir(join(dest, "2026/11"))).toSorted()).toEqual(["01", "02.in-progress"]);
  // What it has linked already differs now by attributes alone.
  await chmod(join(source, "many/5"), 0o600);
  await rm(join(source, "many/6"));
  const report = reportOf(await snapshot(args, 2));
  expect(report.result).toBe("done");
  expect(report.bytes).toBeLessThan(40_000_000);
  expect((await readdir(join(dest, "2026/11"))).toSorted()).toEqual(["01", "02"]);
  expect(await differencesOf(source, dayIn(dest, 2))).toBe("");
  expect(await differencesOf(first, dayIn(dest, 1))).toBe("");
});

it("leaves nothing behind that a source which is lost would have made", async () => {
  const { source, dest, args } = openHere();
  await mkdir(source, { recursive: true });
  for (let at = 0; at < 120; at++) await writeFile(join(source, `${at}`), `${at}`);
  await snapshot(args, 1);
  for (let at = 0; at < 120; at++) await rm(join(source, `${at}`));
  expect((await snapshot(args, 2)).stdout).toContain("SOURCE_EMPTY");
  expect(await readdir(dayIn(dest, 1))).toHaveLength(121);
});
