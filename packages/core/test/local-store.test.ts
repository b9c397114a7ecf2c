import { mkdir, readFile, readdir, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { type Body, LocalStore, type LocalStoreOptions, type Outcome, backup } from "../src/index.js";
import { ignoring } from "../src/disk-error.js";
import { type MemoryItem, MemorySource, type StoreFixture, storeSuite, withinFixture } from "../src/testing/index.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { compileCore, startChild } from "./support/child.js";
import { entry, folder, many } from "./support/world.js";

const NEVER = new AbortController().signal;

function localFixture(options: LocalStoreOptions): StoreFixture {
  const made: TemporaryDirectory[] = [];
  return {
    async open() {
      const parent = await temporaryDirectory();
      made.push(parent);
      return new LocalStore(join(parent.path, "made/by/lease"), options);
    },
    reopen: async (store) => new LocalStore(store.name, options),
    leftovers: async (store) => (await ignoring(["ENOENT"], readdir(join(store.name, ".backup/tmp")))) ?? [],
    async cleanup() {
      for (const parent of made.splice(0)) await parent[Symbol.asyncDispose]();
    },
  };
}

for (const options of [{}, { batchFiles: 1 }, { batchFiles: 3, batchBytes: 10 }])
  describe(`LocalStore ${JSON.stringify(options)} as a Store`, () => {
    const fixture = localFixture(options);
    for (const { name, run } of storeSuite) it(name, () => run(fixture));
  });

describe("a directory of a LocalStore as a Store", () => {
  const fixture = withinFixture(localFixture({}));
  for (const { name, run } of storeSuite) it(name, () => run(fixture));
});

/** Modes of everything below, by path. */
async function modesIn(directory: string): Promise<ReadonlyMap<string, string>> {
  const modes = new Map<string, string>();
  for (const name of await readdir(directory, { recursive: true }))
    modes.set(name, ((await stat(join(directory, name))).mode & 0o7777).toString(8));
  return modes;
}

/** What is at the destination of a child that was killed while it wrote a body. */
const WRITER = `
  const [, core, directory] = process.argv;
  const { LocalStore } = await import(core);
  const store = new LocalStore(directory);
  const signal = new AbortController().signal;
  await store.lease(signal);
  await store.makeDirectories(["A/cur"], signal);
  async function* bytes() {
    yield Buffer.alloc(100_000);
    console.log("half");
    await new Promise((resolve) => setTimeout(resolve, 600_000));
  }
  async function* bodies() {
    yield { item: { mtime: 0 }, bytes: Buffer.from("whole") };
    yield { item: { mtime: 0 }, bytes: bytes() };
  }
  for await (const _batch of store.put(bodies(), () => ({ path: "A/cur/x" }), signal));
`;

/** Takes the lease and says when it is lost. */
const HOLDER = `
  const [, core, directory, timing] = process.argv;
  const { LocalStore } = await import(core);
  const lease = await new LocalStore(directory, { timing: JSON.parse(timing) }).lease(new AbortController().signal);
  lease.lost.addEventListener("abort", () => console.log(lease.lost.reason.code));
  console.log("leased");
  setInterval(() => {}, 1000);
`;

describe("LocalStore", () => {
  let directory: TemporaryDirectory;
  let core: string;
  let destinations = 0;
  const newDestination = (): string => join(directory.path, `dest${destinations++}`);

  beforeAll(async () => {
    directory = await temporaryDirectory();
    core = await compileCore(join(directory.path, "compiled"));
  });
  afterAll(() => directory[Symbol.asyncDispose]());

  it.each([0, 0o077])("makes directories 0700 and files 0600 under umask %o", async (umask) => {
    const destination = join(newDestination(), "nested");
    const before = process.umask(umask);
    try {
      const long = "more than one piece of bytes";
      const source = new MemorySource([folder("A/deep", entry("1", "one"), entry("2", long)), folder("Empty")]);
      await backup({ source, store: new LocalStore(destination) });
      const modes = await modesIn(join(destination, ".."));
      expect([...modes.keys()]).toEqual(
        expect.arrayContaining(["nested/.backup/checkpoint.json", "nested/A/deep/cur"]),
      );
      for (const [path, mode] of modes) {
        const isDirectory = (await stat(join(destination, "..", path))).isDirectory();
        expect([path, mode]).toEqual([path, isDirectory ? "700" : "600"]);
      }
      expect([...modes.keys()].filter((path) => path.includes("/cur/"))).toHaveLength(2);
    } finally {
      process.umask(before);
    }
  });

  it("makes the lease 0600 too", async () => {
    const destination = newDestination();
    const before = process.umask(0);
    try {
      await using lease = await new LocalStore(destination).lease(NEVER);
      expect(lease.lost.aborted).toBe(false);
      expect((await modesIn(destination)).get(".backup/lease.json")).toBe("600");
    } finally {
      process.umask(before);
    }
  });

  it("leaves nothing of its own beside checkpoint, report and an empty tmp", async () => {
    const destination = newDestination();
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    await backup({ source, store: new LocalStore(destination) });
    expect((await readdir(join(destination, ".backup"))).toSorted()).toEqual(["checkpoint.json", "report.json", "tmp"]);
    expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
  });

  it("keeps times before 1970, and fractions to the second", async () => {
    const destination = newDestination();
    const times = [-86_400_000, 0, 1_600_000_000_999];
    const entries = times.map((mtime, n) =>
      entry(`${n}`, n === 2 ? "a text in more than one piece" : "short", "", mtime),
    );
    const store = new LocalStore(destination);
    await backup({ source: new MemorySource([folder("A", ...entries)]), store });
    const files = (await store.list(["A/cur"], NEVER)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    expect(files.map(({ mtime }) => Math.floor(mtime / 1000))).toEqual([-86_400, 0, 1_600_000_000]);
  });

  it("lists regular files only, and enters no symbolic link", async () => {
    const destination = newDestination();
    const outside = newDestination();
    await mkdir(join(outside, "secret"), { recursive: true });
    await mkdir(join(destination, "A/directory"), { recursive: true });
    await writeFile(join(outside, "file"), "outside");
    await writeFile(join(destination, "A/real"), "inside");
    await symlink(join(outside, "file"), join(destination, "A/link"));
    await symlink(outside, join(destination, "linked"));
    await symlink("nowhere", join(destination, "A/dangling"));
    const store = new LocalStore(destination);
    expect((await store.list(["A"], NEVER)).map(({ path }) => path)).toEqual(["A/real"]);
    expect((await store.directories([], NEVER)).map(({ path }) => path).toSorted()).toEqual(["A", "A/directory"]);
  });

  it("says which path is in the way, as a BackupError", async () => {
    const destination = newDestination();
    await writeFile(destination, "a file");
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const run = backup({ source, store: new LocalStore(destination) });
    await expect(run).rejects.toMatchObject({ name: "BackupError", code: "DESTINATION_UNWRITABLE" });
    await expect(new LocalStore(destination).directories([], NEVER)).rejects.toMatchObject({
      code: "DESTINATION_UNWRITABLE",
    });

    const other = newDestination();
    await mkdir(other);
    await writeFile(join(other, "A"), "in the way of a directory");
    const blocked = backup({ source, store: new LocalStore(other) });
    await expect(blocked).rejects.toThrow(
      expect.objectContaining({ code: "DESTINATION_UNWRITABLE", message: expect.stringContaining("/A") }),
    );
    expect(await readFile(join(other, "A"), "utf8")).toBe("in the way of a directory");
    expect(await readdir(join(other, ".backup/tmp"))).toEqual([]);
  });

  it("can put again after a put that failed half-way through publishing", async () => {
    const destination = newDestination();
    const store = new LocalStore(destination);
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["A/taken"], NEVER);
    const put = async (name: string): Promise<void> => {
      async function* bodies(): AsyncGenerator<Body> {
        const item = { id: name, rev: "", collection: "A", size: 1, mtime: 0 };
        yield { item: { ...item, id: `${name}2` }, bytes: Buffer.from("2") };
        yield { item, bytes: Buffer.from("1") };
      }
      for await (const batch of store.put(bodies(), ({ id }) => ({ path: `A/${id}` }), NEVER))
        expect(batch).toHaveLength(2);
    };
    await expect(put("taken")).rejects.toMatchObject({ code: "DESTINATION_UNWRITABLE" });
    expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
    await put("free");
    expect((await store.list(["A"], NEVER)).map(({ path }) => path).toSorted()).toEqual([
      "A/free",
      "A/free2",
      "A/taken2",
    ]);
  });

  it("takes over at once from a process that was killed, and clears what it left", async () => {
    const destination = newDestination();
    await using child = startChild(WRITER, [core, destination]);
    expect(await child.line()).toBe("half");
    await expect(new LocalStore(destination).lease(NEVER)).rejects.toMatchObject({ code: "LEASE_HELD" });
    await expect(new LocalStore(destination).lease(NEVER)).rejects.toThrow(`process ${child.process.pid} on `);
    expect(await readdir(join(destination, ".backup/tmp"))).toHaveLength(1);
    await child.kill("SIGKILL");
    const started = performance.now();
    await using lease = await new LocalStore(destination).lease(NEVER);
    expect(performance.now() - started).toBeLessThan(busy(2000));
    expect(lease.lost.aborted).toBe(false);
    expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
    expect(await readdir(join(destination, "A/cur"))).toEqual([]);
  });

  it("keeps a lease that is beaten, takes over one that is not, and the late holder learns it", async () => {
    const destination = newDestination();
    const timing = { beatMs: 50, expiryMs: 5000 };
    await using child = startChild(HOLDER, [core, destination, JSON.stringify(timing)]);
    expect(await child.line()).toBe("leased");
    const store = new LocalStore(destination, { timing });
    for (let tries = 0; tries < 10; tries++) {
      await sleep(200);
      await expect(store.lease(NEVER)).rejects.toMatchObject({ code: "LEASE_HELD" });
    }
    await child.kill("SIGSTOP");
    await sleep(timing.expiryMs + 200);
    await using lease = await store.lease(NEVER);
    await child.kill("SIGCONT");
    expect(await child.line()).toBe("LEASE_LOST");
    await sleep(3 * timing.beatMs);
    expect(lease.lost.aborted).toBe(false);
  });

  it("publishes nothing more once the lease is lost", async () => {
    const destination = newDestination();
    /** Loses the lease in the middle of the transfer. */
    class Thief extends MemorySource {
      override async *read(items: readonly MemoryItem[], signal: AbortSignal): AsyncGenerator<Body<MemoryItem>> {
        yield* super.read(items.slice(0, 4), signal);
        // Again and again: a heartbeat that is under way may put ours back.
        for (; !signal.aborted; await sleep(5)) {
          await writeFile(join(destination, "stolen"), '{"token":"other","host":"elsewhere","pid":1}');
          await rename(join(destination, "stolen"), join(destination, ".backup/lease.json"));
        }
        for (const item of items.slice(4)) yield { item, bytes: Buffer.from("late") };
      }
    }
    const store = new LocalStore(destination, { timing: { beatMs: 20, expiryMs: 60_000 }, batchFiles: 2 });
    const run = backup({ source: new Thief([folder("A", ...many(10))]), store });
    await expect(run).rejects.toMatchObject({ code: "LEASE_LOST", transient: true });
    const files = await store.list(["A/cur"], NEVER);
    expect(files.length).toBeLessThanOrEqual(4);
    for (const { path } of files) expect(await readFile(join(destination, path), "utf8")).toMatch(/^text /);
    // The lease is the other's, and stays.
    expect(await readFile(join(destination, ".backup/lease.json"), "utf8")).toContain("elsewhere");
    expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
    expect(await readFile(join(destination, ".backup/checkpoint.json"), "utf8")).toContain('"fingerprint": ""');
  });
});

describe("a symbolic link in the place of a directory", () => {
  it("is refused instead of followed", async () => {
    await using parent = await temporaryDirectory();
    const store = new LocalStore(join(parent.path, "destination"));
    await using _lease = await store.lease(NEVER);
    await mkdir(join(parent.path, "elsewhere"));
    await symlink("../elsewhere", join(parent.path, "destination/A"));
    await expect(store.makeDirectories(["A/below/cur"], NEVER)).rejects.toMatchObject({
      code: "DESTINATION_UNWRITABLE",
    });
    const source = new MemorySource([folder("A", ...many(1))]);
    await expect(store.makeDirectories(["A"], NEVER)).rejects.toMatchObject({ code: "DESTINATION_UNWRITABLE" });
    await _lease[Symbol.asyncDispose]();
    await expect(backup({ source, store })).rejects.toThrow(/destination\/A is a symbolic link/);
    expect(await readdir(join(parent.path, "elsewhere"))).toEqual([]);
  });
});

describe("bodies that are apart", () => {
  const itemOf = (path: string) => ({ id: path, rev: "", collection: "A", size: 3, mtime: 0, path });
  type PathItem = ReturnType<typeof itemOf>;
  const putAll = async (store: LocalStore, bodies: AsyncIterable<Body<PathItem>>, signal = NEVER) => {
    const outcomes: Outcome<PathItem>[] = [];
    for await (const batch of store.put(bodies, ({ path }) => ({ path }), signal)) outcomes.push(...batch);
    return outcomes;
  };

  it("are read side by side, and beside those that are not", async () => {
    await using directory = await temporaryDirectory();
    await using store = new LocalStore(directory.path);
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["A"], NEVER);
    let begun = 0;
    let openGate = (): void => {};
    const gate = new Promise<void>((resolve) => {
      openGate = resolve;
    });
    async function* pieces(): AsyncGenerator<Uint8Array> {
      begun++;
      yield Buffer.from("a");
      await gate;
      yield Buffer.from("bc");
    }
    async function* bodies(): AsyncGenerator<Body<PathItem>> {
      for (const name of ["1", "2", "3"]) yield { item: itemOf(`A/${name}`), bytes: pieces(), isApart: true };
      yield { item: itemOf("A/4"), bytes: Buffer.from("def") };
      while (begun < 3) await sleep(1);
      openGate();
    }
    const outcomes = await putAll(store, bodies());
    expect(outcomes.map(({ item }) => item.path).toSorted()).toEqual(["A/1", "A/2", "A/3", "A/4"]);
    for (const name of ["1", "2", "3"]) expect(await readFile(join(directory.path, "A", name), "utf8")).toBe("abc");
  });

  it("leave nothing when the run is stopped", async () => {
    await using directory = await temporaryDirectory();
    await using store = new LocalStore(directory.path);
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["A"], NEVER);
    const stop = new AbortController();
    const ended: string[] = [];
    async function* pieces(name: string): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yield Buffer.from("a");
          await sleep(1);
        }
      } finally {
        ended.push(name);
      }
    }
    async function* bodies(): AsyncGenerator<Body<PathItem>> {
      for (const name of ["1", "2"]) yield { item: itemOf(`A/${name}`), bytes: pieces(name), isApart: true };
      await sleep(20);
      stop.abort();
      yield { item: itemOf("A/3"), bytes: Buffer.from("def") };
    }
    await expect(putAll(store, bodies(), stop.signal)).rejects.toMatchObject({ code: "ABORTED" });
    expect(ended.toSorted()).toEqual(["1", "2"]);
    expect(await readdir(join(directory.path, "A"))).toEqual([]);
    const left = await readdir(join(directory.path, ".backup/tmp"), { recursive: true, withFileTypes: true });
    expect(left.filter((one) => one.isFile())).toEqual([]);
  });
});
