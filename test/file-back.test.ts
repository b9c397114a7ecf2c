import { spawn } from "node:child_process";
import {
  appendFile,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Result, eventsOf, runBackup } from "./support/command.js";
import { seededRandom } from "./support/random.js";
import { RandomTree, differencesOf } from "./support/random-tree.js";
import { type Sshd, startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

let home: TemporaryDirectory;
let sshd: Sshd;
beforeAll(async () => {
  home = await temporaryDirectory();
  sshd = await startSshd();
});
afterAll(async () => {
  await sshd?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

let number = 0;
const place = (): string => join(home.path, `place-${number++}`);

interface Backed {
  readonly source: string;
  /** As this machine sees it. */
  readonly dest: string;
  /** For the command line. */
  readonly at: string;
  readonly options: readonly string[];
}

const WAYS: readonly { readonly name: string; readonly open: () => Backed }[] = [
  {
    name: "a backup here",
    open: () => {
      const dest = place();
      return { source: place(), dest, at: dest, options: [] };
    },
  },
  {
    name: "a backup on a host",
    open: () => {
      const name = `tree-${number++}`;
      const at = `${sshd.user}@${sshd.host}:${sshd.remotePath}/${name}`;
      const options = [`--dstsecret=${sshd.identity}`, `--ssh-port=${sshd.port}`, `--known-hosts=${sshd.knownHosts}`];
      return { source: place(), dest: join(sshd.path, name), at, options };
    },
  },
];

const run = (...args: string[]): Promise<Result> => runBackup([...args, "--json"]);
const lastOf = (result: Result): unknown => eventsOf(result).at(-1);

describe.each(WAYS)("$name", ({ open }) => {
  it("comes back as it was: bytes, names, kinds, attributes", async () => {
    const { source, at, options } = open();
    await mkdir(source);
    new RandomTree(source, seededRandom(number)).grow(60);
    expect((await run("file", source, at, ...options)).code).toBe(0);
    const target = join(place(), "deep/er");
    const dry = await run("restore", "file", at, target, "--dry-run", ...options);
    expect(dry.code).toBe(0);
    await expect(stat(target)).rejects.toThrow("ENOENT");
    const result = await run("restore", "file", at, target, ...options);
    expect(result.code, result.stderr).toBe(0);
    expect(await differencesOf(source, target)).toBe("");
    expect(await readdir(target)).not.toContain(".backup");
    const again = await run("restore", "file", at, target, ...options);
    expect(lastOf(again)).toMatchObject({ type: "restored", report: { result: "done", restored: 0 } });
  });

  it("comes back in part, adds what is missing, and replaces nothing unless it is to", async () => {
    const { source, at, options } = open();
    await mkdir(join(source, "docs/old"), { recursive: true });
    await writeFile(join(source, "docs/letter"), "as it was");
    await writeFile(join(source, "docs/old/first"), "1");
    await writeFile(join(source, "other"), "2");
    await run("file", source, at, ...options);
    const target = place();
    await mkdir(join(target, "old"), { recursive: true });
    await writeFile(join(target, "letter"), "changed");
    await writeFile(join(target, "mine"), "stays");
    expect((await run("restore", "file", at, target, "--path", "docs/old", ...options)).code).toBe(0);
    expect(await readFile(join(target, "old/first"), "utf8")).toBe("1");
    expect((await run("restore", "file", at, target, "--path", "docs/letter", ...options)).code).toBe(0);
    expect(await readFile(join(target, "letter"), "utf8")).toBe("changed");
    await run("restore", "file", at, target, "--path", "docs/letter", "--overwrite", ...options);
    expect(await readFile(join(target, "letter"), "utf8")).toBe("as it was");
    expect((await readdir(target)).toSorted()).toEqual(["letter", "mine", "old"]);
    const missing = await run("restore", "file", at, target, "--path", "docs/none", ...options);
    expect(missing.code).toBe(1);
    expect(lastOf(missing)).toMatchObject({ code: "NOT_FOUND" });
  });

  it("comes back from a snapshot, under the name that it had then", async () => {
    const { source, at, options } = open();
    await mkdir(source);
    await writeFile(join(source, "before"), "text");
    await run("file", source, at, "--hist", "--histdate=2026-11-01", ...options);
    await rename(join(source, "before"), join(source, "after"));
    await run("file", source, at, "--hist", "--histdate=2026-11-02", ...options);
    for (const [day, name] of [
      ["2026-11-01", "before"],
      ["2026-11-02", "after"],
    ] as const) {
      const target = place();
      expect((await run("restore", "file", at, target, "--snapshot", day, ...options)).code).toBe(0);
      expect(await readdir(target)).toEqual([name]);
    }
    const listing = await run("ls", at, ...options);
    expect(listing.code).toBe(0);
    expect(lastOf(listing)).toMatchObject({ type: "listing", snapshot: "2026-11-02", snapshots: [{}, {}] });
    expect((await run("verify", at, "--snapshot=2026-11-01", ...options)).code).toBe(0);
    expect((await run("prune", at, "--keep-last=1", ...options)).code).toBe(0);
    expect((await run("verify", at, ...options)).code).toBe(0);
  });

  it("is verified: every flipped, cut, lost and exchanged file is named", async () => {
    const { source, dest, at, options } = open();
    await mkdir(join(source, "dir"), { recursive: true });
    for (let file = 0; file < 30; file++) await writeFile(join(source, `dir/${file}`), `content ${file}`.repeat(100));
    await symlink("dir/1", join(source, "link"));
    await run("file", source, at, ...options);
    const good = await run("verify", at, ...options);
    expect(good.code, good.stdout + good.stderr).toBe(0);
    expect(lastOf(good)).toMatchObject({ type: "verified", good: true, files: 31, readFiles: 30 });
    const bytes = await readFile(join(dest, "dir/3"));
    bytes[70] = (bytes[70] ?? 0) ^ 1;
    await writeFile(join(dest, "dir/3"), bytes);
    await truncate(join(dest, "dir/4"), 10);
    await unlink(join(dest, "dir/5"));
    await rename(join(dest, "dir/10"), join(dest, "aside"));
    await rename(join(dest, "dir/11"), join(dest, "dir/10"));
    await rename(join(dest, "aside"), join(dest, "dir/11"));
    const bad = await run("verify", at, ...options);
    expect(bad.code).toBe(3);
    const damaged = eventsOf(bad).flatMap((event) => (event.type === "damage" ? [event.path ?? ""] : []));
    expect(new Set(damaged)).toEqual(new Set(["dir/10", "dir/11", "dir/3", "dir/4", "dir/5"]));
    // A run does not see what has the size and time that it had; --checksum does.
    expect((await runBackup(["file", source, at, ...options, "--", "--checksum"])).code).toBe(0);
    expect((await run("verify", at, ...options)).code).toBe(0);
  });

  it("says what it holds", async () => {
    const { source, at, options } = open();
    await mkdir(join(source, "one/sub"), { recursive: true });
    await mkdir(join(source, "two"));
    await writeFile(join(source, "one/sub/a"), "123");
    await writeFile(join(source, "one/b"), "4567");
    await writeFile(join(source, "top"), "8");
    await run("file", source, at, ...options);
    const table = await runBackup(["ls", at, ...options]);
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/source +here +size/);
    expect(table.stdout).toMatch(/2 +2 +7 B .*one/);
    expect(lastOf(await run("ls", at, ...options))).toMatchObject({
      whole: true,
      collections: [
        { name: ".", now: { files: 1, bytes: 1 } },
        { name: "one", now: { files: 2, bytes: 7 } },
        { name: "two", now: { files: 0, bytes: 0 } },
      ],
    });
    for (const args of [
      ["show", at, "x"],
      ["search", at, "x"],
      ["drill", at],
      ["verify", at, "--server", "localhost"],
    ]) {
      const refused = await runBackup([...args, ...options]);
      expect(refused.code, args.join(" ")).toBe(2);
      expect(refused.stderr).toMatch(/mail/);
    }
  });
});

it("is checked by another program: mtree of NetBSD, by the manifest", async () => {
  const [source, dest] = [place(), place()];
  await mkdir(source);
  new RandomTree(source, seededRandom(7)).grow(60);
  // A directory that rsync makes in the second of its time keeps the fraction that it was made at.
  await sleep(1100);
  await run("file", source, dest);
  const manifest = gunzipSync(await readFile(join(dest, ".backup/manifest.mtree.gz")));
  const check = async (): Promise<string> => {
    const { child, output } = runMtree(dest);
    child.stdin.end(manifest);
    return await output;
  };
  // It names our directory, which is not in the manifest, and nothing else.
  expect((await check()).trim()).toBe("extra: .backup");
  const [file = ""] = (await readdir(dest, { withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
  const path = join(dest, file);
  await writeFile(path, Buffer.alloc((await stat(path)).size, 1));
  expect(await check()).toContain("sha256");
});

it("writes into no backup", async () => {
  const [source, dest] = [place(), place()];
  await mkdir(source);
  await writeFile(join(source, "file"), "1");
  await run("file", source, dest, "--hist", "--histdate=2026-11-01");
  for (const target of [dest, join(dest, "2026/11/01"), join(dest, "2026/11/01/sub")]) {
    const refused = await run("restore", "file", dest, target);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toContain("only runs write to");
  }
  expect((await readdir(join(dest, "2026/11/01"))).toSorted()).toEqual([".backup", "file"]);
});

it("says that nothing is known of files without a manifest", async () => {
  const [source, dest] = [place(), place()];
  await mkdir(source);
  await writeFile(join(source, "file"), "1");
  await run("file", source, dest);
  await rm(join(dest, ".backup/manifest.mtree.gz"));
  const result = await run("verify", dest);
  expect(result.code).toBe(3);
  expect(result.stdout).toContain("no manifest");
  await appendFile(join(source, "file"), "2");
  await run("file", source, dest);
  expect((await run("verify", dest)).code).toBe(0);
});

function runMtree(dest: string) {
  const child = spawn("mtree", ["-p", dest], { stdio: ["pipe", "pipe", "inherit"] });
  return { child, output: text(child.stdout) };
}
