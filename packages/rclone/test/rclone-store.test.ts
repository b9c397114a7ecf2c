import { lstat, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BackupEvent, type Lease, type Store, isBackupError } from "@backup/core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { descendantsOf } from "../../../test/support/process-tree.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { openRcloneStore } from "../src/open-rclone-store.js";
import { type TestRemote, startLocal, startS3 } from "./support/remotes.js";

const NEVER = new AbortController().signal;
const MTIME = Date.UTC(2020, 1, 29);

let disk: TestRemote;
let directory: TemporaryDirectory;
const opened: AsyncDisposable[] = [];
const events: BackupEvent[] = [];

beforeAll(async () => {
  disk = await startLocal();
  directory = await temporaryDirectory();
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  events.splice(0);
});
afterAll(async () => {
  await disk?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

interface Opening {
  readonly remote?: string;
  readonly config?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly expiryMs?: number;
}

function open(
  path: string,
  { remote = disk.remote, config = disk.config, env, expiryMs = 60_000 }: Opening = {},
): Store {
  const store = openRcloneStore({
    address: { remote, path },
    config,
    timing: { beatMs: 200, expiryMs },
    onEvent: (event) => events.push(event),
    ...(env === undefined ? {} : { env }),
  });
  opened.push(store);
  return store;
}

async function configWith(text: string): Promise<string> {
  const file = join(directory.path, `${Math.random()}.conf`);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

async function putOne(store: Store, path: string, text: string): Promise<void> {
  const item = { id: path, rev: "1", collection: "a", size: 0, mtime: MTIME };
  async function* bodies() {
    yield { item, bytes: Buffer.from(text) };
  }
  for await (const [outcome] of store.put(bodies(), () => ({ path }), NEVER))
    if (outcome && "error" in outcome) throw outcome.error;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    if (!isBackupError(error)) throw error;
    expect(error.message).not.toContain("\n");
    return error.code;
  }
}

test("what is written is for its owner alone", async () => {
  const path = disk.newPath();
  const store = open(path);
  await using _lease = await store.lease(NEVER);
  await store.makeDirectories(["a/b"], NEVER);
  await store.write("a/b/x", Buffer.from("x"), NEVER);
  for (const name of ["", "a", "a/b", ".backup"]) expect((await stat(join(path, name))).mode & 0o777).toBe(0o700);
  for (const name of ["a/b/x", ".backup/lease.json"]) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
});

test("a file is replaced by one of the same size and time, put or moved", async () => {
  const path = disk.newPath();
  const store = open(path);
  await using _lease = await store.lease(NEVER);
  await store.makeDirectories(["a"], NEVER);
  await putOne(store, "a/x", "one");
  await putOne(store, "a/y", "two");
  await putOne(store, "a/x", "six");
  expect(await readFile(join(path, "a/x"), "utf8")).toBe("six");
  await store.move([{ from: "a/x", to: "a/y" }], NEVER);
  expect(await readFile(join(path, "a/y"), "utf8")).toBe("six");
});

test("a file is moved by a rename where the remote can, and its bytes are not sent again", async () => {
  const path = disk.newPath();
  const store = open(path);
  await using _lease = await store.lease(NEVER);
  await store.makeDirectories(["a", "b"], NEVER);
  await putOne(store, "a/x", "one");
  const { ino } = await stat(join(path, "a/x"));
  await store.move([{ from: "a/x", to: "b/y" }], NEVER);
  expect((await stat(join(path, "b/y"))).ino).toBe(ino);
  await store.moveTree("b", "c", NEVER);
  expect((await stat(join(path, "c/y"))).ino).toBe(ino);
});

test("a symbolic link in the place of a directory is refused, and nothing is written behind it", async () => {
  const path = disk.newPath();
  const store = open(path);
  await using _lease = await store.lease(NEVER);
  const outside = join(directory.path, "outside");
  await mkdir(outside);
  await symlink(outside, join(path, "a"));
  expect(await codeOf(store.makeDirectories(["a"], NEVER))).toBe("DESTINATION_UNWRITABLE");
  expect(await codeOf(store.makeDirectories(["a/b"], NEVER))).toBe("DESTINATION_UNWRITABLE");
  expect(await store.directories([], NEVER)).toEqual([]);
  expect((await lstat(join(path, "a"))).isSymbolicLink()).toBe(true);
});

test("of many that want the lease at once one at most has it", async () => {
  const path = disk.newPath();
  const stores = Array.from({ length: 3 }, () => open(path));
  for (const store of stores) await store.directories([], NEVER);
  for (let round = 0; round < 2; round++) {
    const results = await Promise.allSettled(stores.map((store) => store.lease(NEVER)));
    const held = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(held.length).toBeLessThanOrEqual(1);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "LEASE_HELD" });
    for (const lease of held) await lease[Symbol.asyncDispose]();
  }
  await using _lease = await stores[0]?.lease(NEVER);
});

test("a lease and a claim that were left behind expire, and who lost a lease is told", async () => {
  const path = disk.newPath();
  const store = open(path, { expiryMs: 500 });
  const holder = { token: "1", host: "elsewhere", pid: 1, process: "", since: new Date().toISOString(), fence: 1 };
  await mkdir(join(path, ".backup/claims"), { recursive: true });
  await writeFile(join(path, ".backup/claims/dead"), "");
  await writeFile(join(path, ".backup/lease.json"), JSON.stringify(holder));
  expect(await codeOf(open(path).lease(NEVER))).toBe("LEASE_HELD");
  let lease: Lease | undefined;
  await expect
    .poll(async () => (lease = await store.lease(NEVER).catch(() => undefined)), { timeout: 10_000 })
    .toBeDefined();
  if (!lease) throw new Error("no lease");
  await writeFile(join(path, ".backup/lease.json"), JSON.stringify(holder));
  await expect.poll(() => lease?.lost.aborted, { timeout: 10_000 }).toBe(true);
  await lease[Symbol.asyncDispose]();
  expect(await readFile(join(path, ".backup/lease.json"), "utf8")).toBe(JSON.stringify(holder));
});

test("a remote that renames nothing in place and keeps no directories is one all the same", async () => {
  await using s3 = await startS3();
  const path = s3.newPath();
  const store = open(path, s3);
  await using _lease = await store.lease(NEVER);
  expect(store.can).toEqual({ colon: true, rename: true, times: false, clone: true });
  await store.makeDirectories(["a", "b/empty"], NEVER);
  await putOne(store, "a/x", "one");
  await store.move([{ from: "a/x", to: "b/y" }], NEVER);
  expect((await store.directories([], NEVER)).map((each) => each.path).toSorted()).toEqual(["a", "b", "b/empty"]);
  expect(await store.list(["a", "b", "b/empty"], NEVER)).toMatchObject([{ path: "b/y", size: 3 }]);
});

test("no secret is in what others see of rclone, nor in what is said of an error", async () => {
  await using s3 = await startS3();
  const secret = "wrong-Xq7vaK9wRt";
  const text = (await readFile(s3.config, "utf8")).replace(
    "secret_access_key = S3RVER",
    `secret_access_key = ${secret}`,
  );
  const config = await configWith(text);
  const store = open(s3.newPath(), { remote: s3.remote, config });
  const failed = await store.lease(NEVER).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "AUTH_FAILED" });
  expect(JSON.stringify(failed, Object.getOwnPropertyNames(failed)).includes(secret)).toBe(false);
  const children = await descendantsOf(process.pid);
  const seen = await Promise.all(
    children.flatMap((pid) =>
      ["cmdline", "environ"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
    ),
  );
  expect(seen.some((each) => each.startsWith("rclone\0rcd"))).toBe(true);
  for (const each of seen) expect(each.includes(secret)).toBe(false);
});

test.each([
  [
    "a port where nobody answers",
    "[there]\ntype = sftp\nhost = 127.0.0.1\nport = 1\nuser = me\npass = eZpTkqLDzN1Ik_9jiyfHNpY",
    "CONNECTION_REFUSED",
  ],
  [
    "a host that is not there",
    "[there]\ntype = ftp\nhost = nowhere.invalid\nuser = me\npass = eZpTkqLDzN1Ik_9jiyfHNpY",
    "HOST_UNKNOWN",
  ],
  ["a remote of another name", "[here]\ntype = local\n", "SECRET_UNREADABLE"],
  [
    "a configuration with a password",
    "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nAAAA",
    "SECRET_UNREADABLE",
  ],
  ["a kind that rclone does not know", "[there]\ntype = nonsense\n", "PROTOCOL"],
] as const)(
  "%s is told in one line",
  async (_name, text, code) => {
    const store = open("x", { remote: "there", config: await configWith(text) });
    expect(await codeOf(store.directories([], NEVER))).toBe(code);
    expect(events.some((event) => event.type === "warning" && event.code === "HOST_KEY_UNCHECKED")).toBe(
      /sftp/.test(text),
    );
  },
  60_000,
);

test("without rclone it says what to install", async () => {
  const store = open(disk.newPath(), { env: { PATH: "/nowhere" } });
  expect(await codeOf(store.directories([], NEVER))).toBe("TRANSPORT_MISSING");
});
