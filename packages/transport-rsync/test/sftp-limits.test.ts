import { mkdir, readFile, readdir, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Body, BackupError, type BackupEvent, type Item, type Path } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { tmpfs } from "../../../test/support/mounts.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { SftpChannel } from "../src/sftp-channel.js";
import { SftpDestination } from "../src/sftp-destination.js";
import { SftpStore, type SftpStoreOptions } from "../src/sftp-store.js";
import { SftpUpload } from "../src/sftp-upload.js";
import { Spool } from "../src/spool.js";
import { ALL, type SftpHost, type SftpHostOptions, sftpHost } from "./support/sftp-host.js";

const NEVER = new AbortController().signal;

interface PathItem extends Item {
  readonly path: Path;
  readonly same?: Path;
}

const itemAt = (path: Path, same?: Path): PathItem => ({
  id: path,
  rev: "1",
  collection: "a",
  size: 0,
  mtime: 1_600_000_000_000,
  path,
  ...(same === undefined ? {} : { same }),
});

async function* bodiesOf(files: Readonly<Record<Path, string | Uint8Array>>): AsyncGenerator<Body<PathItem>> {
  for (const [path, bytes] of Object.entries(files)) yield { item: itemAt(path), bytes: Buffer.from(bytes) };
}

async function put(store: SftpStore, bodies: AsyncIterable<Body<PathItem>>, signal = NEVER): Promise<void> {
  for await (const batch of store.put(bodies, (item) => item, signal))
    for (const outcome of batch) if ("error" in outcome) throw outcome.error;
}

let home: TemporaryDirectory;
const made: AsyncDisposable[] = [];
let events: BackupEvent[] = [];

beforeEach(async () => {
  home = await temporaryDirectory();
  events = [];
});
afterEach(async () => {
  for (const resource of made.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

function open(
  host: Partial<SftpHostOptions> = {},
  options: Partial<SftpStoreOptions> = {},
): { readonly store: SftpStore; readonly host: SftpHost } {
  const server = sftpHost({ home: home.path, ...host });
  const spool = new Spool({ directory: join(home.path, "spool") });
  const onEvent = (event: BackupEvent): void => void events.push(event);
  const store = new SftpStore({
    name: "nas:dest",
    host: server,
    directory: "dest",
    spool,
    onEvent,
    retryMs: 1,
    ...options,
  });
  made.push(server, spool, store);
  return { store, host: server };
}

const codes = (): readonly string[] => events.flatMap((event) => (event.type === "warning" ? [event.code] : []));
const many = (count: number): Record<Path, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`a/cur/${n}`, `text ${n}`]));

describe("a connection that is lost", () => {
  it.each([1, 300, 600, 900, 1300])("during a put, before request %i: all is there, once, and whole", async (at) => {
    let requests = Number.NEGATIVE_INFINITY;
    const { store, host } = open({
      onSend: () => {
        if (++requests === at) host.kill();
      },
    });
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a/cur"], NEVER);
    const files = many(700);
    requests = 0;
    await put(store, bodiesOf(files));
    expect(host.connections()).toBe(2);
    expect(codes()).toEqual(["RECONNECTING"]);
    expect(await readdir(join(home.path, "dest/a/cur"))).toHaveLength(700);
    for (const [path, text] of Object.entries(files))
      expect(await readFile(join(home.path, "dest", path), "utf8")).toBe(text);
  });

  it.each([3, 150, 290, 450, 601])("during moves that depend on each other, before request %i", async (at) => {
    const { store: first } = open();
    {
      await using _lease = await first.lease(NEVER);
      await first.makeDirectories(["a/cur", "b/cur"], NEVER);
      await put(first, bodiesOf(many(300)));
    }
    let requests = Number.NEGATIVE_INFINITY;
    const { store, host } = open({
      onSend: () => {
        if (++requests === at) host.kill();
      },
    });
    await using _lease = await store.lease(NEVER);
    const away = Array.from({ length: 300 }, (_, n) => ({ from: `a/cur/${n}`, to: `b/cur/${n}` }));
    // Each takes the name that the one before has left.
    const back = Array.from({ length: 300 }, (_, n) => ({ from: `b/cur/${n}`, to: `a/cur/${(n + 1) % 300}` }));
    requests = 0;
    await store.move([...away, ...back], NEVER);
    requests = Number.NEGATIVE_INFINITY;
    expect(host.connections()).toBe(2);
    expect(await readdir(join(home.path, "dest/b/cur"))).toEqual([]);
    for (let n = 0; n < 300; n++)
      expect(await readFile(join(home.path, `dest/a/cur/${(n + 1) % 300}`), "utf8")).toBe(`text ${n}`);
  });

  it("is made anew for an upload, which goes on where it was", async () => {
    const { store, host } = open();
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a"], NEVER);
    const channel = new SftpChannel({ host, compress: false, retryMs: 1 });
    made.push(channel);
    const destination = new SftpDestination(channel, { name: "nas:dest", directory: "dest", onEvent: () => {} });
    const upload = new SftpUpload(destination, NEVER);
    const piece = (n: number): Buffer => Buffer.alloc(1024 * 1024, `piece ${n} `);
    for (let n = 0; n < 24; n++) {
      await upload.write(piece(n));
      if (n === 5 || n === 15) host.kill();
    }
    host.kill();
    await upload.publish("a/large", 1_600_000_000_000);
    const expected = Buffer.concat(Array.from({ length: 24 }, (_, n) => piece(n)));
    expect((await readFile(join(home.path, "dest/a/large"))).equals(expected)).toBe(true);
    expect((await stat(join(home.path, "dest/a/large"))).mtimeMs).toBe(1_600_000_000_000);
    await upload.discard();
    expect(await readdir(join(home.path, "dest/.backup/tmp"))).toEqual([]);
  });

  it("is given up when it cannot be made anew", async () => {
    const lost = new BackupError("CONNECTION_REFUSED", "nas refuses connections");
    const { store, host } = open({ refuse: (attempt) => (attempt > 1 ? lost : undefined) });
    expect(await store.directories([], NEVER)).toEqual([]);
    host.kill();
    await expect(store.directories([], NEVER)).rejects.toBe(lost);
  });

  it("is not tried again when it was refused from the beginning, or its key is wrong", async () => {
    for (const code of ["CONNECTION_REFUSED", "AUTH_FAILED", "HOST_KEY_CHANGED"] as const) {
      let attempts = 0;
      const { store } = open({ refuse: (attempt) => new BackupError(code, `no: ${(attempts = attempt)}`) });
      await expect(store.directories([], NEVER)).rejects.toMatchObject({ code });
      expect(attempts).toBe(1);
    }
  });

  it("counts as lost when it is silent, and an abort does not wait for that", async () => {
    const { store, host } = open({}, { timeoutMs: 50 });
    await store.directories([], NEVER);
    host.kill("SIGSTOP");
    expect(await store.directories([], NEVER)).toEqual([]);
    expect(host.connections()).toBe(2);
    expect(events).toContainEqual(expect.objectContaining({ message: expect.stringContaining("has not answered") }));

    const slow = open();
    await slow.store.directories([], NEVER);
    slow.host.kill("SIGSTOP");
    const started = performance.now();
    await expect(slow.store.directories([], AbortSignal.timeout(20))).rejects.toMatchObject({ code: "ABORTED" });
    expect(performance.now() - started).toBeLessThan(busy(1000));
  });
});

describe("a host that is far away", () => {
  it("is asked for much in few round trips", async () => {
    // A moment without a processor is no round trip.
    const delayMs = Math.min(busy(80), 200);
    let flights = 0;
    let last = 0;
    const { store } = open({
      delayMs,
      onSend: () => {
        const now = performance.now();
        if (now - last > delayMs) flights++;
        last = now;
      },
    });
    const counted = async (work: () => Promise<unknown>): Promise<number> => {
      flights = 0;
      await work();
      return flights;
    };
    const folders = Array.from({ length: 30 }, (_, n) => `f${n}/sub/cur`);
    {
      await using _lease = await store.lease(NEVER);
      await store.makeDirectories(folders, NEVER);
      await store.write(".backup/checkpoint.json", Buffer.alloc(100_000, "c"), NEVER);
      await new Promise((resolve) => setTimeout(resolve, 1100));
    }
    // Upper bounds with one to spare, for a machine that is busy.
    const usual = {
      lease: 0,
      directories: await counted(() => store.directories(["cur"], NEVER)),
      read: await counted(() => store.read(".backup/checkpoint.json", NEVER)),
      release: 0,
      put: 0,
      move: 0,
      list: 0,
    };
    {
      let lease: AsyncDisposable | undefined;
      usual.lease = await counted(async () => (lease = await store.lease(NEVER)));
      usual.release = await counted(async () => lease?.[Symbol.asyncDispose]());
    }
    {
      await using _lease = await store.lease(NEVER);
      const files = Array.from({ length: 250 }, (_, n) => [`f${n % 30}/sub/cur/${n}`, `text ${n}`]);
      usual.put = await counted(() => put(store, bodiesOf(Object.fromEntries(files))));
      const moves = files.map(([path]) => ({ from: path ?? "", to: `${path}:2,S` }));
      usual.move = await counted(() => store.move(moves, NEVER));
      usual.list = await counted(() => store.list(folders, NEVER));
    }
    expect(usual.lease).toBeLessThanOrEqual(8);
    expect(usual.directories).toBeLessThanOrEqual(7);
    expect(usual.read).toBeLessThanOrEqual(3);
    expect(usual.release).toBeLessThanOrEqual(4);
    expect(usual.put).toBeLessThanOrEqual(5);
    expect(usual.move).toBeLessThanOrEqual(3);
    expect(usual.list).toBeLessThanOrEqual(3);
  });
});

describe("a server that lacks something", () => {
  it("is said once", async () => {
    const { store } = open({ without: ALL });
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a"], NEVER);
    expect(codes()).toEqual([]);
    await put(store, bodiesOf({ "a/x": "one" }));
    await put(store, bodiesOf({ "a/x": "two" }));
    await store.move([{ from: "a/x", to: "a/y" }], NEVER);
    expect(codes()).toEqual(["SFTP_LIMITED"]);
    expect(await readFile(join(home.path, "dest/a/y"), "utf8")).toBe("two");
  });
});

describe("links", () => {
  it("give a file another name, and fall back to its bytes", async () => {
    for (const without of [[], ["hardlink@openssh.com"]]) {
      const { store } = open({ without });
      await using _lease = await store.lease(NEVER);
      await store.makeDirectories(["a", "b"], NEVER);
      await put(store, bodiesOf({ "a/x": "text", "b/taken": "old" }));
      await put(
        store,
        (async function* () {
          for (const item of [itemAt("b/x", "a/x"), itemAt("b/taken", "a/x"), itemAt("b/y", "a/missing")])
            yield { item, bytes: Buffer.from("text") };
        })(),
      );
      for (const name of ["x", "taken", "y"])
        expect(await readFile(join(home.path, "dest/b", name), "utf8")).toBe("text");
      const inode = async (path: string): Promise<number> => (await stat(join(home.path, "dest", path))).ino;
      expect((await inode("a/x")) === (await inode("b/taken"))).toBe(without.length === 0);
      expect(await readdir(join(home.path, "dest/.backup/tmp"))).toEqual([]);
      await rename(join(home.path, "dest"), join(home.path, `dest${without.length}`));
      await mkdir(join(home.path, "dest/.backup"), { recursive: true });
    }
  });
});

describe("what is in the way", () => {
  it("a symbolic link is neither listed nor followed", async () => {
    const { store } = open();
    await using _lease = await store.lease(NEVER);
    await mkdir(join(home.path, "elsewhere/cur"), { recursive: true });
    await symlink("../elsewhere", join(home.path, "dest/A"));
    expect(await store.directories([], NEVER)).toEqual([]);
    await expect(store.makeDirectories(["A/cur"], NEVER)).rejects.toThrow(/dest\/A is a symbolic link/);
    await expect(put(store, bodiesOf({ "A/cur/x": "x" }))).rejects.toThrow(/is a symbolic link/);
    expect(await readdir(join(home.path, "elsewhere"), { recursive: true })).toEqual(["cur"]);
    expect(await readdir(join(home.path, "dest/.backup/tmp"))).toEqual([]);
  });

  it("a private directory that is a symbolic link is refused", async () => {
    await mkdir(join(home.path, "elsewhere"));
    await mkdir(join(home.path, "dest"));
    await symlink("../elsewhere", join(home.path, "dest/.backup"));
    const { store } = open();
    await expect(store.lease(NEVER)).rejects.toThrow(/is a symbolic link/);
    expect(await readdir(join(home.path, "elsewhere"))).toEqual([]);
  });

  it("a file is DESTINATION_UNWRITABLE", async () => {
    await writeFile(join(home.path, "dest"), "a file");
    const { store } = open();
    await expect(store.lease(NEVER)).rejects.toMatchObject({ code: "DESTINATION_UNWRITABLE" });
  });

  it("one that takes a name of a batch: the others of the batch may be there, and nothing else is left", async () => {
    const { store } = open();
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a/taken"], NEVER);
    const failed = put(store, bodiesOf({ "a/taken": "1", "a/free": "2" }));
    await expect(failed).rejects.toMatchObject({ code: "DESTINATION_UNWRITABLE" });
    expect(await readdir(join(home.path, "dest/.backup/tmp"))).toEqual([]);
  });
});

describe("a lease", () => {
  it("clears what was left, also directories, and makes all 0700 and 0600", async () => {
    const { store } = open();
    await mkdir(join(home.path, "dest/.backup/tmp/deep/er"), { recursive: true });
    await writeFile(join(home.path, "dest/.backup/tmp/deep/er/x"), "left");
    await writeFile(join(home.path, "dest/.backup/tmp/1"), "left");
    const before = process.umask(0);
    try {
      await using _lease = await store.lease(NEVER);
      expect(await readdir(join(home.path, "dest/.backup/tmp"))).toEqual([]);
      await store.makeDirectories(["a"], NEVER);
      await put(store, bodiesOf({ "a/x": "x" }));
      const mode = async (path: string): Promise<number> => (await stat(join(home.path, "dest", path))).mode & 0o777;
      expect([await mode("a"), await mode("a/x"), await mode(".backup/lease.json")]).toEqual([0o700, 0o600, 0o600]);
    } finally {
      process.umask(before);
    }
    expect(await readdir(join(home.path, "dest/.backup"))).toEqual(["tmp"]);
  });

  it("is lost to another, whose file stays", async () => {
    const { store } = open({}, { timing: { beatMs: 20, expiryMs: 60_000 } });
    const file = join(home.path, "dest/.backup/lease.json");
    {
      await using lease = await store.lease(NEVER);
      const lost = new Promise((resolve) => lease.lost.addEventListener("abort", resolve));
      await writeFile(`${file}.other`, '{"token":"other","host":"elsewhere","pid":1}');
      await rename(`${file}.other`, file);
      await lost;
    }
    expect(await readFile(file, "utf8")).toContain("elsewhere");
    await expect(store.lease(NEVER)).rejects.toThrow(/process 1 on elsewhere/);
  });

  it("is kept through a lost connection", async () => {
    const { store, host } = open();
    await using lease = await store.lease(NEVER);
    host.kill();
    await store.makeDirectories(["a"], NEVER);
    expect(lease.lost.aborted).toBe(false);
  });
});

describe("a disk that is full", () => {
  it("is DISK_FULL, keeps what was published, and leaves no temporary file", async () => {
    const mount = await tmpfs("1m");
    made.push(mount);
    const { store } = open({ home: mount.path });
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a"], NEVER);
    await put(store, bodiesOf({ "a/kept": "kept" }));
    const large = Object.fromEntries(
      Array.from({ length: 64 }, (_, n) => [`a/${n}`, Buffer.alloc(32 * 1024, `${n} `)]),
    );
    await expect(put(store, bodiesOf(large))).rejects.toMatchObject({ code: "DISK_FULL", transient: false });
    await expect(put(store, bodiesOf({ "a/one": Buffer.alloc(2 * 1024 * 1024) }))).rejects.toThrow(
      /is full.*Make room/,
    );
    expect(await readdir(join(mount.path, "dest/a"))).toEqual(["kept"]);
    expect(await readdir(join(mount.path, "dest/.backup/tmp"))).toEqual([]);
    mount.remount("size=16m");
    await put(store, bodiesOf(large));
    expect(await readdir(join(mount.path, "dest/a"))).toHaveLength(65);
  });

  it("is DESTINATION_UNWRITABLE when it is read-only", async () => {
    const mount = await tmpfs("1m");
    made.push(mount);
    const { store } = open({ home: mount.path });
    {
      await using _lease = await store.lease(NEVER);
    }
    mount.remount("ro");
    await expect(store.lease(NEVER)).rejects.toMatchObject({ code: "DESTINATION_UNWRITABLE" });
    expect(await store.directories([], NEVER)).toEqual([]);
  });
});
