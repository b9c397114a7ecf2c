import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BackupEvent,
  BackupError,
  type Damage,
  type Digested,
  type Path,
  type Verified,
  type VerifyOptions,
  backup,
  findDifferences,
  isDamagedFile,
  readBackup,
  verify,
} from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder, many, record, textsIn } from "./support/world.js";

const NEVER = new AbortController().signal;

async function verified(
  source: MemorySource,
  store: MemoryStore,
  more: Partial<VerifyOptions> = {},
): Promise<Verified & { readonly events: readonly BackupEvent[] }> {
  const events: BackupEvent[] = [];
  const { inventory } = await readBackup(store, NEVER);
  const onEvent = (event: BackupEvent): void => void events.push(event);
  return { ...(await verify({ store, layout: source, inventory, signal: NEVER, onEvent, ...more })), events };
}

function kinds({ damaged }: Verified): readonly string[] {
  return damaged.map(({ kind, item, path }) => `${kind} ${item ?? path ?? ""}`.trim());
}

/** The files of a collection, by what they hold. */
function pathOf(store: MemoryStore, text: string): Path {
  const [path] = [...store.files()].find(([, { bytes }]) => Buffer.from(bytes).toString() === text) ?? [];
  if (path === undefined) throw new Error(`no file holds ${text}`);
  return path;
}

function spoil(store: MemoryStore, path: Path, text: string): void {
  const file = store.files().get(path);
  store.plant(path, Buffer.from(text), file?.mtime);
}

const repair = (source: MemorySource, store: MemoryStore, damaged: readonly Damage[]) =>
  record({
    source,
    store,
    full: true,
    keepDeleted: true,
    damaged: new Set(damaged.filter(isDamagedFile).map(({ path = "" }) => path)),
  });

async function world() {
  const source = new MemorySource([
    { ...folder("A", entry("1", "one"), entry("2", "two")), sidecar: { bytes: Buffer.from("x"), mtime: 5000 } },
    folder("B/C", entry("1", "three"), entry("2", "")),
    folder("empty"),
  ]);
  const store = new MemoryStore();
  await backup({ source, store });
  return { source, store };
}

describe("a backup that is verified", () => {
  it("is good after a run", async () => {
    const { source, store } = await world();
    const result = await verified(source, store);
    expect(result).toMatchObject({ collections: 3, files: 4, bytes: 11, readFiles: 4, readBytes: 11 });
    expect(result).toMatchObject({ damaged: [], others: [] });
    expect(result.events.slice(1)).toEqual([{ type: "progress", items: 4, bytes: 11, totalItems: 4, totalBytes: 11 }]);
  });

  it("has every damaged file named, as an event too", async () => {
    const { source, store } = await world();
    const [one, two, three] = ["one", "two", "three"].map((text) => pathOf(store, text)) as [Path, Path, Path];
    spoil(store, one, "onf");
    spoil(store, two, "tw");
    spoil(store, three, "three and more");
    const result = await verified(source, store);
    expect(kinds(result).toSorted()).toEqual(["content 1", "size 1", "size 2"]);
    expect(result.damaged.map(({ path = "" }) => path).toSorted()).toEqual([one, two, three].toSorted());
    expect(result.events.filter(({ type }) => type === "damage")).toHaveLength(3);
  });

  it("has what is missing named: files, directories, what the last run could not bring, the report", async () => {
    const { source, store } = await world();
    source.faults = {
      missing: [{ name: "Lost", error: new BackupError("COLLECTION_UNAVAILABLE", "gone") }],
      read: ({ id }) => (id === "9" ? new BackupError("ITEM_UNREADABLE", "poison") : undefined),
    };
    source.data = [...source.data, folder("D", entry("9", "nine"))];
    await backup({ source, store });
    store.snatch(pathOf(store, "two"));
    const result = await verified(source, store);
    expect(kinds(result)).toEqual(["unlisted", "changed A", "gap 9"]);
    expect(kinds(await verified(source, store, { inventory: undefined }))).toEqual(["unreported .backup/report.json"]);
    await store.removeDirectories(["empty/cur"], NEVER);
    expect(kinds(await verified(source, store))).toEqual([
      "unlisted",
      "changed A",
      "gap 9",
      "directory empty",
      "directory empty/cur",
    ]);
  });

  it("has files that vanish meanwhile told from those that cannot be read", async () => {
    const { source, store } = await world();
    class Failing extends MemoryStore {
      override async *digests(paths: readonly Path[]): AsyncGenerator<Digested> {
        for (const [index, path] of paths.entries())
          yield { path, error: new BackupError(index % 2 ? "NOT_FOUND" : "ITEM_UNREADABLE", `${path}!`) };
      }
    }
    Object.setPrototypeOf(store, Failing.prototype);
    const result = await verified(source, store);
    expect(result.damaged.map(({ kind }) => kind)).toEqual(["unreadable", "gone", "unreadable", "gone"]);
  });

  it("has only those files read that are wanted", async () => {
    const { source, store } = await world();
    spoil(store, pathOf(store, "one"), "onf");
    const result = await verified(source, store, { reads: ({ identity }) => identity.id === "2", share: 0.5 });
    expect(result).toMatchObject({ files: 4, readFiles: 2, readBytes: 3, damaged: [] });
  });

  it("has others' files listed apart", async () => {
    const { source, store } = await world();
    store.plant("A/cur/mail", Buffer.from("x"));
    store.plant(".backup/old.json", Buffer.from("x"));
    expect((await verified(source, store)).others).toEqual([".backup/old.json", "A/cur/mail"]);
  });

  it("stops when it is told to", async () => {
    const { source, store } = await world();
    const abort = new AbortController();
    abort.abort();
    await expect(verified(source, store, { signal: abort.signal })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("damaged files", () => {
  it("are transferred again, also under another label, and no other is", async () => {
    const { source, store } = await world();
    const [one, three] = [pathOf(store, "one"), pathOf(store, "three")];
    spoil(store, one, "onf");
    spoil(store, three, "threx");
    source.data = source.data.map((data) =>
      data.path === "A" ? { ...data, entries: [entry("1", "one", "seen"), entry("2", "two")] } : data,
    );
    const before = await verified(source, store);
    const { report } = await repair(source, store, before.damaged);
    expect(report).toMatchObject({ result: "done", added: 2, removed: 0, kept: 0 });
    expect(textsIn(store, "A")).toEqual(["one", "two"]);
    expect(textsIn(store, "B/C")).toEqual(["", "three"]);
    expect((await verified(source, store)).damaged).toEqual([]);
  });

  it("stay when the source has their items no more, and so does everything else", async () => {
    const { source, store } = await world();
    spoil(store, pathOf(store, "one"), "onf");
    const before = await verified(source, store);
    source.data = [folder("A"), folder("B/C", entry("1", "three"), entry("2", "")), folder("empty")];
    const { report } = await repair(source, store, before.damaged);
    expect(report).toMatchObject({ added: 0, removed: 0, kept: 2 });
    expect(textsIn(store, "A")).toEqual(["onf", "two"]);
    expect(kinds(await verified(source, store))).toEqual(["content 1"]);
  });

  it("stay when their items cannot be had", async () => {
    const { source, store } = await world();
    spoil(store, pathOf(store, "one"), "onf");
    const before = await verified(source, store);
    source.faults = { read: () => new BackupError("ITEM_UNREADABLE", "poison") };
    expect((await repair(source, store, before.damaged)).report.result).toBe("partial");
    expect(textsIn(store, "A")).toEqual(["onf", "two"]);
  });

  it.each([{ proves: true }, { twins: true }])("never become another message: $proves $twins", async (options) => {
    const source = new MemorySource([folder("A", entry("1", "a text that is long")), folder("B")], options);
    const store = new MemoryStore();
    await backup({ source, store });
    spoil(store, pathOf(store, "a text that is long"), "a text that is lonf");
    const before = await verified(source, store);
    source.data = [folder("A"), folder("B", entry("7", "a text that is long"))];
    await repair(source, store, before.damaged);
    expect(textsIn(store, "B")).toEqual(["a text that is long"]);
    expect(textsIn(store, "A")).toEqual(["a text that is lonf"]);
  });

  it("are all found and all repaired, whatever they are and whatever changed since", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(39), fc.constantFrom("flip", "cut", "add", "lose", "swap")), { maxLength: 25 }),
        fc.array(fc.tuple(fc.nat(39), fc.constantFrom("label", "move")), { maxLength: 10 }),
        fc.boolean(),
        async (harms, changes, proves) => {
          const data = [folder("A", ...many(20, "a", "text")), folder("B", ...many(20, "b", "mail"))];
          const source = new MemorySource(data, { proves });
          const store = new MemoryStore();
          await backup({ source, store });
          const paths = [...store.files().keys()].toSorted();
          for (const [n, harm] of harms) damage(store, paths, n, harm);
          const found = await verified(source, store);
          expect(
            found.damaged
              .filter(isDamagedFile)
              .map(({ path = "" }) => path)
              .toSorted(),
          ).toEqual(wrong(store));
          source.data = changed(data, changes);
          await repair(source, store, found.damaged);
          for (const { path, entries } of source.data) {
            const texts = textsIn(store, path);
            for (const { bytes } of entries) expect(texts).toContain(Buffer.from(bytes).toString());
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("the differences from a source", () => {
  it("are named by collection, and nothing is written", async () => {
    const { source, store } = await world();
    source.data = [
      folder("A", entry("1", "one", "seen"), entry("3", "new")),
      folder("B/C", entry("1", "three"), entry("2", "")),
      folder("empty"),
    ];
    store.snatch(pathOf(store, "three"));
    const { steps } = store;
    const found = await findDifferences({ source, store, signal: NEVER, onEvent: () => {} });
    expect(found).toEqual({
      collections: 3,
      items: 4,
      failed: 0,
      differences: [
        { path: "A", name: "A", missing: ["3"], superfluous: ["2"], other: ["1"] },
        { path: "B/C", name: "B/C", missing: ["1"], superfluous: [], other: [] },
      ],
    });
    expect(store.steps).toBe(steps);
    const other = new MemorySource(source.data, { id: "memory:other" });
    await expect(findDifferences({ source: other, store, signal: NEVER, onEvent: () => {} })).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
    });
  });
});

function damage(store: MemoryStore, paths: readonly Path[], n: number, harm: string): void {
  const path = paths[n % paths.length] ?? "";
  const file = store.files().get(path);
  if (!file) return;
  const text = Buffer.from(file.bytes).toString();
  const other = paths[(n + 7) % paths.length] ?? "";
  const second = store.files().get(other);
  if (harm === "lose") store.snatch(path);
  else if (harm === "flip") spoil(store, path, `X${text.slice(1)}`);
  else if (harm === "cut") spoil(store, path, text.slice(0, -1));
  else if (harm === "add") spoil(store, path, `${text}+`);
  else if (second) {
    spoil(store, path, Buffer.from(second.bytes).toString());
    spoil(store, other, text);
  }
}

/** Files whose bytes are not what was stored: `text 0001` under the id a0001, `mail 0001` under b0001. */
function wrong(store: MemoryStore): readonly Path[] {
  return [...store.files()]
    .filter(([path, { bytes }]) => {
      const [, at, number] = /\/cur\/([ab])(\d+)~/.exec(path) ?? [];
      return Buffer.from(bytes).toString() !== `${at === "a" ? "text" : "mail"} ${number}`;
    })
    .map(([path]) => path)
    .toSorted();
}

/** New labels, and items that moved to the other collection under another id. */
function changed(data: ReturnType<typeof folder>[], changes: readonly (readonly [number, string])[]) {
  const [a = [], b = []] = data.map(({ entries }) => [...entries]);
  for (const [n, change] of changes) {
    const [from, to] = n % 2 ? [a, b] : [b, a];
    const at = n % Math.max(1, from.length);
    const item = from[at];
    if (!item) continue;
    if (change === "label") from[at] = { ...item, label: "seen" };
    else {
      from.splice(at, 1);
      to.push({ ...item, id: `${item.id}x` });
    }
  }
  return [folder("A", ...a), folder("B", ...b)];
}
