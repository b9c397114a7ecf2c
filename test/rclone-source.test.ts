import { execFile } from "node:child_process";
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestRemote, startLocal, startS3, startSftp } from "../packages/rclone/test/support/remotes.js";
import { type Result, eventsOf, reportOf, runBackup } from "./support/command.js";
import { type Sshd, startSshd } from "./support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const run = promisify(execFile);
const TIME = new Date("2021-03-04T05:06:07Z");

let directory: TemporaryDirectory;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory?.[Symbol.asyncDispose]());

let number = 0;
const place = (): string => join(directory.path, `place-${number++}`);

/** Files by path, with their bytes. */
async function contents(root: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(root, ".backup")));
  const texts = files.map(async ({ parentPath, name }): Promise<[string, string]> => {
    const file = join(parentPath, name);
    return [file.slice(root.length + 1), await readFile(file, "utf8")];
  });
  return Object.fromEntries(await Promise.all(texts));
}

async function grow(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
    await utimes(join(root, path), TIME, TIME);
  }
}

const FILES = {
  "a/x.txt": "some text",
  "a/b/deep.txt": "deep",
  "umlaut ü/with space": "ü",
  "line\nfeed/\u240a and \uff0f": "odd names",
  "large.bin": "0123456789".repeat(400_000),
};

describe.each([
  { name: "disk", start: startLocal, isDisk: true },
  { name: "sftp", start: startSftp, isDisk: true },
  { name: "S3", start: startS3, isDisk: false },
])("a remote of rclone, $name, is mirrored", ({ name, start, isDisk }) => {
  let there: TestRemote;
  let path: string;
  let here: string;
  // rclone's sftp writes no name in another way than it is, and serves none with a line feed.
  const { "line\nfeed/\u240a and \uff0f": odd, ...plain } = FILES;
  const files = name === "sftp" ? { ...plain, odd } : FILES;
  const dest = place;
  const source = (): string => `${there.remote}:${path}`;
  const mirror = (to: string, ...more: string[]): Promise<Result> =>
    runBackup(["rclone", source(), to, "--srcsecret", there.config, "--json", ...more]);
  const done = (result: Result) => {
    expect(eventsOf(result).filter(({ type }) => type === "warning" || type === "failed")).toEqual([]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    return reportOf(result);
  };
  /** Makes the remote hold what is here. */
  const upload = async (): Promise<void> => {
    if (isDisk) return;
    const args = ["--config", there.config, "sync", here, `${there.remote}:${path}`];
    await run("rclone", args, { env: { PATH: process.env["PATH"] } });
  };

  beforeAll(async () => {
    there = await start();
    path = there.newPath();
    here = isDisk ? path : place();
    await grow(here, files);
    await upload();
  });
  afterAll(() => there?.[Symbol.asyncDispose]());

  it("with all that it has; then only what changed is read, and what is gone is removed", async () => {
    const to = dest();
    expect(done(await mirror(to))).toMatchObject({ added: 5, items: 5 });
    expect(await contents(to)).toEqual(files);
    if (isDisk) expect((await stat(join(to, "a/x.txt"))).mtime).toEqual(TIME);
    expect(done(await mirror(to))).toMatchObject({ added: 0, moved: 0, removed: 0, bytes: 0 });
    await writeFile(join(here, "a/x.txt"), "another text");
    await rm(join(here, "umlaut ü"), { recursive: true });
    await upload();
    expect(done(await mirror(to))).toMatchObject({ added: 1, removed: 1 });
    expect(await contents(to)).toEqual(await contents(here));
    expect(await runBackup(["verify", to])).toMatchObject({ code: 0, stderr: "" });
    const back = place();
    expect(await runBackup(["restore", "rclone", to, back])).toMatchObject({ code: 0 });
    expect(await contents(back)).toEqual(await contents(here));
  });

  it("and what rclone cannot read is missing, which is told", async () => {
    if (name !== "sftp") return;
    await writeFile(join(here, "line\nfeed"), "x");
    const result = await mirror(dest());
    expect(result.code).toBe(3);
    expect(reportOf(result)).toMatchObject({ result: "partial", failed: 1 });
    await rm(join(here, "line\nfeed"));
  });

  it("not if it is empty all of a sudden, or not there", async () => {
    const to = dest();
    done(await mirror(to));
    const before = await contents(to);
    const whole = path;
    path = there.newPath();
    if (isDisk) {
      await mkdir(path, { recursive: true });
      const empty = await runBackup(["rclone", source(), to, "--srcsecret", there.config]);
      expect(empty.code).toBe(1);
      await rm(path, { recursive: true });
    }
    const gone = await runBackup(["rclone", source(), to, "--srcsecret", there.config]);
    expect(gone.code).toBe(1);
    expect(await contents(to)).toEqual(before);
    path = whole;
  });
});

describe("a remote of rclone that is a disk", () => {
  let there: TestRemote;
  let sshd: Sshd;
  beforeAll(async () => {
    [there, sshd] = await Promise.all([startLocal(), startSshd()]);
  });
  afterAll(async () => {
    await there?.[Symbol.asyncDispose]();
    await sshd?.[Symbol.asyncDispose]();
  });

  it("has what was moved in it recognised by SHA-256, in snapshots too, and less than half of it deleted unasked", async () => {
    const path = there.newPath();
    const to = place();
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`dir/${n}`, `text ${n}`]));
    await grow(path, many);
    const mirror = (...more: string[]): Promise<Result> =>
      runBackup(["rclone", `there:${path}`, to, "--srcsecret", there.config, "--json", "--hist", ...more]);
    expect(reportOf(await mirror("--histdate", "2026-11-01"))).toMatchObject({ added: 120 });
    await rename(join(path, "dir"), join(path, "renamed"));
    expect(reportOf(await mirror("--histdate", "2026-11-02"))).toMatchObject({ added: 0, moved: 120, removed: 0 });
    const inode = async (file: string): Promise<number> => (await stat(join(to, file))).ino;
    expect(await inode("2026/11/02/renamed/7")).toBe(await inode("2026/11/01/dir/7"));
    for (let n = 0; n < 80; n++) await rm(join(path, "renamed", String(n)));
    expect(await mirror("--histdate", "2026-11-03")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("DELETION_LIMIT"),
    });
  });

  it("is mirrored to another host", async () => {
    const path = there.newPath();
    await grow(path, FILES);
    const to = join(sshd.path, "mirror");
    const words = ["rclone", `there:${path}`, `${sshd.user}@127.0.0.1:${to}`, "--srcsecret", there.config];
    const host = ["--dstsecret", sshd.identity, "--known-hosts", sshd.knownHosts, "--ssh-port", String(sshd.port)];
    expect(await runBackup([...words, ...host])).toMatchObject({ code: 0, stderr: "" });
    expect(await contents(to)).toEqual(FILES);
  });

  it("is refused with what cannot be", async () => {
    const backup = (source: string, dest: string) => runBackup(["rclone", source, dest, "--srcsecret", there.config]);
    expect(await backup("there", place())).toMatchObject({ code: 2 });
    expect(await backup("there:../x", place())).toMatchObject({ code: 2 });
    expect(await backup("other:x", place())).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no remote 'other'"),
    });
  });
});
