import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  BackupError,
  type Body,
  type Content,
  INVENTORY_FILE,
  type Inventory,
  type Item,
  type Outcome,
  type Path,
  type Place,
  backup,
  listBackup,
  readBackup,
} from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder, record, watched } from "./support/world.js";

const NEVER = new AbortController().signal;

/** Loses files without a word between the end of a put and what comes after it. */
class LosingStore extends MemoryStore {
  loses: (path: Path) => boolean = () => false;

  override async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    yield* super.put(bodies, place, signal);
    for (const path of this.files().keys()) if (this.loses(path)) this.snatch(path);
  }
}

async function inventoryOf(store: MemoryStore): Promise<Inventory> {
  const { inventory } = await readBackup(store, NEVER);
  if (!inventory) throw new Error("there is no report");
  return inventory;
}

const holdingOf = async (store: MemoryStore, path: Path) =>
  (await inventoryOf(store)).collections.find((holding) => holding.path === path);

const listing = async (source: MemorySource, store: MemoryStore) =>
  await listBackup({ store, layout: source, inventory: (await readBackup(store, NEVER)).inventory, signal: NEVER });

function digestOf(...ids: readonly string[]): string {
  return createHash("sha256")
    .update(ids.map((id) => `${id}\n`).join(""))
    .digest("hex");
}

describe("the report of a run at its destination", () => {
  it("says of each collection what the source has and what is here", async () => {
    const side = { bytes: Buffer.from("labels"), mtime: 5000 };
    const source = new MemorySource([
      { ...folder("B", entry("2", "two"), entry("10", "ten"), entry("1", "one")), sidecar: side },
      folder("A"),
    ]);
    const store = new MemoryStore();
    const report = await backup({ source, store });
    const inventory = await inventoryOf(store);
    const { finished } = inventory;
    expect(Math.abs(Date.parse(finished) - Date.now())).toBeLessThan(60_000);
    const { seconds } = report;
    expect(inventory).toMatchObject({ format: 1, source: "memory", seconds, result: "done", complete: finished });
    const common = { at: finished, gaps: [], kept: 0, stamp: expect.stringMatching(/./) };
    expect(inventory.collections).toEqual([
      { ...common, path: "A", name: "A", items: 0, files: 0, bytes: 0, digest: digestOf() },
      { ...common, path: "B", name: "B", items: 3, files: 3, bytes: 9, digest: digestOf("1", "10", "2") },
    ]);
  });

  it("names a file that was lost behind the run's back, and the next run brings it", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("2", "b"))]);
    const store = new LosingStore();
    store.loses = (path) => path.startsWith("A/cur/2~");
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "partial", failed: 1, added: 3 });
    expect(events.filter(({ type }) => type === "failed")).toEqual([
      {
        type: "failed",
        collection: "A",
        item: "2",
        code: "ITEM_MISSING",
        message: expect.stringMatching(/^2 of A is not at memory after the run.*the next run brings it again$/),
      },
    ]);
    expect(await inventoryOf(store)).toMatchObject({ result: "partial", complete: null });
    expect(await holdingOf(store, "A")).toMatchObject({ items: 2, files: 1, gaps: ["2"], kept: 0, stamp: "" });
    expect(await holdingOf(store, "B")).toMatchObject({ items: 1, files: 1, gaps: [] });

    store.loses = () => false;
    expect(await backup({ source, store })).toMatchObject({ result: "done", added: 1, unchanged: 1 });
    expect(await holdingOf(store, "A")).toMatchObject({ items: 2, files: 2, gaps: [], digest: digestOf("1", "2") });
  });

  it("names a file that was cut short, and a sidecar that is not there", async () => {
    const side = { bytes: Buffer.from("labels"), mtime: 5000 };
    const source = new MemorySource([{ ...folder("A", entry("1", "one"), entry("2", "two")), sidecar: side }]);
    const store = new LosingStore();
    store.loses = (path) => {
      if (path.startsWith("A/cur/1~")) store.plant(path, Buffer.from("o"));
      return path === "A/labels";
    };
    expect(await backup({ source, store })).toMatchObject({ result: "partial", failed: 2 });
    expect(await holdingOf(store, "A")).toMatchObject({ items: 2, files: 2, gaps: ["1", "labels"], kept: 1 });
  });

  it("names what could not be read, which is reported once, and not what had vanished", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two"), entry("3", "three"))]);
    source.faults = {
      read: ({ id }) => (id === "1" ? new Error("unreadable") : undefined),
      vanish: ({ id }) => id === "2",
    };
    const store = new MemoryStore();
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "partial", failed: 1 });
    expect(events.filter(({ type }) => type === "failed")).toHaveLength(1);
    expect(await holdingOf(store, "A")).toMatchObject({ items: 2, files: 1, gaps: ["1"] });
  });

  it("counts what is kept apart", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", entry("1", "one"))];
    expect(await backup({ source, store, keepDeleted: true })).toMatchObject({ result: "done", kept: 2 });
    expect(await holdingOf(store, "A")).toMatchObject({ items: 1, files: 2, gaps: [], kept: 1 });
    expect(await holdingOf(store, "B")).toMatchObject({ items: 0, files: 1, gaps: [], kept: 1 });
    expect((await listing(source, store)).some(({ isDifferent }) => isDifferent)).toBe(false);
    await backup({ source, store });
    expect(await holdingOf(store, "B")).toBeUndefined();
  });

  it("stays as it was for what was not looked at, and says which could not be listed", async () => {
    const source = new MemorySource([folder("A", entry("1", "one")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    const before = await inventoryOf(store);
    source.data = [folder("A", entry("1", "one")), folder("B", entry("1", "b"), entry("2", "new"))];
    source.faults = { list: (path) => (path === "B" ? unlistable(path) : undefined) };
    expect(await backup({ source, store })).toMatchObject({ result: "partial" });
    const after = await inventoryOf(store);
    expect(after).toMatchObject({ result: "partial", complete: before.finished, unlisted: ["B"] });
    expect(after.collections[0]).toEqual({ ...before.collections[0], at: after.finished });
    expect(after.collections[1]).toEqual(before.collections[1]);
  });

  it("is that of before when the run was cut, and a run that it says nothing of compares again", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    const before = await inventoryOf(store);
    source.data = [folder("A", entry("1", "one"), entry("2", "two"))];
    let writes = 0;
    const cut = watched(store, (method) => {
      if (method === "write" && ++writes === 2) throw new Error("cut");
    });
    await expect(backup({ source, store: cut.store })).rejects.toThrow("cut");
    expect(await inventoryOf(store)).toEqual(before);
    expect((await listing(source, store))[0]).toMatchObject({ isDifferent: true, now: { files: 2 } });
    expect(await backup({ source, store })).toMatchObject({ unchanged: 0, added: 0 });
    expect(await holdingOf(store, "A")).toMatchObject({ items: 2, files: 2, gaps: [] });
    expect(await backup({ source, store })).toMatchObject({ unchanged: 1 });
  });

  it.each([
    ["missing", undefined],
    ["no JSON", '{"format":1,"sou'],
    ["of another format", '{"format":2}'],
    ["no object", "null"],
    ["of other contents", '{"format":1,"source":"memory","collections":[{"path":"../../etc"}]}'],
  ])("costs a comparison and nothing else when it is %s", async (_what, text) => {
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    if (text === undefined) store.snatch(INVENTORY_FILE);
    else store.plant(INVENTORY_FILE, Buffer.from(text));
    expect((await readBackup(store, NEVER)).inventory).toBeUndefined();
    expect(await backup({ source, store })).toMatchObject({ result: "done", added: 0, unchanged: 0 });
    expect(await holdingOf(store, "A")).toMatchObject({ items: 1, files: 1, gaps: [] });
  });

  it("is not written by a dry run", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const store = new MemoryStore();
    await backup({ source, store, dryRun: true });
    expect(store.steps).toBe(0);
  });

  it("is made with one more listing of what was touched, and none of the rest", async () => {
    const source = new MemorySource([folder("A", entry("1", "one")), folder("B", entry("1", "b"))], {
      fingerprints: false,
    });
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))];
    const { store: other, calls } = watched(store);
    await backup({ source, store: other });
    expect(calls.filter((call) => call === "list")).toHaveLength(3);
  });
});

describe("what is listed of a backup", () => {
  async function filled(): Promise<{ source: MemorySource; store: MemoryStore }> {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    return { source, store };
  }
  const different = async (source: MemorySource, store: MemoryStore): Promise<readonly Path[]> =>
    (await listing(source, store)).flatMap(({ path, isDifferent }) => (isDifferent ? [path] : []));

  it("is the same as its report, without a step of writing", async () => {
    const { source, store } = await filled();
    store.plant("other/file", Buffer.from("not ours"));
    store.plant("other/cur/file", Buffer.from("not ours"));
    const { steps } = store;
    expect(await listing(source, store)).toMatchObject([{ path: "A", now: { files: 2 } }, { path: "B" }]);
    expect(await different(source, store)).toEqual([]);
    expect(store.steps).toBe(steps);
  });

  it("differs by a file that is gone, cut short, replaced or new, and by a whole collection", async () => {
    const { source, store } = await filled();
    const [first = "", second = ""] = [...store.files().keys()].filter((path) => path.startsWith("A/"));
    const bytes = store.files().get(first)?.bytes ?? new Uint8Array();
    store.snatch(first);
    expect(await different(source, store)).toEqual(["A"]);
    store.plant(first, bytes.subarray(1));
    expect(await different(source, store)).toEqual(["A"]);
    store.plant(first, bytes);
    expect(await different(source, store)).toEqual([]);
    store.snatch(first);
    store.plant(second.replace("/2~", "/3~"), bytes);
    expect(await different(source, store)).toEqual(["A"]);
    store.snatch(second.replace("/2~", "/3~"));
    store.plant(first, bytes);
    store.plant(first.replace("A/", "C/"), bytes);
    expect(await different(source, store)).toEqual(["C"]);
  });

  it("says that there is none, of which source it is, and which report is not of it", async () => {
    await expect(readBackup(new MemoryStore(), NEVER)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/no backup at memory.*name a directory/),
    });
    const { store } = await filled();
    store.snatch(".backup/checkpoint.json");
    expect(await readBackup(store, NEVER)).toMatchObject({ source: "memory", inventory: { source: "memory" } });
    await backup({ source: new MemorySource([folder("A", entry("1", "one"))]), store, keepDeleted: true });
    const { inventory } = await readBackup(store, NEVER);
    store.plant(INVENTORY_FILE, Buffer.from(JSON.stringify({ ...inventory, source: "other" })));
    expect(await readBackup(store, NEVER)).toEqual({ source: "memory", inventory: undefined });
  });
});

function unlistable(path: Path): Error {
  return new BackupError("COLLECTION_UNAVAILABLE", `${path} cannot be listed`);
}
