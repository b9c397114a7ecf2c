import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, readFile, readdir, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Result, eventsOf, reportOf, runBackup, startBackup } from "./support/command.js";
import { seededRandom } from "./support/random.js";
import { listedIn, namesIn } from "./support/manifest-names.js";
import { RandomTree, differencesOf } from "./support/random-tree.js";
import { roundsOf } from "./support/rounds.js";
import { type Sshd, startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { type TwoHosts, startTwoHosts } from "./support/two-hosts.js";

const run = promisify(execFile);

let home: TemporaryDirectory;
let hosts: TwoHosts;
let restricted: Sshd;
beforeAll(async () => {
  home = await temporaryDirectory();
  [hosts, restricted] = await Promise.all([
    startTwoHosts(),
    startSshd({ keyCommand: (directory) => `/usr/bin/rrsync -no-lock '${directory}'` }),
  ]);
});
afterAll(async () => {
  await hosts?.[Symbol.asyncDispose]();
  await restricted?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

let number = 0;
const place = (): string => join(home.path, `place-${number++}`);

const ssh = (server: Sshd): readonly string[] => [`--ssh-port=${server.port}`, `--known-hosts=${server.knownHosts}`];

/** Where a tree goes or comes from, as this machine sees it, and the words of the command line for it. */
interface Way {
  readonly name: string;
  readonly open: () => { readonly source: string; readonly dest: string; readonly args: readonly string[] };
  /** Hosts that it goes to from here. */
  readonly through: readonly ("source" | "dest")[];
}

const placeAt = (host: "source" | "dest", name: string): string => join(hosts[host].path, name);
const remote = (host: "source" | "dest", name: string): string => `${host}:${hosts[host].remotePath}/${name}`;

const WAYS: readonly Way[] = [
  {
    name: "here to here",
    through: [],
    open: () => {
      const [source, dest] = [place(), place()];
      return { source, dest, args: [source, dest] };
    },
  },
  {
    name: "here to a host",
    through: ["dest"],
    open: () => {
      const source = place();
      const name = `tree-${number++}`;
      const secret = `--dstsecret=${hosts.dest.identity}`;
      return { source, dest: placeAt("dest", name), args: [source, remote("dest", name), secret, ...hosts.options] };
    },
  },
  {
    name: "a host to here",
    through: ["source"],
    open: () => {
      const dest = place();
      const name = `tree-${number++}`;
      const secret = `--srcsecret=${hosts.source.identity}`;
      return { source: placeAt("source", name), dest, args: [remote("source", name), dest, secret, ...hosts.options] };
    },
  },
  {
    name: "a host to another host",
    through: ["source", "dest"],
    open: () => {
      const name = `tree-${number++}`;
      const args = [remote("source", name), remote("dest", name), ...hosts.options];
      return { source: placeAt("source", name), dest: placeAt("dest", name), args };
    },
  },
];

const backUp = (args: readonly string[], ...more: string[]): Promise<Result> =>
  runBackup(["file", ...args, ...more, "--json"], hosts.env);

/** Bytes over each connection from here so far, both directions. */
const onTheWire = (): Readonly<Record<"source" | "dest", number>> => {
  const count = ({ bytes }: TwoHosts["proxies"]["source"]): number => bytes.fromClient + bytes.fromServer;
  return { source: count(hosts.proxies.source), dest: count(hosts.proxies.dest) };
};

/** Bytes of a run that sends nothing, and for each entry beside: connecting, listings, what is in `.backup`. */
const OVERHEAD = { run: 60_000, entry: 500 };

describe.each(WAYS)("$name", ({ open, through }) => {
  it("is equal after every run, whatever changed, and sends what is new and no more", {
    timeout: 600_000,
  }, async () => {
    for (let round = 0; round < roundsOf(2); round++) {
      const { source, dest, args } = open();
      await mkdir(source, { recursive: true });
      const random = seededRandom(number * 1000 + round);
      const tree = new RandomTree(source, random);
      tree.grow(60);
      for (let step = 0; step < 4; step++) {
        const isTame = step < 3;
        const before = tree.contents();
        if (step > 0) tree.change(12, isTame);
        const wire = onTheWire();
        const result = await backUp(args, "--allow-deletes");
        const where = `round ${round}, step ${step}: ${result.stderr}`;
        expect(result.code, where).toBe(0);
        expect(await differencesOf(source, dest), where).toBe("");
        expect(await listedIn(dest), where).toEqual(await namesIn(source));
        const { bytes, items } = reportOf(result);
        if (step > 0 && isTame) {
          // A file's own bytes, wherever they were; what has a name that stores cannot say may be sent again.
          const sent = [...tree.contents()].filter(
            ([content, { path }]) =>
              !before.has(content) || isNoUtf8(path) || isNoUtf8(before.get(content)?.path ?? ""),
          );
          const changed = sent.reduce((sum, [, { size }]) => sum + size, 0);
          expect(bytes, where).toBeLessThanOrEqual(changed);
          const now = onTheWire();
          for (const host of through)
            expect(now[host] - wire[host], where).toBeLessThan(changed * 1.05 + OVERHEAD.run + OVERHEAD.entry * items);
        }
        const again = await backUp(args);
        expect(reportOf(again)).toMatchObject({ result: "done", added: 0, moved: 0, removed: 0, bytes: 0 });
      }
      const verified = await runBackup(["verify", dest, "--json"]);
      expect(verified.code, `round ${round}: ${verified.stdout}`).toBe(0);
    }
  });
});

/** The same where backup itself compares and copies, as it does not between two other hosts; file-walk.test.ts has what is its own. */
const WALKED: readonly Way[] = WAYS.filter(({ through }) => through.length < 2).map((way) => ({
  ...way,
  name: `${way.name}, entry by entry`,
  open: () => {
    const { args, ...places } = way.open();
    return { ...places, args: [...args, "--transport=sftp"] };
  },
}));

describe.each([...WAYS, ...WALKED])("$name", ({ open }) => {
  it("renames a directory that was renamed, and all in it at once", async () => {
    const { source, dest, args } = open();
    await mkdir(join(source, "one/two/three"), { recursive: true });
    for (let at = 0; at < 50; at++)
      await writeFile(join(source, `one/two/${at % 2 ? "three/" : ""}${at}`), `${at}`.repeat(999));
    expect((await backUp(args)).code).toBe(0);
    const inode = (await stat(join(dest, "one/two/three/1"))).ino;
    await rename(join(source, "one"), join(source, "other"));
    const dry = await backUp(args, "--dry-run");
    expect(reportOf(dry)).toMatchObject({ dryRun: true, added: 0, moved: 50, removed: 0 });
    expect((await readdir(dest)).toSorted()).toEqual([".backup", "one"]);
    const report = reportOf(await backUp(args));
    expect(report).toMatchObject({ result: "done", added: 0, moved: 50, removed: 0, bytes: 0 });
    expect((await stat(join(dest, "other/two/three/1"))).ino).toBe(inode);
    expect(await differencesOf(source, dest)).toBe("");
  });

  it("recognises what moved without the manifest too", async () => {
    const { source, dest, args } = open();
    await mkdir(join(source, "one"), { recursive: true });
    for (let at = 0; at < 20; at++) await writeFile(join(source, `one/${at}`), `${at} `.repeat(999));
    await backUp(args);
    await rm(join(dest, ".backup/manifest.mtree.gz"));
    await rename(join(source, "one"), join(source, "two"));
    expect(reportOf(await backUp(args))).toMatchObject({ added: 0, moved: 20, bytes: 0 });
    expect(await differencesOf(source, dest)).toBe("");
    // Made anew, of all that is there.
    expect(await manifestOf(dest)).toHaveLength(21);
  });

  it("does not take a file for another of the same size and time", async () => {
    const { source, dest, args } = open();
    await mkdir(join(source, "one"), { recursive: true });
    const write = async (path: string, text: string): Promise<void> => {
      await writeFile(join(source, path), text);
      await utimes(join(source, path), 1_600_000_000, 1_600_000_000);
    };
    for (let at = 0; at < 5; at++) await write(`one/${at}`, `same-size-${at}`);
    await backUp(args);
    await rename(join(source, "one"), join(source, "two"));
    await write("two/3", "SAME-SIZE-3");
    expect(reportOf(await backUp(args))).toMatchObject({ added: 1, moved: 4, removed: 1, bytes: 11 });
    expect(await readFile(join(dest, "two/3"), "utf8")).toBe("SAME-SIZE-3");
    expect(await differencesOf(source, dest)).toBe("");
  });

  it("mirrors what is in the directory, and what was deleted, but for what is kept", async () => {
    const { source, dest, args } = open();
    await mkdir(join(source, "sub"), { recursive: true });
    await writeFile(join(source, "sub/stays"), "1");
    await writeFile(join(source, "goes"), "22");
    await backUp(args);
    expect((await readdir(dest)).toSorted()).toEqual([".backup", "goes", "sub"]);
    await rm(join(source, "goes"));
    expect(reportOf(await backUp(args, "--keep-deleted"))).toMatchObject({ removed: 0, kept: 1 });
    expect(await readFile(join(dest, "goes"), "utf8")).toBe("22");
    expect(reportOf(await backUp(args))).toMatchObject({ removed: 1, kept: 0 });
    expect((await readdir(dest)).toSorted()).toEqual([".backup", "sub"]);
  });

  it("is never emptied by a source that is empty, lost, or has lost most", { timeout: 90_000 }, async () => {
    const { source, dest, args } = open();
    await mkdir(source, { recursive: true });
    for (let at = 0; at < 120; at++) await writeFile(join(source, `file-${at}`), `${at}`);
    await backUp(args);
    for (let at = 0; at < 70; at++) await rm(join(source, `file-${at}`));
    expect(errorOf(await backUp(args))).toMatchObject({ code: "DELETION_LIMIT" });
    for (let at = 70; at < 120; at++) await rm(join(source, `file-${at}`));
    expect(errorOf(await backUp(args))).toMatchObject({ code: "SOURCE_EMPTY" });
    await rm(source, { recursive: true });
    const missing = await backUp(args);
    expect(missing.code).toBe(1);
    expect(errorOf(missing)).toMatchObject({ code: "NOT_FOUND" });
    expect(await readdir(dest)).toHaveLength(121);
    await mkdir(source);
    expect(reportOf(await backUp(args, "--allow-deletes"))).toMatchObject({ removed: 120 });
  });

  it("does nothing unless the file is there that it is to find", async () => {
    const { source, dest, args } = open();
    await mkdir(source, { recursive: true });
    await writeFile(join(source, "file"), "1");
    const refused = await backUp(args, "--require", "sub/.mounted");
    expect(refused.code).toBe(1);
    expect(errorOf(refused)).toMatchObject({ code: "SOURCE_EMPTY" });
    await expect(readdir(dest)).rejects.toThrow("ENOENT");
    await mkdir(join(source, "sub"));
    await writeFile(join(source, "sub/.mounted"), "");
    expect((await backUp(args, "--require", "sub/.mounted")).code).toBe(0);
  });

  it("leaves out what is excluded, as a .gitignore would", async () => {
    const { source, dest, args } = open();
    for (const path of ["cache/x", "sub/cache/y", "a/b/c", "b/c", "keep.log", "drop.log", "sub/drop.log"]) {
      await mkdir(join(source, path, ".."), { recursive: true });
      await writeFile(join(source, path), path);
    }
    const options = ["--exclude", "/cache/", "--exclude", "*.log", "--include", "keep.log", "--exclude", "b/c"];
    expect((await backUp(args, ...options)).code).toBe(0);
    const { stdout } = await run("find", [".", "-type", "f", "-not", "-path", "./.backup/*"], { cwd: dest });
    expect(stdout.trim().split("\n").toSorted()).toEqual(["./a/b/c", "./keep.log", "./sub/cache/y"]);
  });

  it("leaves out directories that are marked, whatever they are called", async () => {
    const { source, dest, args } = open();
    const marked = ["plain", "a/star*[x]?", "a/back\\slash", "nl\nname", "b/ blank "];
    for (const path of [...marked, "star", "a/starXx", "b/blank"]) {
      await mkdir(join(source, path), { recursive: true });
      await writeFile(join(source, path, "file"), path);
    }
    for (const path of marked) await writeFile(join(source, path, ".nobackup"), "");
    expect((await backUp(args, "--exclude-if-present=.nobackup")).code).toBe(0);
    const { stdout } = await run("find", [".", "-type", "f", "-not", "-path", "./.backup/*"], { cwd: dest });
    expect(stdout.trim().split("\n").toSorted()).toEqual(["./a/starXx/file", "./b/blank/file", "./star/file"]);
  });
});

it("goes on when the connection was lost in the middle, and ends as if it had not been", {
  timeout: 180_000,
}, async () => {
  const source = place();
  await mkdir(source);
  for (let at = 0; at < 60; at++) await writeFile(join(source, `file-${at}`), randomBytes(200_000));
  const name = `tree-${number++}`;
  const args = [source, remote("dest", name), ...hosts.options, "--bwlimit=4000"];
  const { result } = startBackup(["file", ...args, "--json"], hosts.env);
  const dest = placeAt("dest", name);
  const countFiles = async (): Promise<number> => (await readdir(dest).catch(() => [])).length;
  for (let waited = 0; waited < 20_000 && (await countFiles()) < 15; waited += 50) await sleep(50);
  await hosts.dest.cut();
  const { code, stdout, stderr } = await result;
  expect(code, stdout + stderr).toBe(0);
  expect(await differencesOf(source, dest)).toBe("");
  expect((await runBackup(["verify", remote("dest", name), ...hosts.options], hosts.env)).code).toBe(0);
});

it("stops when it is told to, and goes on the next time", async () => {
  const [source, dest] = [place(), place()];
  await mkdir(source);
  for (let at = 0; at < 60; at++) await writeFile(join(source, `file-${at}`), randomBytes(200_000));
  const { child, result } = startBackup(["file", source, dest, "--bwlimit=2000"]);
  const countFiles = async (): Promise<number> => (await readdir(dest).catch(() => [])).length;
  for (let waited = 0; waited < 20_000 && (await countFiles()) < 10; waited += 50) await sleep(50);
  child.kill("SIGINT");
  const stopped = await result;
  expect(stopped.code, stopped.stderr).toBe(130);
  expect(stopped.stderr).toBe(
    "backup: stopped by SIGINT; what was copied is kept, and the next run goes on from there\n",
  );
  const report = reportOf(await backUp([source, dest]));
  expect(report).toMatchObject({ result: "done" });
  expect(report.added).toBeLessThan(60);
  expect(await differencesOf(source, dest)).toBe("");
  expect(await manifestOf(dest)).toHaveLength(60);
});

it("copies to an account that may run rsync and nothing else", async () => {
  const source = place();
  await mkdir(join(source, "one"), { recursive: true });
  for (let at = 0; at < 20; at++) await writeFile(join(source, `one/${at}`), `${at} `.repeat(99));
  const args = [
    source,
    `${restricted.user}@${restricted.host}:tree`,
    `--dstsecret=${restricted.identity}`,
    ...ssh(restricted),
  ];
  expect((await backUp(args)).code).toBe(0);
  const dest = join(restricted.path, "tree");
  expect(await differencesOf(source, dest)).toBe("");
  await rename(join(source, "one"), join(source, "two"));
  await writeFile(join(source, "new"), "1");
  expect((await backUp(args)).code).toBe(0);
  expect(await differencesOf(source, dest)).toBe("");
});

it("copies all but a file that cannot be read, deletes nothing then, and says that something is missing", async () => {
  const [source, dest] = [place(), place()];
  await mkdir(source);
  await writeFile(join(source, "first"), "1");
  await writeFile(join(source, "goes"), "1");
  expect((await backUp([source, dest])).code).toBe(0);
  await rm(join(source, "goes"));
  await writeFile(join(source, "unreadable"), "secret");
  await writeFile(join(source, "second"), "2");
  await chmod(join(source, "unreadable"), 0);
  // Root reads everything: an account that is not.
  await run("chown", ["-R", "nobody", source, dest, home.path]);
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const command = [process.execPath, join(process.cwd(), "packages/cli/bin/backup.js"), "file", source, dest, "--json"];
  const result = await run("setpriv", [...nobody, ...command], {
    env: { PATH: process.env.PATH, HOME: home.path },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr, signal: null }),
    (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => ({
      ...error,
      signal: null,
    }),
  );
  await run("chown", ["-R", "root", source, dest, home.path]);
  expect(result.code, result.stderr).toBe(3);
  expect(reportOf(result)).toMatchObject({ result: "partial", failed: 1, removed: 0, postponed: 1 });
  expect(eventsOf(result).filter(({ type }) => type === "failed")).toMatchObject([
    { message: expect.stringContaining("unreadable") },
  ]);
  expect((await readdir(dest)).toSorted()).toEqual([".backup", "first", "goes", "second"]);
});

it("never follows a symbolic link out of the destination", async () => {
  const [source, dest, outside] = [place(), place(), place()];
  for (const path of [source, outside]) await mkdir(path);
  await writeFile(join(outside, "mine"), "untouched");
  await mkdir(join(source, "a"));
  await writeFile(join(source, "a/moves"), "moves".repeat(100));
  await symlink(outside, join(source, "dir"));
  await backUp([source, dest]);
  // Now the link is a directory at the source, and a file moved into it.
  await rm(join(source, "dir"));
  await mkdir(join(source, "dir"));
  await rename(join(source, "a/moves"), join(source, "dir/moves"));
  await writeFile(join(source, "dir/mine"), "of the source");
  expect((await backUp([source, dest])).code).toBe(0);
  expect(await differencesOf(source, dest)).toBe("");
  expect(await readdir(outside)).toEqual(["mine"]);
  expect(await readFile(join(outside, "mine"), "utf8")).toBe("untouched");
});

it("leaves a directory alone that is none of its own", async () => {
  const [source, dest] = [place(), place()];
  for (const path of [source, dest]) await mkdir(path);
  await writeFile(join(source, "file"), "1");
  await writeFile(join(dest, "precious"), "2");
  const refused = await backUp([source, dest]);
  expect(refused.code).toBe(1);
  expect(errorOf(refused)).toMatchObject({ code: "DESTINATION_OTHER", message: expect.stringContaining("precious") });
  expect(await readFile(join(dest, "precious"), "utf8")).toBe("2");
  // A mirror that rsync made is gone on with, also at the top of a disk.
  await rm(join(dest, "precious"));
  await mkdir(join(dest, "lost+found"));
  await writeFile(join(source, "other"), "2");
  await run("rsync", ["-a", `${source}/`, `${dest}/`]);
  expect(reportOf(await backUp([source, dest]))).toMatchObject({ result: "done", bytes: 0 });
});

const WRONG: readonly (readonly [what: string, args: (at: string) => readonly string[], says: RegExp])[] = [
  ["the source is the destination", (at) => [at, at], /same directory/],
  ["the destination is in the source", (at) => [at, `${at}/sub/backup`], /inside/],
  ["the source is in the destination", (at) => [`${at}/sub`, at], /inside/],
  ["both hosts are to connect", () => ["one:a", "two:b", "--runonsrc", "--runondst"], /exclude each other/],
  ["the source is to connect, and is here", (at) => [at, "two:b", "--runonsrc"], /--runonsrc is for two directories/],
  ["the destination is to connect, and is here", (at) => ["a:b", at, "--runondst"], /--runondst is for two/],
  [
    "one fingerprint is said of two hosts",
    () => ["one:a", "two:b", `--host-key-fingerprint=SHA256:${"A".repeat(43)}`],
    /is of one host/,
  ],
  ["the source is a file", (at) => [`${at}/file`, `${at}-dest`], /no directory/],
  ["the source is empty", (at) => ["", at], /SOURCE is empty/],
  ["a size is none", (at) => [at, `${at}-dest`, "--max-size", "much"], /--max-size takes a size/],
  [
    "an option of rsync is ours to decide",
    (at) => [at, `${at}-dest`, "--", "--delete-excluded"],
    /backup itself decides/,
  ],
  ["a word follows --", (at) => [at, `${at}-dest`, "--", "more"], /is no option/],
  ["a pattern is a negation", (at) => [at, `${at}-dest`, "--exclude", "!x"], /use --include/],
  ["a key is for a source that is here", (at) => [at, `${at}-dest`, "--srcsecret", "/k"], /SOURCE on another host/],
  [
    "a key's file is not there",
    (at) => [`nobody@localhost:x`, `${at}-dest`, "--srcsecret", `${at}/no`],
    /does not exist/,
  ],
];

it.each(WRONG)("refuses it where %s", async (_what, args, says) => {
  const at = place();
  await mkdir(join(at, "sub"), { recursive: true });
  await writeFile(join(at, "file"), "1");
  const result = await runBackup(["file", ...args(at)], { BACKUP_DIR: home.path });
  expect(result.stderr).toMatch(says);
  expect(result.stderr.trim().split("\n")).toHaveLength(1);
  expect(result.code).toBeGreaterThan(0);
  expect((await readdir(at)).toSorted()).toEqual(["file", "sub"]);
});

it("passes what follows -- to rsync", async () => {
  const [source, dest] = [place(), place()];
  await mkdir(source);
  await writeFile(join(source, "file"), "1");
  await chmod(join(source, "file"), 0o644);
  expect((await runBackup(["file", source, dest, "--", "--chmod=F600"])).code).toBe(0);
  expect((await stat(join(dest, "file"))).mode & 0o777).toBe(0o600);
});

function isNoUtf8(path: string): boolean {
  return Buffer.from(path, "latin1").toString().includes("\ufffd");
}

function errorOf(result: Result): unknown {
  const last = eventsOf(result).at(-1);
  return last;
}

async function manifestOf(dest: string): Promise<readonly string[]> {
  const text = gunzipSync(await readFile(join(dest, ".backup/manifest.mtree.gz"))).toString("latin1");
  return text.split("\n").filter((line) => line.startsWith("./"));
}

describe("what was renamed a while after it was made", () => {
  /** Until its inodes count as unchanged since before the next run. */
  const waitUntilOld = (): Promise<unknown> => sleep(2100);

  it("is not looked at a second time, but what is not sure of it", { timeout: 120_000 }, async () => {
    const [source, dest, bin] = [place(), place(), place()];
    const calls = join(bin, "calls");
    await mkdir(bin);
    const wrapper = `#!/bin/sh\necho "$*" >>'${calls}'\nexec /usr/bin/rsync "$@"\n`;
    await writeFile(join(bin, "rsync"), wrapper, { mode: 0o755 });
    const env = { PATH: `${bin}:${process.env.PATH}` };
    const runs = async (): Promise<readonly string[]> => {
      await rm(calls, { force: true });
      const result = await runBackup(["file", source, dest, "--json"], env);
      expect(result.code, result.stdout + result.stderr).toBe(0);
      expect(await differencesOf(source, dest)).toBe("");
      expect(await listedIn(dest)).toEqual(await namesIn(source));
      return (await readFile(calls, "utf8")).split("\n").filter((line) => / --archive /.test(line));
    };
    await mkdir(join(source, "top/one/deep"), { recursive: true });
    for (const name of ["a", "one/b", "one/deep/c"]) await writeFile(join(source, "top", name), `bytes of ${name}`);
    await symlink("nowhere", join(source, "top/one/link"));
    for (const name of ["d", "e"]) await writeFile(join(source, "top/one", name), `bytes of ${name}`);
    await writeFile(join(source, "beside"), "1");
    await waitUntilOld();
    await runs();
    await waitUntilOld();
    await rename(join(source, "top"), join(source, "other"));
    const [compared, looked, ...more] = await runs();
    expect(compared).toContain("--dry-run");
    expect(looked).toContain("--files-from=-");
    expect(more).toEqual([]);

    // Of other attributes, too: a directory, and a file.
    await waitUntilOld();
    await rename(join(source, "other"), join(source, "third"));
    await chmod(join(source, "third/one"), 0o700);
    expect((await runs())[1]).toContain("--files-from=-");
    await waitUntilOld();
    await rename(join(source, "third"), join(source, "fourth"));
    await chmod(join(source, "fourth/one/b"), 0o600);
    await writeFile(join(source, "fourth/new"), "new");
    await writeFile(join(source, "beside"), "edited");
    expect((await runs())[1]).toContain("--files-from=-");
    // Of a directory that nothing seems to have happened in.
    const { mtime } = await stat(source);
    await waitUntilOld();
    await rename(join(source, "fourth"), join(source, "again"));
    await utimes(source, mtime, mtime);
    expect((await runs())[1]).toContain("--files-from=-");
    await rename(join(source, "again"), join(source, "fourth"));
    await runs();
    // Two that are equal but for their mode, exchanged.
    await waitUntilOld();
    await writeFile(join(source, "fourth/x"), "the same", { mode: 0o600 });
    await writeFile(join(source, "fourth/y"), "the same", { mode: 0o644 });
    for (const name of ["x", "y"]) await utimes(join(source, "fourth", name), 1_600_000_000, 1_600_000_000);
    await waitUntilOld();
    await runs();
    await waitUntilOld();
    await mkdir(join(source, "fifth"));
    await rename(join(source, "fourth/x"), join(source, "fifth/y"));
    await rename(join(source, "fourth/y"), join(source, "fifth/x"));
    await runs();
    // A name more of a file that moved.
    await waitUntilOld();
    await rename(join(source, "fourth"), join(source, "sixth"));
    await link(join(source, "sixth/a"), join(source, "again"));
    expect((await runs())[1]).not.toContain("--files-from=-");
  });

  it("is equal after every run, whatever it is", { timeout: 240_000 }, async () => {
    for (let round = 0; round < roundsOf(1); round++) {
      const [source, dest] = [place(), place()];
      await mkdir(source);
      const tree = new RandomTree(source, seededRandom(number * 31 + round));
      tree.grow(60);
      for (let step = 0; step < 6; step++) {
        await waitUntilOld();
        if (step > 0) tree.move(1 + step);
        const result = await backUp([source, dest], "--allow-deletes");
        const where = `round ${round}, step ${step}: ${result.stderr}`;
        expect(result.code, where).toBe(0);
        expect(await differencesOf(source, dest), where).toBe("");
        expect(await listedIn(dest), where).toEqual(await namesIn(source));
      }
      expect((await runBackup(["verify", dest, "--json"])).code).toBe(0);
    }
  });
});
