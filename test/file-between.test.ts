import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Result, eventsOf, reportOf, runBackup, startBackup } from "./support/command.js";
import { seededRandom } from "./support/random.js";
import { listedIn, namesIn } from "./support/manifest-names.js";
import { RandomTree, differencesOf } from "./support/random-tree.js";
import { type TwoHosts, startTwoHosts } from "./support/two-hosts.js";

const run = promisify(execFile);

let hosts: TwoHosts;
beforeAll(async () => {
  hosts = await startTwoHosts();
  await hosts.introduce("source");
  await hosts.introduce("dest");
});
afterAll(async () => await hosts?.[Symbol.asyncDispose]());

interface Places {
  /** As this machine sees them. */
  readonly source: string;
  readonly dest: string;
  /** SOURCE, DEST, and how to reach them. */
  readonly args: readonly string[];
}

let number = 0;
function places(name = `tree-${number++}`, { source, dest, options }: TwoHosts = hosts): Places {
  const args = [`source:${source.remotePath}/${name}`, `dest:${dest.remotePath}/${name}`, ...options];
  return { source: join(source.path, name), dest: join(dest.path, name), args };
}

const backUp = (args: readonly string[], ...more: string[]): Promise<Result> =>
  runBackup(["file", ...args, ...more, "--json"], hosts.env);

const lastOf = (result: Result): unknown => eventsOf(result).at(-1);

async function fill(directory: string, count: number, bytes = 3000): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (let at = 0; at < count; at++) await writeFile(join(directory, `file-${at}`), randomBytes(bytes));
}

const WAYS = [
  { name: "through this machine", by: [] },
  { name: "by the source", by: ["--runonsrc"] },
  { name: "by the destination", by: ["--runondst"] },
] as const;

describe.each(WAYS)("from a host to another one $name", ({ by }) => {
  it("is equal after every run, renames what moved, and is whole", { timeout: 240_000 }, async () => {
    const { source, dest, args } = places();
    await mkdir(source);
    const tree = new RandomTree(source, seededRandom(number * 77));
    tree.grow(50);
    for (const isTame of [true, false]) {
      const result = await backUp(args, ...by, "--allow-deletes");
      expect(result.code, result.stdout + result.stderr).toBe(0);
      expect(await differencesOf(source, dest)).toBe("");
      expect(await listedIn(dest)).toEqual(await namesIn(source));
      tree.change(12, isTame);
    }
    expect((await backUp(args, ...by, "--allow-deletes")).code).toBe(0);
    expect(await differencesOf(source, dest)).toBe("");
    await fill(join(source, "one"), 20);
    await backUp(args, ...by);
    await rename(join(source, "one"), join(source, "two"));
    const dry = await backUp(args, ...by, "--dry-run");
    expect(reportOf(dry)).toMatchObject({ added: 0, moved: 20, removed: 0 });
    expect(reportOf(await backUp(args, ...by))).toMatchObject({ added: 0, moved: 20, removed: 0, bytes: 0 });
    const verified = await runBackup(["verify", args[1] ?? "", ...hosts.options, "--json"], hosts.env);
    expect(verified.code, verified.stdout).toBe(0);
    // Not by having nothing to look at.
    expect(
      await run("sh", ["-c", 'zcat "$0" | grep -c sha256digest=', join(dest, ".backup/manifest.mtree.gz")]),
    ).toMatchObject({
      stdout: expect.stringMatching(/^[3-9]\d\n$/),
    });
  });

  it("keeps history, and comes back to another host, as a whole and in part", { timeout: 240_000 }, async () => {
    const { source, dest, args } = places();
    await fill(join(source, "one"), 5);
    expect((await backUp(args, ...by, "--hist", "--histdate=2026-11-01")).code).toBe(0);
    await rename(join(source, "one"), join(source, "two"));
    await writeFile(join(source, "new"), "new");
    const second = await backUp(args, ...by, "--hist", "--histdate=2026-11-02");
    expect(reportOf(second)).toMatchObject({ added: 1, moved: 5, bytes: 3 });
    expect(await differencesOf(source, join(dest, "2026/11/02"))).toBe("");
    const inode = async (path: string): Promise<number> => (await stat(join(dest, path))).ino;
    expect(await inode("2026/11/02/two/file-1")).toBe(await inode("2026/11/01/one/file-1"));

    const target = places();
    const back = (...more: string[]): Promise<Result> => {
      const ends = [args[1] ?? "", target.args[0] ?? ""];
      return runBackup(["restore", "file", ...ends, ...hosts.options, ...by, "--json", ...more], hosts.env);
    };
    const restored = await back();
    expect(restored.code, restored.stdout + restored.stderr).toBe(0);
    expect(await differencesOf(source, target.source)).toBe("");
    expect((await back("--snapshot=2026-11-01", "--path=one/file-3")).code).toBe(0);
    expect(await readFile(join(target.source, "file-3"))).toEqual(await readFile(join(source, "two/file-3")));
    const inside = [args[1] ?? "", `dest:${hosts.dest.remotePath}/${dest.split("/").at(-1)}/2026/11/01/sub`];
    const refused = await runBackup(["restore", "file", ...inside, ...hosts.options, "--json"], hosts.env);
    expect(lastOf(refused)).toMatchObject({ code: "USAGE", message: expect.stringContaining("only runs write to") });
  });

  it("takes directories of any name", { timeout: 120_000 }, async () => {
    const { source, dest, args } = places('-it\'s $(a) `dir` *[x]? \\ ~ "é" ; #1');
    await fill(join(source, "sub"), 3);
    await writeFile(join(source, "sub/.nobackup"), "");
    await fill(join(source, "other"), 3);
    const result = await backUp(args, ...by, "--exclude-if-present=.nobackup", "--exclude=file-1");
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect((await readdir(join(dest, "other"))).toSorted()).toEqual(["file-0", "file-2"]);
    expect((await readdir(dest)).toSorted()).toEqual([".backup", "other"]);
    await rm(source, { recursive: true });
    await rm(dest, { recursive: true });
  });

  it("leaves nothing running that could write when it is killed", { timeout: 120_000 }, async () => {
    const { source, dest, args } = places();
    await fill(source, 60, 200_000);
    const { child, result } = startBackup(["file", ...args, ...by, "--bwlimit=2000"], hosts.env);
    await until(async () => (await readdir(dest).catch(() => [])).length > 10);
    expect(await transfersOf(source, dest)).not.toEqual([]);
    child.kill("SIGKILL");
    await result;
    await until(async () => (await transfersOf(source, dest)).length === 0);
    expect((await readdir(dest)).length).toBeLessThan(60);
    const next = await backUp(args, ...by);
    expect(next.code, next.stdout + next.stderr).toBe(0);
    expect(await differencesOf(source, dest)).toBe("");
  });
});

describe("through this machine", () => {
  it.each(["source", "dest"] as const)(
    "goes on when the connection to the %s was lost",
    { timeout: 120_000 },
    async (end) => {
      const { source, dest, args } = places();
      await fill(source, 60, 200_000);
      const { result } = startBackup(["file", ...args, "--bwlimit=4000", "--json"], hosts.env);
      await until(async () => (await readdir(dest).catch(() => [])).length > 15);
      await hosts[end].cut();
      const { code, stdout, stderr } = await result;
      expect(code, stdout + stderr).toBe(0);
      expect(await differencesOf(source, dest)).toBe("");
    },
  );

  it("stops when it is told to", { timeout: 120_000 }, async () => {
    const { source, dest, args } = places();
    await fill(source, 60, 200_000);
    const { child, result } = startBackup(["file", ...args, "--bwlimit=2000"], hosts.env);
    await until(async () => (await readdir(dest).catch(() => [])).length > 10);
    child.kill("SIGINT");
    const { code, stderr } = await result;
    expect(code).toBe(130);
    expect(stderr).toBe("backup: stopped by SIGINT; what was copied is kept, and the next run goes on from there\n");
    await until(async () => (await transfersOf(source, dest)).length === 0);
  });

  it("needs no more of the source than the right to read it by rsync", { timeout: 120_000 }, async () => {
    await using strict = await startTwoHosts({ source: { keyCommand: (at) => `/usr/bin/rrsync -ro '${at}'` } });
    const { source, dest } = places("tree", strict);
    await fill(join(source, "one"), 10);
    const args = ["source:tree", `dest:${strict.dest.remotePath}/tree`, ...strict.options];
    const back = (): Promise<Result> => runBackup(["file", ...args, "--json"], strict.env);
    const first = await back();
    expect(first.code, first.stdout + first.stderr).toBe(0);
    await rename(join(source, "one"), join(source, "two"));
    expect((await back()).code).toBe(0);
    expect(await differencesOf(source, dest)).toBe("");
  });

  it("waits for a destination that is slower", { timeout: 120_000 }, async () => {
    await using slow = await startTwoHosts();
    // Those that rsync(1) runs there beside itself: the one that writes, and what it takes for ssh(1).
    const pause = "for s in STOP CONT; do pkill -$s -x -P $p rsync; kill -$s $p; sleep 0.2; done";
    const script = `/usr/bin/rsync "$@" <&0 & p=$!; while kill -0 $p; do ${pause}; done 2>/dev/null; wait $p`;
    await slow.putProgram("dest", "rsync", `case "$1" in --rsh=*) ${script};; *) exec /usr/bin/rsync "$@";; esac`);
    const { source, dest, args } = places("tree", slow);
    await fill(source, 4, 8 * 1024 * 1024);
    const result = await runBackup(["file", ...args, "--json"], slow.env);
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect(reportOf(result)).toMatchObject({ added: 4, bytes: 4 * 8 * 1024 * 1024 });
    expect(await differencesOf(source, dest)).toBe("");
  });

  describe("does nothing at the source that was not meant", () => {
    afterEach(() => hosts.putProgram("dest", "rsync", 'exec /usr/bin/rsync "$@"'));

    const say = (words: string): string =>
      `case "$*" in *--server*) exec /usr/bin/rsync "$@" ;; esac\n${words} >&4\nsleep 1\nexit 1`;
    it.each([
      ["another command", (hacked: string) => say(`printf '5\\nthere\\0touch\\0${hacked}\\0.\\0./\\0'`)],
      ["one more option", () => `exec /usr/bin/rsync --remove-source-files "$@"`],
      ["one more directory", () => `exec /usr/bin/rsync -M--files-from=/etc/passwd "$@"`],
      ["no command", () => say("echo welcome")],
    ])("but asked for: %s", { timeout: 60_000 }, async (_what, script) => {
      const { source, args } = places();
      await fill(source, 3);
      const hacked = join(hosts.source.path, "hacked");
      await hosts.putProgram("dest", "rsync", script(hacked));
      const result = await backUp(args);
      expect(result.code).toBe(1);
      expect(lastOf(result)).toMatchObject({ code: "PROTOCOL" });
      await expect(stat(hacked)).rejects.toThrow("ENOENT");
      expect(await readdir(source)).toHaveLength(3);
    });
  });
});

describe("says in one line", () => {
  const failing = async (
    where: TwoHosts,
    {
      more = [],
      args = places("tree", where).args,
    }: { readonly more?: readonly string[]; readonly args?: readonly string[] },
  ): Promise<string> => {
    await fill(join(where.source.path, "tree"), 3);
    const { code, stdout, stderr } = await runBackup(["file", ...args, ...more], where.env);
    expect(code, stdout).toBeGreaterThan(0);
    expect(stderr.trim().split("\n"), stderr).toHaveLength(1);
    return stderr;
  };

  it("what is missing at a host", { timeout: 120_000 }, async () => {
    await using bare = await startTwoHosts();
    expect(await failing(bare, { more: ["--runondst"] })).toMatch(/dest does not know the host|dest knows no host/);
    await bare.introduce("dest", { isKnown: false });
    expect(await failing(bare, { more: ["--runondst"] })).toContain(
      "dest does not know the host key that source shows",
    );
    await bare.introduce("source", { isKnown: false });
    expect(await failing(bare, { more: ["--runonsrc"] })).toContain(
      "source does not know the host key that dest shows",
    );
    await bare.introduce("dest", { withKey: false });
    expect(await failing(bare, { more: ["--runondst"] })).toContain("source refused the login of dest");
    await bare.putProgram("source", "rsync", "echo 'sh: rsync: not found' >&2; exit 127");
    expect(await failing(bare, { more: ["--runonsrc"] })).toMatch(
      /--runonsrc and --runondst take rsync at both hosts and here; .* by SFTP: source has no rsync.*there\n$/,
    );
    await bare.putProgram("source", "rsync", 'exec /usr/bin/rsync "$@"');
    await bare.putProgram("dest", "rsync", "echo 'sh: rsync: not found' >&2; exit 127");
    expect(await failing(bare, { more: ["--runondst"] })).toMatch(/take rsync at both hosts and here; .* dest:/);
    expect(await failing(bare, { more: ["--runondst", "--transport=sftp"] })).toContain(
      "with --runondst rsync copies; leave that out, or --transport sftp",
    );
  });

  it("that a host has no ssh, which is to reach the other", { timeout: 60_000 }, async () => {
    await using bare = await startTwoHosts();
    await bare.hideProgram("dest", "ssh");
    expect(await failing(bare, { more: ["--runondst"] })).toContain("dest has no ssh that could reach source");
  });

  it("that the destination runs no command", { timeout: 120_000 }, async () => {
    await using strict = await startTwoHosts({ dest: { keyCommand: (at) => `/usr/bin/rrsync -no-lock '${at}'` } });
    const args = [places("tree", strict).args[0] ?? "", "dest:tree", ...strict.options];
    expect(await failing(strict, { args })).toContain("dest runs no command for this account");
  });

  it("that the two are in one another", { timeout: 60_000 }, async () => {
    // Both names are of this machine.
    const tree = `${hosts.source.remotePath}/tree`;
    const [one, other] = [`source:${tree}`, `dest:${tree}`];
    expect(await failing(hosts, { args: [one, other, ...hosts.options] })).toContain("the same directory");
    expect(await failing(hosts, { args: [one, `${other}/not/yet`, ...hosts.options] })).toMatch(
      /DEST .* is inside of SOURCE/,
    );
    await mkdir(`${tree}/sub`);
    expect(await failing(hosts, { args: [`${one}/sub`, other, ...hosts.options] })).toMatch(
      /SOURCE .* is inside of DEST/,
    );
    expect((await readdir(tree)).toSorted()).toEqual(["file-0", "file-1", "file-2", "sub"]);
  });
});

it("takes a key for each of the two, and the hosts of a plan", { timeout: 120_000 }, async () => {
  const { source, dest, args } = places();
  await fill(source, 3);
  const keys = [`--srcsecret=${hosts.source.identity}`, `--dstsecret=${hosts.dest.identity}`];
  const env = { ...hosts.env, BACKUP_DIR: hosts.source.directory };
  expect((await runBackup(["file", ...args, ...keys], env)).code).toBe(0);
  expect(await differencesOf(source, dest)).toBe("");
  const exchanged = [`--srcsecret=${hosts.dest.identity}`, `--dstsecret=${hosts.source.identity}`];
  expect((await runBackup(["file", ...args, ...exchanged], env)).code).toBe(1);
  const plan = join(hosts.source.directory, "plan.yaml");
  await writeFile(join(source, "more"), "1");
  const [from, to, ...options] = args;
  const given = options.map((option) => option.replace(/^--([^=]+)=(.*)$/, "    $1: $2"));
  const action = [`  - type: file`, `    source: ${from}`, `    destination: ${to}`, `    runondst: true`, ...given];
  await writeFile(plan, `actions:\n${action.join("\n")}\n`);
  const planned = await runBackup(["run", plan], hosts.env);
  expect(planned.code, planned.stderr + planned.stdout).toBe(0);
  expect(await differencesOf(source, dest)).toBe("");
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("it did not come to that");
    await sleep(50);
  }
}

/** Processes that run rsync(1) for one of these directories. */
async function transfersOf(...directories: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run("ps", ["-eo", "args"], { maxBuffer: 16 * 1024 * 1024 });
  const lines = stdout.split("\n").filter((line) => /^(?:\S*\/)?rsync /.test(line));
  return lines.filter((line) => directories.some((directory) => line.includes(directory)));
}
