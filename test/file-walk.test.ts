import { execFile } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import {
  appendFile,
  chmod,
  link,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Result, eventsOf, reportOf, runBackup, startBackup } from "./support/command.js";
import { seededRandom } from "./support/random.js";
import { listedIn, namesIn } from "./support/manifest-names.js";
import { RandomTree, differencesOf } from "./support/random-tree.js";
import { roundsOf } from "./support/rounds.js";
import { type Sshd, startSshd } from "./support/sshd.js";
import { type TwoHosts, startTwoHosts } from "./support/two-hosts.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const run = promisify(execFile);

/** What a walk carries: all but owners, and several names of one file. */
const CARRIED = ["-rlpt"];

let home: TemporaryDirectory;
/** Where there is no rsync, and where there is no ssh either. */
let env: NodeJS.ProcessEnv;
let bare: NodeJS.ProcessEnv;
let sshd: Sshd;
let jailed: Sshd;
/** Where there is no rsync, and where there is SFTP and nothing else. */
let bareHosts: TwoHosts;
let jailedHosts: TwoHosts;
beforeAll(async () => {
  home = await temporaryDirectory();
  const bin = join(home.path, "bin");
  await mkdir(bin);
  for (const program of ["ssh", "sync", "sh"]) await symlink(`/usr/bin/${program}`, join(bin, program));
  env = { PATH: bin };
  bare = { PATH: join(home.path, "none") };
  [sshd, jailed] = await Promise.all([startSshd({ withoutRsync: true }), startSshd({ account: "chroot" })]);
  bareHosts = await startTwoHosts();
  for (const host of ["source", "dest"] as const) await bareHosts.hideProgram(host, "rsync");
  jailedHosts = await startTwoHosts({ source: { account: "chroot" }, dest: { account: "chroot" } });
});
afterAll(async () => {
  await bareHosts?.[Symbol.asyncDispose]();
  await jailedHosts?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
  await jailed?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

let number = 0;
const place = (): string => join(home.path, `place-${number++}`);

interface Opened {
  readonly source: string;
  readonly dest: string;
  readonly args: readonly string[];
  /** How the backup is named for what looks at it. */
  readonly at: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

const ssh = (server: Sshd): readonly string[] => [`--ssh-port=${server.port}`, `--known-hosts=${server.knownHosts}`];
const remote = (server: Sshd, name: string): string => `${server.user}@${server.host}:${server.remotePath}/${name}`;

const openHere = (): Opened => {
  const [source, dest] = [place(), place()];
  return { source, dest, args: [source, dest], at: [dest], env };
};

const openThere = (server: Sshd, own: NodeJS.ProcessEnv = {}): Opened => {
  const [source, name] = [place(), `tree-${number++}`];
  const at = [remote(server, name), `--dstsecret=${server.identity}`, ...ssh(server)];
  return { source, dest: join(server.path, name), args: [source, ...at], at, env: own };
};

const openFrom = (server: Sshd, own: NodeJS.ProcessEnv = {}): Opened => {
  const [dest, name] = [place(), `tree-${number++}`];
  const args = [remote(server, name), dest, `--srcsecret=${server.identity}`, ...ssh(server)];
  return { source: join(server.path, name), dest, args, at: [dest], env: own };
};

const openBetween = ({ source, dest, options, env: own }: TwoHosts): Opened => {
  const name = `tree-${number++}`;
  const at = [`dest:${dest.remotePath}/${name}`, ...options];
  const args = [`source:${source.remotePath}/${name}`, ...at];
  return { source: join(source.path, name), dest: join(dest.path, name), args, at, env: own };
};

const WAYS = [
  { name: "here to here, where there is no rsync", isText: false, open: openHere },
  { name: "here to a host that has no rsync", isText: true, open: () => openThere(sshd) },
  { name: "a host that has no rsync to here", isText: true, open: () => openFrom(sshd) },
  { name: "a host that has no rsync to another one", isText: true, open: () => openBetween(bareHosts) },
  { name: "an account that has SFTP alone to another one", isText: true, open: () => openBetween(jailedHosts) },
] as const;

const backUp = ({ args, env: own }: Pick<Opened, "args" | "env">, ...more: string[]): Promise<Result> =>
  runBackup(["file", ...args, ...more, "--json"], own);

const codesOf = (result: Result): readonly string[] =>
  eventsOf(result).flatMap((event) => ("code" in event && typeof event.code === "string" ? [event.code] : []));

describe.each(WAYS)("$name", ({ open, isText }) => {
  it("is equal after every run, whatever changed, says which way it goes, and can be verified", {
    timeout: 240_000,
  }, async () => {
    for (let round = 0; round < roundsOf(2); round++) {
      const opened = open();
      const { source, dest, at } = opened;
      await mkdir(source, { recursive: true });
      const tree = new RandomTree(source, seededRandom(number * 1000 + round), { isText });
      tree.grow(60);
      for (let step = 0; step < 4; step++) {
        if (step > 0) tree.change(12, step < 3);
        const result = await backUp(opened, "--allow-deletes");
        const where = `round ${round}, step ${step}: ${result.stderr}${result.stdout}`;
        expect(result.code, where).toBe(0);
        expect(await differencesOf(source, dest, CARRIED), where).toBe("");
        expect(await listedIn(dest), where).toEqual(await namesIn(source));
        const ways = eventsOf(result).filter(({ type }) => type === "transport");
        expect(ways[0], where).toMatchObject({ transport: "sftp", message: /compared and copied by backup itself/ });
        const again = await backUp(opened);
        expect(reportOf(again), where).toMatchObject({ result: "done", added: 0, moved: 0, removed: 0, bytes: 0 });
      }
      const verified = await runBackup(["verify", ...at, "--json"], opened.env);
      expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    }
  });

  it("holds in every snapshot what the source was then, and shares what did not change", {
    timeout: 240_000,
  }, async () => {
    const opened = open();
    const { source, dest } = opened;
    const dayIn = (day: number): string => join(dest, `2026/11/0${day}`);
    await mkdir(join(source, "quiet"), { recursive: true });
    await writeFile(join(source, "quiet/same"), "same");
    await writeFile(join(source, "mode"), "mode");
    const tree = new RandomTree(source, seededRandom(number), { isText });
    tree.grow(40);
    const kept = new Map<number, string>();
    for (let day = 1; day <= 3; day++) {
      if (day === 2) await chmod(join(source, "mode"), 0o600);
      if (day > 1) tree.change(12, day < 3);
      await mkdir(join(source, "quiet"), { recursive: true });
      // Of another size each day: days here may be of the same second.
      await writeFile(join(source, "quiet/new"), "new".repeat(day));
      const result = await backUp(opened, "--hist", `--histdate=2026-11-0${day}`, "--allow-deletes");
      expect(result.code, `day ${day}: ${result.stderr}${result.stdout}`).toBe(0);
      expect(await listedIn(dayIn(day)), `day ${day}`).toEqual(await namesIn(source));
      const copy = place();
      await run("cp", ["-a", source, copy]);
      kept.set(day, copy);
      for (const [each, before] of kept)
        expect(await differencesOf(before, dayIn(each), CARRIED), `day ${each} after day ${day}`).toBe("");
    }
    expect((await readdir(join(dest, "2026/11"))).toSorted()).toEqual(["01", "02", "03"]);
    expect(await readdir(join(dest, ".backup/tmp"))).toEqual([]);
  });

  it("comes back, in part too, and replaces nothing unless it is to", { timeout: 120_000 }, async () => {
    const opened = open();
    const { source, at } = opened;
    await mkdir(join(source, "docs/old"), { recursive: true });
    new RandomTree(source, seededRandom(number), { isText }).grow(30);
    await writeFile(join(source, "docs/letter"), "as it was");
    await writeFile(join(source, "docs/old/first"), "1");
    expect((await backUp(opened)).code).toBe(0);
    const restore = (...args: string[]): Promise<Result> =>
      runBackup(["restore", "file", ...at.slice(0, 1), ...args, ...at.slice(1), "--json"], opened.env);
    const target = join(place(), "deep/er");
    const dry = await restore(target, "--dry-run", "--transport=sftp");
    expect(dry.code, dry.stderr).toBe(0);
    await expect(stat(target)).rejects.toThrow("ENOENT");
    const whole = await restore(target, "--transport=sftp");
    expect(whole.code, whole.stdout + whole.stderr).toBe(0);
    expect(await differencesOf(source, target, CARRIED)).toBe("");
    expect(await readdir(target)).not.toContain(".backup");
    const part = place();
    await mkdir(part);
    await writeFile(join(part, "letter"), "changed");
    await writeFile(join(part, "mine"), "stays");
    expect((await restore(part, "--path=docs/old", "--transport=sftp")).code).toBe(0);
    expect((await restore(part, "--path=docs/letter", "--transport=sftp")).code).toBe(0);
    expect(await readFile(join(part, "letter"), "utf8")).toBe("changed");
    expect((await restore(part, "--path=docs/letter", "--overwrite", "--transport=sftp")).code).toBe(0);
    expect(await readFile(join(part, "letter"), "utf8")).toBe("as it was");
    expect((await readdir(part)).toSorted()).toEqual(["letter", "mine", "old"]);
    expect(codesOf(await restore(part, "--path=docs/none", "--transport=sftp"))).toContain("NOT_FOUND");
  });
});

it.each([
  { name: "to an account that has SFTP and nothing else", open: () => openThere(jailed) },
  { name: "from an account that has SFTP and nothing else", open: () => openFrom(jailed) },
  { name: "to a host, from where there is no ssh", open: () => openThere(jailed, bare) },
  { name: "from a host, to where there is no ssh", open: () => openFrom(jailed, bare) },
])("copies $name", { timeout: 120_000 }, async ({ open }) => {
  const opened = open();
  const { source, dest } = opened;
  await mkdir(source, { recursive: true });
  new RandomTree(source, seededRandom(number), { isText: true }).grow(40);
  const result = await backUp(opened);
  expect(result.code, result.stdout + result.stderr).toBe(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
});

describe.each([
  { name: "hosts that have no rsync", hosts: () => bareHosts },
  { name: "accounts that have SFTP alone", hosts: () => jailedHosts },
])("between two $name", ({ hosts }) => {
  it("renames what moved, shares it in snapshots, and brings it to another host", { timeout: 120_000 }, async () => {
    const opened = openBetween(hosts());
    const { source, dest, at } = opened;
    await mkdir(join(source, "one"), { recursive: true });
    for (let file = 0; file < 20; file++) await writeFile(join(source, "one", `file-${file}`), `${file}`.repeat(3000));
    expect((await backUp(opened)).code).toBe(0);
    await rename(join(source, "one"), join(source, "two"));
    expect(reportOf(await backUp(opened, "--dry-run"))).toMatchObject({ added: 0, moved: 20, removed: 0 });
    expect(reportOf(await backUp(opened))).toMatchObject({ result: "done", added: 0, moved: 20, removed: 0, bytes: 0 });
    expect(await differencesOf(source, dest, CARRIED)).toBe("");
    const listed = await run("zcat", [join(dest, ".backup/manifest.mtree.gz")]);
    expect(listed.stdout.match(/sha256digest=/g)).toHaveLength(20);

    const kept = openBetween(hosts());
    const history = { ...kept, source, args: [opened.args[0] ?? "", ...kept.args.slice(1)] };
    expect((await backUp(history, "--hist", "--histdate=2026-11-01")).code).toBe(0);
    await rename(join(source, "two"), join(source, "three"));
    const second = await backUp(history, "--hist", "--histdate=2026-11-02");
    expect(reportOf(second)).toMatchObject({ result: "done", added: 0, moved: 20, bytes: 0 });
    const inode = async (path: string): Promise<number> => (await stat(join(kept.dest, "2026/11", path))).ino;
    expect(await inode("02/three/file-1")).toBe(await inode("01/two/file-1"));

    const target = openBetween(hosts());
    const ends = [at[0] ?? "", target.args[0] ?? ""];
    const back = (...more: string[]): Promise<Result> =>
      runBackup(["restore", "file", ...ends, ...at.slice(1), ...more, "--json"], opened.env);
    const restored = await back();
    expect(restored.code, restored.stdout + restored.stderr).toBe(0);
    expect(await differencesOf(dest, target.source, [...CARRIED, "--exclude=/.backup"])).toBe("");
    ends[1] = `${at[0]}/sub`;
    const inside = await back();
    expect(inside.code).toBe(2);
    expect(codesOf(inside)).toEqual(["USAGE"]);
  });

  it.each(["source", "dest"] as const)(
    "goes on when the connection to the %s was lost",
    {
      timeout: 60_000,
    },
    async (end) => {
      const opened = openBetween(hosts());
      const { source, dest, args, env: own } = opened;
      await mkdir(source, { recursive: true });
      for (let at = 0; at < 300; at++) await writeFile(join(source, `file-${at}`), Buffer.alloc(300_000, `${at} `));
      const { result } = startBackup(["file", ...args, "--json"], own);
      const countFiles = async (): Promise<number> => (await readdir(dest).catch(() => [])).length;
      for (let waited = 0; waited < 30_000 && (await countFiles()) < 20; waited += 5) await sleep(5);
      await hosts()[end].cut();
      expect(await countFiles()).toBeLessThan(300);
      const ended = await result;
      expect(ended.code, ended.stdout + ended.stderr).toBe(0);
      expect(codesOf(ended)).toContain("RECONNECTING");
      expect(await differencesOf(source, dest, CARRIED)).toBe("");
    },
  );

  it("refuses one in another", { timeout: 60_000 }, async () => {
    const opened = openBetween(hosts());
    const { source, args, env: own } = opened;
    await mkdir(join(source, "sub/deep"), { recursive: true });
    await writeFile(join(source, "sub/deep/file"), "1");
    const [from = "", , ...options] = args;
    const failing = async (one: string, other: string, ...more: string[]): Promise<string> => {
      const { code, stderr } = await runBackup(["file", one, other, ...options, ...more], own);
      expect(code, stderr).toBe(2);
      expect(stderr.trim().split("\n").at(-1)).toMatch(/^backup: /);
      return stderr;
    };
    expect(await failing(from, from)).toMatch(/same directory/);
    expect(await failing(from, `${from}/sub/new`)).toMatch(/DEST .*is inside of SOURCE/);
    expect(await failing(from, `${from}/hist`, "--hist")).toMatch(/DEST .*is inside of SOURCE/);
    expect(await failing(`${from}/sub/deep`, from)).toMatch(/SOURCE .*is (inside of|in) DEST/);
    expect(await readFile(join(source, "sub/deep/file"), "utf8")).toBe("1");
    const { stdout } = await run("find", [source, "-type", "f", "-not", "-path", "*/.backup/*"]);
    expect(stdout).toBe(`${source}/sub/deep/file\n`);
  });
});

it("says once what it cannot carry of what there is, and how much of it", async () => {
  const opened = openHere();
  const { source, dest } = opened;
  await mkdir(source);
  await writeFile(join(source, "plain"), "1");
  expect(codesOf(await backUp(opened))).not.toContain("ATTRIBUTES_LEFT_OUT");
  await link(join(source, "plain"), join(source, "again"));
  await writeFile(join(source, "owned"), "2");
  await run("chown", ["65534:65534", join(source, "owned")]);
  await writeFile(join(source, "holes"), "");
  await truncate(join(source, "holes"), 1_000_000);
  await run("mkfifo", [join(source, "pipe")]);
  const result = await backUp(opened);
  expect(result.code, result.stderr).toBe(0);
  const said = eventsOf(result).filter((event) => event.type === "warning" && event.code === "ATTRIBUTES_LEFT_OUT");
  expect(said).toHaveLength(1);
  expect(said[0]).toMatchObject({
    message:
      "without rsync this is not carried: the owner and group of 1 entry that belongs to others than the top does; " +
      "2 names of files that have several (hard links), each of which becomes a file of its own; " +
      "the holes of 1 file, which take room; 1 device, socket or pipe",
  });
  expect((await readdir(dest)).toSorted()).toEqual([".backup", "again", "holes", "owned", "plain"]);
});

it("names what has no name that SFTP can say, copies all else, and deletes nothing then", async () => {
  const opened = openThere(sshd);
  const { source, dest } = opened;
  await mkdir(source);
  await writeFile(join(source, "goes"), "1");
  expect((await backUp(opened)).code).toBe(0);
  await rm(join(source, "goes"));
  await writeFile(Buffer.from(`${source}/inv\xff`, "latin1"), "2");
  await writeFile(join(source, "nl\nname"), "3");
  const result = await backUp(opened);
  expect(result.code).toBe(3);
  expect(eventsOf(result).filter(({ type }) => type === "failed")).toMatchObject([{ message: /no UTF-8/ }]);
  expect((await readdir(dest)).toSorted()).toEqual([".backup", "goes", "nl\nname"]);
});

it("works in directories that may not be written, as whoever owns them, and names what may not be read", async () => {
  const { source, dest } = openHere();
  await mkdir(join(source, "fixed/deep"), { recursive: true });
  for (const path of ["fixed/stays", "fixed/goes", "fixed/deep/goes", "later"])
    await writeFile(join(source, path), path);
  const open = (mode: number): Promise<unknown> =>
    Promise.all(["fixed", "fixed/deep"].map((path) => chmod(join(source, path), mode).catch(() => undefined)));
  await open(0o555);
  await mkdir(dest);
  await run("chown", ["-R", "nobody", source, dest]);
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath];
  const command = [
    join(process.cwd(), "packages/cli/bin/backup.js"),
    "file",
    source,
    dest,
    "--transport=sftp",
    "--json",
  ];
  const asNobody = (): Promise<{ readonly code: number; readonly stdout: string }> =>
    run("setpriv", [...nobody, ...command], { env: { PATH: process.env.PATH, HOME: home.path } }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { readonly code: number; readonly stdout: string }) => error,
    );
  const expectEnd = async (code: number): Promise<void> => {
    const result = await asNobody();
    expect(result.code, result.stdout).toBe(code);
  };
  await chmod(home.path, 0o755);
  await expectEnd(0);
  await open(0o755);
  await rm(join(source, "fixed/goes"));
  await rm(join(source, "fixed/deep"), { recursive: true });
  await writeFile(join(source, "fixed/new"), "new");
  await chmod(join(source, "later"), 0);
  await run("chown", ["-R", "nobody", source]);
  await open(0o555);
  // Only its mode is to be sent.
  await expectEnd(0);
  await appendFile(join(source, "later"), "more");
  await expectEnd(3);
  await chmod(join(source, "later"), 0o644);
  await expectEnd(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
  expect((await readdir(join(dest, "fixed"))).toSorted()).toEqual(["new", "stays"]);

  // A directory of the same mode and time, with something else in it.
  const { mtime } = await stat(join(source, "fixed"));
  await writeFile(join(source, "fixed/newer"), "newer");
  await rm(join(source, "fixed/new"));
  await run("chown", ["-R", "nobody", source]);
  await utimes(join(source, "fixed"), mtime, mtime);
  await expectEnd(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
  // Something of another kind.
  await rm(join(source, "fixed/stays"));
  await mkdir(join(source, "fixed/stays"));
  await run("chown", ["-R", "nobody", source]);
  await utimes(join(source, "fixed"), mtime, mtime);
  await expectEnd(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
  // Closed at the destination alone.
  await open(0o755);
  await rm(join(source, "fixed/newer"));
  await utimes(join(source, "fixed"), mtime, mtime);
  await expectEnd(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
});

const PATTERNS: readonly (readonly string[])[] = [
  ["--exclude=*.log", "--include=keep.log"],
  ["--exclude=/cache/", "--exclude=b/c"],
  ["--exclude=cache", "--exclude=a/*/d"],
  ["--exclude=**/deep/x?", "--exclude=[ab].txt"],
  ["--exclude=a/**", "--include=a/b"],
  ["--exclude=**/c/", "--exclude=sub/**/x1"],
  ["--exclude=/*", "--include=/a/"],
  ["--exclude=blank ", "--exclude=\\*star", "--exclude=früh*"],
  ["--exclude=a/b/", "--include=/a/b/c"],
];

it.each(PATTERNS)("leaves out what rsync leaves out: %s %s %s", { timeout: 60_000 }, async (...patterns) => {
  const given = patterns.filter((pattern) => pattern !== undefined);
  const source = place();
  for (const path of [
    "cache/x cache2 sub/cache/y sub/cache2 a/b/c a/b/d a/x/d b/c/z c/b/c keep.log drop.log sub/drop.log sub/keep.log",
    "deep/x1 sub/deep/x2 sub/deep/xyz a.txt sub/b.txt c.txt A.txt sub/x1 sub/a/x1 sub/a/b/x1 *star xstar früh a/früher",
    "sub/c x/sub/x1",
  ]
    .join(" ")
    .split(" ")
    .concat("blank ", "blank")) {
    await mkdir(join(source, path, ".."), { recursive: true });
    await writeFile(join(source, path), path);
  }
  const listing = async (...more: string[]): Promise<readonly string[]> => {
    const dest = place();
    const result = await runBackup(["file", source, dest, ...given, ...more]);
    expect(result.code, result.stderr).toBe(0);
    const { stdout } = await run("find", [".", "-mindepth", "1", "-not", "-path", "./.backup*"], { cwd: dest });
    return stdout.trimEnd().split("\n").toSorted();
  };
  expect(await listing("--transport=sftp")).toEqual(await listing("--transport=rsync"));
});

it("does as rsync does with sizes, marks and comparison by size alone", { timeout: 60_000 }, async () => {
  const source = place();
  await mkdir(join(source, "marked/sub"), { recursive: true });
  await writeFile(join(source, "marked/.nobackup"), "");
  await writeFile(join(source, "marked/sub/file"), "1");
  for (const [name, size] of Object.entries({ small: 10, middle: 1500, large: 1_100_000 }))
    await writeFile(join(source, name), Buffer.alloc(size));
  const listings: unknown[] = [];
  for (const transport of ["sftp", "rsync"]) {
    const dest = place();
    const back = (...more: string[]): Promise<Result> =>
      runBackup([
        "file",
        source,
        dest,
        `--transport=${transport}`,
        "--exclude-if-present=.nobackup",
        "--json",
        ...more,
      ]);
    const first = await back("--max-size=1mb", "--min-size=1k");
    expect(first.code, first.stderr).toBe(0);
    const names = await readdir(dest);
    await back();
    // Of a time that is another one, and as long as before.
    await writeFile(join(source, "small"), Buffer.alloc(10, transport));
    await utimes(join(source, "small"), 1_600_000_000, 1_600_000_000);
    const { add } = eventsOf(await back("--inet", "--dry-run")).find((event) => event.type === "plan") as {
      add: number;
    };
    listings.push([names.toSorted(), (await readdir(dest)).toSorted(), add]);
  }
  expect(listings[0]).toEqual([[".backup", "middle"], [".backup", "large", "middle", "small"], 0]);
  expect(listings[1]).toEqual(listings[0]);
});

it.each([
  { name: "here", open: openHere },
  { name: "on a host", open: () => openFrom(sshd) },
])(
  "reads a file again that changes while it is read $name, and names one that goes on changing",
  {
    timeout: 60_000,
  },
  async ({ open }) => {
    const opened = open();
    const { source, dest } = opened;
    await mkdir(source);
    await writeFile(join(source, "still"), "1");
    writeFileSync(join(source, "log"), Buffer.alloc(200_000_000));
    const timer = setInterval(() => appendFileSync(join(source, "log"), "more"), 5);
    const result = await backUp(opened).finally(() => clearInterval(timer));
    expect(result.code, result.stdout).toBe(0);
    expect(codesOf(result)).toContain("ITEM_CHANGING");
    expect(await readFile(join(dest, "still"), "utf8")).toBe("1");
    await appendFile(join(source, "log"), "last");
    expect(codesOf(await backUp(opened))).not.toContain("ITEM_CHANGING");
    expect(await differencesOf(source, dest, CARRIED)).toBe("");
  },
);

it("lists a file that changed while it was read as it came in the end", { timeout: 60_000 }, async () => {
  const opened = openFrom(sshd);
  const { source, at, env: own } = opened;
  await mkdir(source);
  writeFileSync(join(source, "log"), Buffer.alloc(50_000_000));
  const timer = setInterval(() => appendFileSync(join(source, "log"), "more"), 5);
  const result = await backUp(opened).finally(() => clearInterval(timer));
  expect(codesOf(result), result.stdout).toContain("ITEM_CHANGING");
  const verified = await runBackup(["verify", ...at, "--json"], own);
  expect(verified.code, verified.stdout).toBe(0);
});

it("goes on when the connection was lost in the middle, and stops when it is told to", {
  timeout: 120_000,
}, async () => {
  const opened = openThere(sshd);
  const { source, dest, args } = opened;
  await mkdir(source);
  for (let at = 0; at < 400; at++) await writeFile(join(source, `file-${at}`), Buffer.alloc(300_000, `${at} `));
  const countFiles = async (): Promise<number> => (await readdir(dest).catch(() => [])).length;
  const until = async (count: number): Promise<void> => {
    for (let waited = 0; waited < 30_000 && (await countFiles()) < count; waited += 5) await sleep(5);
  };
  const stopped = startBackup(["file", ...args]);
  await until(20);
  stopped.child.kill("SIGINT");
  expect((await stopped.result).code).toBe(130);
  const count = await countFiles();
  expect(count).toBeLessThan(400);
  const { result } = startBackup(["file", ...args, "--json"]);
  await until(count + 20);
  await sshd.cut();
  const { code, stdout, stderr } = await result;
  expect(code, stdout + stderr).toBe(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
  // What was on its way is the next run's to clear.
  await backUp(opened);
  expect(await readdir(join(dest, ".backup/tmp"))).toEqual([]);
});

it("warns of what vanishes while it is copied, and goes on", { timeout: 120_000 }, async () => {
  const opened = openThere(sshd);
  const { source, dest, args } = opened;
  await mkdir(source);
  for (let at = 0; at < 400; at++) await writeFile(join(source, `file-${at}`), Buffer.alloc(300_000, `${at} `));
  const { result } = startBackup(["file", ...args, "--json"]);
  const isThere = async (): Promise<readonly string[]> => (await readdir(dest).catch(() => [])).slice(1);
  for (let waited = 0; waited < 30_000 && (await isThere()).length < 20; waited += 5) await sleep(5);
  const done = new Set(await isThere());
  for (const name of await readdir(source)) if (!done.has(name)) await rm(join(source, name));
  const ended = await result;
  expect(ended.code, ended.stdout).toBe(0);
  expect(codesOf(ended)).toContain("ITEM_VANISHED");
  expect((await backUp(opened, "--allow-deletes")).code).toBe(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
});

it("never follows a symbolic link out of the destination", async () => {
  const opened = openThere(sshd);
  const { source, dest } = opened;
  const outside = place();
  for (const path of [source, outside]) await mkdir(path);
  await writeFile(join(outside, "mine"), "untouched");
  await mkdir(join(source, "a"));
  await writeFile(join(source, "a/moves"), "moves".repeat(100));
  await symlink(outside, join(source, "dir"));
  expect((await backUp(opened)).code).toBe(0);
  await rm(join(source, "dir"));
  await mkdir(join(source, "dir"));
  await rename(join(source, "a/moves"), join(source, "dir/moves"));
  await writeFile(join(source, "dir/mine"), "of the source");
  const result = await backUp(opened);
  expect(result.code, result.stdout).toBe(0);
  expect(await differencesOf(source, dest, CARRIED)).toBe("");
  expect(await readdir(outside)).toEqual(["mine"]);
  expect(await readFile(join(outside, "mine"), "utf8")).toBe("untouched");
});

it("insists on rsync where it is asked for, and takes no options of rsync's where there is none", async () => {
  const { source, dest, args } = openHere();
  await mkdir(source);
  await writeFile(join(source, "file"), "1");
  const insisted = await runBackup(["file", ...args, "--transport=rsync"], env);
  expect(insisted.code).toBe(1);
  expect(insisted.stderr).toMatch(/rsync is not installed/);
  const given = await runBackup(["file", ...args, "--", "--checksum"], env);
  expect(given.code).toBe(2);
  expect(given.stderr).toMatch(/--checksum after -- is for rsync/);
  await expect(readdir(dest)).rejects.toThrow("ENOENT");
});
