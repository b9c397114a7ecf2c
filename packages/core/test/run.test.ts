import { describe, expect, it } from "vitest";
import { BackupError, backup } from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder, many, record, textsIn, watched } from "./support/world.js";

const CHECKPOINT = ".backup/checkpoint.json";

async function checkpointOf(store: MemoryStore): Promise<string> {
  return Buffer.from(await store.read(CHECKPOINT, new AbortController().signal)).toString();
}

async function directoriesOf(store: MemoryStore): Promise<readonly string[]> {
  const found = await store.directories([], new AbortController().signal);
  return found.map(({ path }) => path).toSorted();
}

describe("a run", () => {
  it("makes the store equal to the source and says what it did", async () => {
    const source = new MemorySource([folder("INBOX", entry("1", "one"), entry("2", "two")), folder("Empty/deep")]);
    const store = new MemoryStore();
    const { report, events } = await record({ source, store });
    expect(textsIn(store, "INBOX")).toEqual(["one", "two"]);
    expect(await directoriesOf(store)).toEqual(["Empty", "Empty/deep", "Empty/deep/cur", "INBOX", "INBOX/cur"]);
    expect(report).toMatchObject({
      result: "done",
      dryRun: false,
      collections: 2,
      unchanged: 0,
      items: 2,
      added: 2,
      bytes: 6,
    });
    expect(report).toMatchObject({ moved: 0, renamed: 0, removed: 0, kept: 0, postponed: 0, failed: 0 });
    expect(events.map(({ type }) => type)).toEqual([
      "start",
      "lease",
      "collection",
      "collection",
      "plan",
      "progress",
      "end",
    ]);
    expect(events[0]).toEqual({ type: "start", source: "memory", destination: "memory", dryRun: false });
    expect(events.at(-1)).toEqual({ type: "end", report });
  });

  it("works in the order: claim, make, move, put, remove, remove directories, checkpoint, report", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const memory = new MemoryStore();
    await backup({ source, store: memory });
    source.data = [folder("A", entry("1", "one", "S"), entry("3", "three")), folder("C", entry("1", "c"))];
    const { store, calls } = watched(memory);
    await backup({ source, store });
    const reading = new Set(["list", "read", "directories"]);
    const writing = [
      "lease",
      "write",
      "makeDirectories",
      "move",
      "put",
      "remove",
      "removeDirectories",
      "write",
      "write",
    ];
    expect(calls.filter((call) => !reading.has(call))).toEqual(writing);
    expect(calls.slice(0, 2)).toEqual(["lease", "read"]);
  });

  it("that follows an unchanged one lists nothing and writes its report alone", async () => {
    const source = new MemorySource([folder("A", entry("1", "one")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    const steps = store.steps;
    source.faults = { list: () => new Error("was listed") };
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "done", collections: 2, unchanged: 2, items: 2, added: 0 });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "collection", name: "A", state: "unchanged", items: 1 }),
    );
    // The lease is one, the report the other.
    expect(store.steps - steps).toBe(2);
  });

  it("compares a collection again when somebody changed its directory", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    const victim = [...store.files().keys()].find((path) => path.startsWith("A/cur/2"));
    store.snatch(victim ?? "");
    const { report } = await record({ source, store });
    expect(report).toMatchObject({ unchanged: 1, added: 1 });
    expect(textsIn(store, "A")).toEqual(["one", "two"]);
  });

  it("renames a file whose label changed, without a transfer", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", entry("1", "one", "FS"))];
    source.faults = { read: () => new Error("was read") };
    const { report } = await record({ source, store });
    expect(report).toMatchObject({ result: "done", added: 0, renamed: 1, bytes: 0 });
    expect([...store.files().keys()]).toEqual([expect.stringMatching(/^A\/cur\/1~1\..*:2,FS$/)]);
  });

  it("does not count sidecars", async () => {
    const side = { bytes: Buffer.from("labels"), mtime: 1000 };
    const source = new MemorySource([{ ...folder("A", entry("1", "one")), sidecar: side }]);
    const store = new MemoryStore();
    expect((await record({ source, store })).report).toMatchObject({ items: 1, added: 1, bytes: 9 });
    source.data = [{ ...folder("A"), sidecar: { ...side, bytes: Buffer.from("other") } }];
    expect((await record({ source, store })).report).toMatchObject({ items: 0, added: 0, removed: 1, bytes: 5 });
    source.data = [folder("A")];
    expect((await record({ source, store })).report).toMatchObject({ items: 0, added: 0, removed: 0 });
    expect(store.files().size).toBe(0);
  });

  it("takes the directories of a vanished collection away, an empty one's too, and leaves what is not ours", async () => {
    const source = new MemorySource([
      folder("A"),
      folder("B", entry("1", "b")),
      folder("C/deep"),
      folder("D", entry("1", "d")),
    ]);
    const store = new MemoryStore();
    await backup({ source, store });
    store.plant("D/cur/somebody's", Buffer.from("x"));
    source.data = [folder("A")];
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "done", collections: 1, removed: 2 });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "collection", name: "B", state: "vanished", removed: 1 }),
    );
    expect(await directoriesOf(store)).toEqual(["A", "A/cur", "D", "D/cur"]);
    expect([...store.files().keys()]).toEqual(["D/cur/somebody's"]);
  });

  it("leaves an empty directory alone that it did not make", async () => {
    const source = new MemorySource([folder("A")]);
    const store = new MemoryStore();
    await backup({ source, store });
    store.plant("Mine/cur/x", Buffer.from("x"));
    store.snatch("Mine/cur/x");
    await backup({ source, store });
    expect(await directoriesOf(store)).toContain("Mine/cur");
  });

  it("keeps to the separator that the destination began with", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const narrow = new MemoryStore({ colon: false });
    await backup({ source, store: narrow });
    source.data = [folder("A", entry("1", "one"), entry("2", "two"))];
    const wide = narrow.reopen({ colon: true });
    const { report } = await record({ source, store: wide });
    expect(report).toMatchObject({ added: 1, renamed: 0 });
    for (const path of wide.files().keys()) expect(path).toMatch(/;2,$/);
  });
});

describe("a run in which something is missing", () => {
  it("is partial when an item cannot be read: all else is stored, nothing is removed, the next run completes", async () => {
    const source = new MemorySource([
      folder("A", entry("1", "one"), entry("2", "two")),
      folder("Gone", entry("1", "g")),
    ]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", entry("2", "two"), entry("3", "three"), entry("4", "four"))];
    source.faults = {
      read: ({ id }) => (id === "3" ? new BackupError("ITEM_UNREADABLE", "three is broken") : undefined),
    };
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "partial", added: 1, removed: 0, postponed: 2, failed: 1 });
    expect(events).toContainEqual({
      type: "failed",
      collection: "A",
      item: "3",
      code: "ITEM_UNREADABLE",
      message: "three is broken",
    });
    expect(textsIn(store, "A")).toEqual(["four", "one", "two"]);
    expect(textsIn(store, "Gone")).toEqual(["g"]);

    source.faults = {};
    expect((await record({ source, store })).report).toMatchObject({
      result: "done",
      added: 1,
      removed: 2,
      postponed: 0,
    });
    expect(textsIn(store, "A")).toEqual(["four", "three", "two"]);
    expect(await directoriesOf(store)).toEqual(["A", "A/cur"]);
  });

  it("is partial when a collection cannot be listed; the others are stored", async () => {
    const source = new MemorySource([folder("A", entry("1", "one")), folder("B", entry("1", "b"), entry("2", "bb"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", entry("2", "two")), folder("B", entry("2", "bb"), entry("3", "bbb"))];
    source.faults = {
      list: (path) => (path === "A" ? new BackupError("COLLECTION_UNAVAILABLE", "A is locked") : undefined),
    };
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "partial", added: 1, removed: 0, postponed: 1, failed: 1 });
    expect(events).toContainEqual({
      type: "failed",
      collection: "A",
      code: "COLLECTION_UNAVAILABLE",
      message: "A is locked",
    });
    expect(textsIn(store, "A")).toEqual(["one"]);
    expect(textsIn(store, "B")).toEqual(["b", "bb", "bbb"]);
    source.faults = {};
    expect((await record({ source, store })).report).toMatchObject({ result: "done", added: 1, removed: 2 });
    expect(textsIn(store, "A")).toEqual(["two"]);
    expect(textsIn(store, "B")).toEqual(["bb", "bbb"]);
  });

  it("is partial when the source cannot list a collection at all", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const error = new BackupError("NOTHING_SELECTED", "Selected does not exist");
    source.faults = { missing: [{ name: "Selected", error }] };
    const store = new MemoryStore();
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "partial", added: 1, failed: 1 });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "failed", collection: "Selected", code: "NOTHING_SELECTED" }),
    );
  });

  it("ends with any other error of a listing, and has written nothing", async () => {
    const source = new MemorySource([folder("A", entry("1", "one")), folder("B")]);
    source.faults = { list: (path) => (path === "B" ? new BackupError("CONNECTION_LOST", "gone") : undefined) };
    const store = new MemoryStore();
    await expect(backup({ source, store })).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(store.steps).toBe(1);
    await using lease = await store.lease(new AbortController().signal);
    expect(lease.lost.aborted).toBe(false);
  });

  it("keeps the first of two collections that have one path", async () => {
    const source = new MemorySource([
      folder("A", entry("1", "one")),
      folder("A", entry("1", "other")),
      folder("B", entry("1", "b")),
    ]);
    const store = new MemoryStore();
    const { report, events } = await record({ source, store });
    expect(report).toMatchObject({ result: "partial", collections: 2, added: 2, failed: 1 });
    expect(events.filter(({ type }) => type === "failed")).toHaveLength(1);
    expect(textsIn(store, "A")).toEqual(["one"]);
  });

  it.each(["../out", ".backup/tmp", "A/.hidden", "A/cur/inner", "/etc", "A//B", ""])(
    "leaves out a collection at %j",
    async (path) => {
      const source = new MemorySource([folder(path, entry("1", "evil")), folder("A", entry("1", "one"))]);
      const store = new MemoryStore();
      const { report, events } = await record({ source, store });
      expect(report).toMatchObject({ result: "partial", added: 1, failed: 1 });
      expect(events).toContainEqual(expect.objectContaining({ type: "failed", collection: path, code: "UNSAFE_PATH" }));
      expect([...store.files().keys()]).toEqual([expect.stringMatching(/^A\/cur\/1~/)]);
    },
  );

  it("looks again at a collection of which an item gave no answer, and keeps what that item was to replace", async () => {
    const source = new MemorySource([folder("A", { ...entry("1", "old"), rev: "1" }, entry("2", "two"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", { ...entry("1", "new!"), rev: "2" }, entry("3", "three"))];
    source.faults = { vanish: ({ id }) => id === "1" };
    expect((await record({ source, store })).report).toMatchObject({
      result: "done",
      added: 1,
      removed: 0,
      postponed: 1,
    });
    expect(textsIn(store, "A")).toEqual(["old", "three", "two"]);
    source.faults = {};
    expect((await record({ source, store })).report).toMatchObject({ result: "done", unchanged: 0, added: 1 });
    expect(textsIn(store, "A")).toEqual(["new!", "three"]);
  });
});

describe("keepDeleted", () => {
  it("keeps what vanished, says so each time, and lets it go when it is not asked for any more", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", entry("2", "two"))];
    for (let run = 0; run < 2; run++) {
      const { report } = await record({ source, store, keepDeleted: true });
      expect(report).toMatchObject({ result: "done", removed: 0, kept: 2, postponed: 0 });
      expect(textsIn(store, "A")).toEqual(["one", "two"]);
      expect(textsIn(store, "B")).toEqual(["b"]);
    }
    expect((await record({ source, store })).report).toMatchObject({ removed: 2, kept: 0 });
    expect(textsIn(store, "A")).toEqual(["two"]);
    expect(await directoriesOf(store)).toEqual(["A", "A/cur"]);
  });

  it("replaces what comes back under another id, instead of keeping it twice", async () => {
    const source = new MemorySource([folder("A", ...many(5, "old")), folder("B", entry("1", "moved"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A", ...many(5, "new"), entry("x", "moved")), folder("B")];
    const { report } = await record({ source, store, keepDeleted: true });
    expect(report).toMatchObject({ added: 6, removed: 0, kept: 0 });
    expect(textsIn(store, "A")).toEqual(["moved", ...many(5).map(({ bytes }) => Buffer.from(bytes).toString())]);
    expect(textsIn(store, "B")).toEqual([]);
  });

  it("needs no permission to delete", async () => {
    const source = new MemorySource([folder("A", ...many(200))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A")];
    expect((await record({ source, store, keepDeleted: true })).report).toMatchObject({ result: "done", kept: 200 });
    expect(textsIn(store, "A")).toHaveLength(200);
  });
});

describe("dryRun", () => {
  it("says what a run would do and writes nothing at all, not even a lease", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const memory = new MemoryStore();
    const first = watched(memory);
    expect((await record({ source, store: first.store, dryRun: true })).report).toMatchObject({
      dryRun: true,
      added: 3,
      bytes: 0,
    });
    expect(memory.steps).toBe(0);

    await backup({ source, store: memory });
    source.data = [folder("A", entry("2", "two", "S"), entry("3", "three"))];
    const before = { steps: memory.steps, files: memory.files() };
    const second = watched(memory);
    const { report, events } = await record({ source, store: second.store, dryRun: true });
    expect(report).toMatchObject({ result: "done", dryRun: true, added: 1, renamed: 1, removed: 2, kept: 0 });
    expect(events).toContainEqual(expect.objectContaining({ type: "plan", add: 1, bytes: 5, rename: 1, remove: 2 }));
    expect({ steps: memory.steps, files: memory.files() }).toEqual(before);
    for (const call of [...first.calls, ...second.calls]) expect(["directories", "list", "read"]).toContain(call);
    const keeping = await record({ source, store: memory, dryRun: true, keepDeleted: true });
    expect(keeping.report).toMatchObject({ removed: 0, kept: 2 });
  });

  it("does not promise removals that a partial run would not do", async () => {
    const source = new MemorySource([folder("A", entry("1", "one")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A"), folder("B", entry("2", "bb"))];
    source.faults = { list: (path) => (path === "B" ? new BackupError("COLLECTION_UNAVAILABLE", "no") : undefined) };
    const { report } = await record({ source, store, dryRun: true });
    expect(report).toMatchObject({ result: "partial", removed: 0, postponed: 1, failed: 1 });
  });

  it("goes on while another run holds the lease", async () => {
    const store = new MemoryStore();
    await using lease = await store.lease(new AbortController().signal);
    const report = await backup({ source: new MemorySource([folder("A")]), store, dryRun: true });
    expect(report.result).toBe("done");
    expect(lease.lost.aborted).toBe(false);
  });
});

describe("refusals, each of which changes nothing", () => {
  async function filled(): Promise<{ source: MemorySource; store: MemoryStore }> {
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    return { source, store };
  }

  async function expectRefused(code: string, store: MemoryStore, options: { source: MemorySource }): Promise<void> {
    const before = { files: store.files(), steps: store.steps, checkpoint: await checkpointOf(store) };
    await expect(backup({ ...options, store })).rejects.toMatchObject({ name: "BackupError", code });
    expect(store.files()).toEqual(before.files);
    expect(await checkpointOf(store)).toBe(before.checkpoint);
    expect(store.steps - before.steps).toBe(1);
  }

  it("DESTINATION_OTHER: the destination holds another source's backup", async () => {
    const { store } = await filled();
    const other = new MemorySource([folder("A", entry("1", "one"))], { id: "somebody else" });
    await expectRefused("DESTINATION_OTHER", store, { source: other });
    await expect(backup({ source: other, store, dryRun: true })).rejects.toThrow(/memory, not of somebody else/);
  });

  it("DESTINATION_NEWER: a newer version wrote the destination", async () => {
    const { source, store } = await filled();
    store.plant(CHECKPOINT, Buffer.from('{"format":2,"anything":[]}'));
    await expectRefused("DESTINATION_NEWER", store, { source });
  });

  it("SOURCE_EMPTY: the source lists no collection", async () => {
    const { source, store } = await filled();
    source.data = [];
    await expectRefused("SOURCE_EMPTY", store, { source });
  });

  it("LEASE_HELD: another run is on", async () => {
    const { source, store } = await filled();
    await using lease = await store.lease(new AbortController().signal);
    await expect(backup({ source, store: store.reopen() })).rejects.toMatchObject({
      code: "LEASE_HELD",
      transient: true,
    });
    expect(lease.lost.aborted).toBe(false);
  });
});

describe("the deletion limit", () => {
  async function held(
    ...collections: readonly (readonly [string, number])[]
  ): Promise<{ source: MemorySource; store: MemoryStore }> {
    const source = new MemorySource(collections.map(([path, count]) => folder(path, ...many(count))));
    const store = new MemoryStore({ batchFiles: 100 });
    await backup({ source, store });
    return { source, store };
  }

  it("stops a run that would empty half a collection, before it changes anything", async () => {
    const { source, store } = await held(["A", 200], ["B", 500]);
    source.data = [folder("A", ...many(200).slice(101), entry("new", "new")), folder("B", ...many(500))];
    const steps = store.steps;
    await expect(backup({ source, store })).rejects.toMatchObject({ code: "DELETION_LIMIT" });
    await expect(backup({ source, store })).rejects.toThrow(/would delete 101 of 200 in A, .*--allow-deletes/);
    await expect(backup({ source, store, dryRun: true })).rejects.toMatchObject({ code: "DELETION_LIMIT" });
    expect(store.steps - steps).toBe(2);
    expect(textsIn(store, "A")).toHaveLength(200);
    const { report } = await record({ source, store, allowDeletes: true });
    expect(report).toMatchObject({ result: "done", added: 1, removed: 101 });
    expect(textsIn(store, "A")).toHaveLength(100);
  });

  it("lets exactly half go, and everything of a small collection", async () => {
    const { source, store } = await held(["A", 200], ["B", 99]);
    source.data = [folder("A", ...many(200).slice(100))];
    // B's 99 and A's 100 are more than half of everything.
    await expect(backup({ source, store })).rejects.toThrow(/would delete 199 of 299 in everything together/);
    source.data = [folder("A", ...many(200).slice(50))];
    expect((await record({ source, store })).report).toMatchObject({ removed: 149 });
  });

  it("counts collections that were skipped as unchanged into everything", async () => {
    const { source, store } = await held(["A", 90], ["B", 90], ["C", 200]);
    source.data = [folder("C", ...many(200))];
    expect((await record({ source, store })).report).toMatchObject({ unchanged: 1, removed: 180 });
  });

  it("looks again after the transfer: what looked moved and was not stops the run before it removes", async () => {
    const { source, store } = await held(["A", 200]);
    source.data = [folder("A", ...many(200, "new", "TEXT"))];
    await expect(backup({ source, store })).rejects.toMatchObject({ code: "DELETION_LIMIT" });
    const texts = textsIn(store, "A");
    expect(texts).toHaveLength(400);
    expect((await record({ source, store, allowDeletes: true })).report).toMatchObject({ added: 0, removed: 200 });
    expect(textsIn(store, "A")).toEqual(texts.filter((text) => text.startsWith("TEXT")));
  });

  it("is not milder because every item is in another collection too", async () => {
    const source = new MemorySource([folder("A", ...many(200)), folder("All", ...many(200))]);
    const store = new MemoryStore();
    await backup({ source, store });
    source.data = [folder("A"), folder("All", ...many(200), entry("new", "new"))];
    await expect(backup({ source, store })).rejects.toMatchObject({ code: "DELETION_LIMIT" });
    expect(textsIn(store, "A")).toHaveLength(200);
  });

  it("does not mind that every id of a large collection changes", async () => {
    const { source, store } = await held(["A", 200]);
    const texts = textsIn(store, "A");
    source.data = [folder("A", ...many(200, "new"))];
    expect((await record({ source, store })).report).toMatchObject({ result: "done", added: 200, removed: 0, kept: 0 });
    expect(textsIn(store, "A")).toEqual(texts);
    for (const path of store.files().keys()) expect(path).toMatch(/^A\/cur\/new/);
  });

  it.each([1, 60, 150, 199, 260, 399])("does not mind either when that run is killed after %i steps", async (steps) => {
    const { source, store } = await held(["A", 200]);
    const texts = textsIn(store, "A");
    source.data = [folder("A", ...many(200, "new"))];
    store.killAfter(steps);
    await expect(backup({ source, store })).rejects.toThrow("killed");
    const again = store.reopen();
    expect(new Set(textsIn(again, "A"))).toEqual(new Set(texts));
    expect(await backup({ source, store: again })).toMatchObject({ result: "done" });
    expect(textsIn(again, "A")).toEqual(texts);
  });
});

describe("an item that gives no answer", () => {
  it("costs nothing that it was to replace: no deletion is made before its successor is there", async () => {
    const source = new MemorySource([folder("X", entry("1", "text")), folder("Y")]);
    const store = new MemoryStore();
    await backup({ source, store });
    // Moved from X to Y, and gone from Y before it is read.
    source.data = [folder("X"), folder("Y", entry("1", "text"))];
    source.faults = { vanish: () => true };
    expect((await record({ source, store })).report).toMatchObject({ added: 0, removed: 0, postponed: 1 });
    expect(textsIn(store, "X")).toEqual(["text"]);
    source.faults = {};
    expect((await record({ source, store })).report).toMatchObject({ result: "done", added: 1 });
    expect(textsIn(store, "X")).toEqual([]);
    expect(textsIn(store, "Y")).toEqual(["text"]);
  });
});

describe("a destination inside another", () => {
  it("is none of the outer one's business", async () => {
    const store = new MemoryStore();
    const outer = new MemorySource([folder("INBOX", entry("1", "outer"))]);
    await backup({ source: outer, store });
    store.plant("alice/INBOX/cur/1~1.x:2,", Buffer.from("inner"));
    store.plant("alice/.backup/checkpoint.json", Buffer.from("{}"));
    await store.makeDirectories(["alice/INBOX/cur"], new AbortController().signal);
    expect(await backup({ source: outer, store, allowDeletes: true })).toMatchObject({ result: "done", removed: 0 });
    expect(textsIn(store, "alice/INBOX")).toEqual(["inner"]);
  });
});

describe("a run after an interrupted one", () => {
  it("does not take what has already moved to another collection for deleted", async () => {
    const source = new MemorySource([folder("A", ...many(200)), folder("B")]);
    const store = new MemoryStore({ batchFiles: 20 });
    await backup({ source, store });
    source.data = [folder("A"), folder("B", ...many(200, "moved"))];
    store.killAfter(300);
    await expect(backup({ source, store })).rejects.toThrow("killed");
    const again = store.reopen();
    const there = textsIn(again, "B").length;
    expect(there).toBeGreaterThan(100);
    const report = await backup({ source, store: again });
    expect(report).toMatchObject({ result: "done", added: 200 - there });
    expect(textsIn(again, "A")).toEqual([]);
    expect(textsIn(again, "B")).toHaveLength(200);
  });

  it("keeps no second copy of what had come back under another id, also with keepDeleted", async () => {
    const source = new MemorySource([folder("A", ...many(20))]);
    const store = new MemoryStore({ batchFiles: 5 });
    await backup({ source, store });
    const texts = textsIn(store, "A");
    source.data = [folder("A", ...many(20, "new"))];
    store.killAfter(25);
    await expect(backup({ source, store, keepDeleted: true })).rejects.toThrow("killed");
    const again = store.reopen();
    expect(textsIn(again, "A").length).toBeGreaterThan(20);
    await backup({ source, store: again, keepDeleted: true });
    expect(textsIn(again, "A")).toEqual(texts);
  });
});

describe("the checkpoint only saves work", () => {
  const spoiled = [
    undefined,
    "",
    "{",
    "null",
    "[]",
    "{}",
    '"text"',
    '{"format":"1"}',
    '{"format":0}',
    '{"format":1,"source":"memory","colon":true}',
    '{"format":1,"source":"memory","colon":true,"collections":null}',
    '{"format":1,"source":"memory","colon":true,"collections":{"A":{"fingerprint":1}}}',
    '{"format":1,"source":7,"colon":true,"collections":{}}',
    "\u0000\ufffd\u0001",
  ];

  it.each(spoiled)("a run without it, or with %j, neither loses nor transfers anything", async (text) => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await backup({ source, store });
    const before = { files: store.files(), checkpoint: await checkpointOf(store) };
    if (text === undefined) store.snatch(CHECKPOINT);
    else store.plant(CHECKPOINT, Buffer.from(text));
    source.faults = { read: () => new Error("was read") };
    const { report } = await record({ source, store });
    expect(report).toMatchObject({ result: "done", unchanged: 0, added: 0, renamed: 0, removed: 0 });
    expect(store.files()).toEqual(before.files);
    expect(await checkpointOf(store)).toBe(before.checkpoint);
  });

  it("knows that a collection without a fingerprint is ours and has to be compared, and names no item at all", async () => {
    const store = new MemoryStore();
    await backup({ source: new MemorySource([folder("A", entry("1", "one"))], { fingerprints: false }), store });
    expect(JSON.parse(await checkpointOf(store))).toEqual({
      format: 1,
      source: "memory",
      colon: true,
      collections: { A: { fingerprint: "", stamp: expect.stringMatching(/^\d+ \d+$/), items: 1 } },
    });
  });

  it("keeps its promise after a partial run: only what is complete is skipped", async () => {
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two")), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    source.faults = {
      read: ({ id, collection }) => (collection === "A" && id === "1" ? new Error("broken") : undefined),
    };
    expect((await record({ source, store })).report).toMatchObject({ result: "partial", added: 2 });
    source.faults = {};
    expect((await record({ source, store })).report).toMatchObject({ result: "done", unchanged: 1, added: 1 });
  });
});

describe("an interrupted run", () => {
  it("ends with ABORTED, writes nothing more, and is taken up by the next", async () => {
    const source = new MemorySource([folder("A", ...many(20))]);
    const store = new MemoryStore({ batchFiles: 5 });
    const controller = new AbortController();
    const onEvent = ({ type }: { type: string }): void => {
      if (type === "progress") controller.abort();
    };
    await expect(backup({ source, store, signal: controller.signal, onEvent })).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(textsIn(store, "A")).toHaveLength(5);
    const open = { fingerprint: "", stamp: "", items: 0 };
    expect(JSON.parse(await checkpointOf(store))).toMatchObject({ source: "memory", collections: { A: open } });
    expect(await backup({ source, store })).toMatchObject({ result: "done", added: 15 });
  });

  it("with a signal that fired before does nothing", async () => {
    const store = new MemoryStore();
    const source = new MemorySource([folder("A")]);
    await expect(backup({ source, store, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    expect(store.steps).toBe(0);
  });

  it.each(["makeDirectories", "move", "put", "remove", "write"])(
    "that lost its lease before %s writes nothing from there on",
    async (method) => {
      const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two"))]);
      const memory = new MemoryStore();
      await backup({ source, store: memory });
      source.data = [folder("A", entry("1", "one", "S"), entry("3", "three")), folder("B", entry("1", "b"))];
      let steps = 0;
      const { store } = watched(memory, (call) => {
        if (call !== method) return;
        memory.loseLease();
        steps = memory.steps;
      });
      await expect(backup({ source, store })).rejects.toMatchObject({ code: "LEASE_LOST", transient: true });
      expect(memory.steps).toBe(steps);
      expect(await backup({ source, store: memory })).toMatchObject({ result: "done" });
      expect(textsIn(memory, "A")).toEqual(["one", "three"]);
      expect(textsIn(memory, "B")).toEqual(["b"]);
    },
  );
});
