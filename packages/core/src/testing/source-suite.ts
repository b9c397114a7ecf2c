import assert from "node:assert/strict";
import { contentOf } from "../digest.js";
import { BackupError } from "../errors.js";
import {
  type Collection,
  type Content,
  type Identity,
  type Item,
  type Naming,
  type Path,
  isUnavailable,
} from "../model.js";
import { isSafe, parentOf } from "../paths.js";
import { backup } from "../run.js";
import type { Source, View } from "../source.js";
import { directoriesOf } from "../collection-files.js";
import type { ConformanceCase } from "./conformance.js";
import { MemoryStore } from "./memory-store.js";

/** How the conformance suite gets at the source that it tests. */
export interface SourceFixture {
  /** Opens the source. Its data holds two items or more, all of them readable, and does not change in between. */
  open(): Promise<Source>;
  /** How soon after a signal fired a method must have rejected, milliseconds. Default 2000. */
  readonly abortMs?: number;
}

const NEVER = new AbortController().signal;

/** The destination of a first run. */
const EMPTY: View = {
  known: [],
  read: (path) => Promise.reject(new BackupError("NOT_FOUND", `there is no ${path} yet`)),
};

interface Listed {
  readonly collection: Collection;
  readonly items: readonly Item[];
}

/** Everything that a Source promises. Cases are independent of each other. */
export const sourceSuite: readonly ConformanceCase<SourceFixture>[] = [
  opened("collections have paths that are unique, safe and apart from the leaves", async (source) => {
    const collections = await collectionsOf(source);
    assert.ok(collections.length > 0, "the source lists no collection");
    assertUnique(collections.map(({ path }) => path));
    for (const { path } of collections) {
      assert.ok(isSafe(path), `${JSON.stringify(path)} is no safe path`);
      for (const name of path.split("/")) {
        assert.ok(!name.startsWith("."), `${path}: a name with a leading dot is never listed`);
        assert.ok(!source.leaves.includes(name), `${path}: ${name} is the name of a leaf`);
      }
    }
  }),
  opened("ids are unique in their collection, and items say which one they are in", async (source) => {
    for (const { collection, items } of await listAll(source)) {
      assertUnique(items.map(({ id }) => id));
      for (const item of items) {
        assert.equal(item.collection, collection.path);
        assert.ok(Number.isFinite(item.mtime), `mtime of ${item.id}`);
        assert.ok(Number.isSafeInteger(item.size) && item.size >= 0, `size of ${item.id}`);
      }
    }
  }),
  opened("listing again gives the same, another opened source too", async (source, fixture) => {
    const first = await listAll(source);
    assert.deepEqual(sorted(await listAll(source)), sorted(first));
    await using other = await fixture.open();
    assert.equal(other.id, source.id);
    assert.deepEqual(sorted(await listAll(other)), sorted(first));
  }),
  opened("a fingerprint is the same as long as nothing changes", async (source, fixture) => {
    const before = fingerprints(await collectionsOf(source));
    const listed = await listAll(source);
    for (const { items } of listed) await readAll(source, items);
    assert.deepEqual(fingerprints(await collectionsOf(source)), before);
    await using other = await fixture.open();
    assert.deepEqual(fingerprints(await collectionsOf(other)), before);
  }),
  opened("reading yields every item once, and the same bytes the second time", async (source) => {
    for (const { items } of await listAll(source)) {
      const first = await readAll(source, items);
      assert.deepEqual([...first.keys()].toSorted(), items.map(({ id }) => id).toSorted());
      assert.deepEqual(await readAll(source, items), first);
    }
  }),
  opened("reading some items yields only those", async (source) => {
    for (const { items } of await listAll(source)) {
      const some = items.filter((_item, index) => index % 2 === 1);
      const all = await readAll(source, items);
      const found = await readAll(source, some);
      assert.deepEqual([...found.keys()].toSorted(), some.map(({ id }) => id).toSorted());
      for (const [id, content] of found) assert.deepEqual(content, all.get(id));
    }
    assert.equal((await readAll(source, [])).size, 0);
  }),
  opened("items of several collections may be read in one call", async (source) => {
    const items = (await listAll(source)).flatMap((listed) => listed.items);
    let bodies = 0;
    for await (const body of source.read(items, NEVER)) {
      assert.ok("bytes" in body, "error" in body ? body.error.message : "");
      assert.ok(items.some(({ id, collection }) => id === body.item.id && collection === body.item.collection));
      if (!(body.bytes instanceof Uint8Array)) for await (const piece of body.bytes) assert.ok(piece);
      bodies++;
    }
    assert.equal(bodies, items.length);
  }),
  ...[true, false].map((colon) =>
    opened(`with${colon ? "" : "out"} colons, a path says what the file is`, async (source) => {
      const naming = source.naming({ colon });
      for (const { collection, items } of await listAll(source)) {
        const contents = await readAll(source, items);
        const paths = items.map((item) => namedBack(naming, item, contents.get(item.id)));
        assertUnique(paths);
        const directories = directoriesOf(collection.path, source);
        for (const path of paths) {
          assert.ok(isSafe(path), `${JSON.stringify(path)} is no safe path`);
          assert.ok(directories.includes(parentOf(path)), `${path} is outside its collection ${collection.path}`);
          assert.ok(Buffer.byteLength(path.slice(path.lastIndexOf("/") + 1)) <= 255, `${path} is too long a name`);
          if (!colon) assert.ok(!path.includes(":"), `${path} holds a colon`);
        }
      }
    }),
  ),
  opened("a collection is recognised by its directories", async (source) => {
    for (const { path } of await collectionsOf(source)) {
      const found = directoriesOf(path, source).map((directory) => source.collectionAt(directory));
      assert.ok(found.includes(path), `none of the directories of ${path} marks it`);
      for (const other of found) assert.ok(other === undefined || other === path, `${path} is taken for ${other}`);
    }
  }),
  opened("a second run finds nothing to do, with the checkpoint and without", async (source) => {
    const store = new MemoryStore();
    const first = await backup({ source, store });
    assert.equal(first.result, "done");
    const files = store.files();
    for (const lose of [false, true]) {
      if (lose) store.snatch(".backup/checkpoint.json");
      const { added, moved, renamed, removed, failed } = await backup({ source, store });
      assert.deepEqual(
        { added, moved, renamed, removed, failed },
        { added: 0, moved: 0, renamed: 0, removed: 0, failed: 0 },
      );
      assert.deepEqual(store.files(), files);
    }
  }),
  opened("a signal that fired ends every method", async (source, { abortMs = 2000 }) => {
    const listed = await listAll(source);
    const fired = AbortSignal.abort();
    await rejectsSoon(abortMs, drain(source.collections(fired)));
    for (const { collection, items } of listed) {
      await rejectsSoon(abortMs, drain(source.list(collection, EMPTY, fired)));
      if (items.length > 0) await rejectsSoon(abortMs, drain(source.read(items, fired)));
    }
  }),
  opened(
    "a signal that fires while items are read ends it with an error, not as if that were all",
    async (source, { abortMs = 2000 }) => {
      const items = (await listAll(source)).flatMap((listed) => listed.items);
      assert.ok(items.length > 1, "the source holds fewer than two items");
      const controller = new AbortController();
      const read = async (): Promise<void> => {
        for await (const body of source.read(items, controller.signal)) {
          if ("bytes" in body && !(body.bytes instanceof Uint8Array))
            for await (const piece of body.bytes) assert.ok(piece);
          controller.abort();
        }
      };
      await rejectsSoon(abortMs, read());
    },
  ),
  opened(
    "what tells of changes tells that it is listening, is in nobody's way, and ends by the signal",
    async (source, { abortMs = 2000 }) => {
      if (!source.changes) return;
      const controller = new AbortController();
      const changes = source.changes(controller.signal)[Symbol.asyncIterator]();
      assert.ok((await changes.next()).done !== true, "it ended at once");
      for (const { items } of await listAll(source)) await readAll(source, items);
      const next = changes.next();
      controller.abort();
      await rejectsSoon(abortMs, next);
      await rejectsSoon(abortMs, source.changes(controller.signal)[Symbol.asyncIterator]().next());
    },
  ),
];

function opened(
  name: string,
  run: (source: Source, fixture: SourceFixture) => Promise<void>,
): ConformanceCase<SourceFixture> {
  return {
    name,
    async run(fixture) {
      await using source = await fixture.open();
      await run(source, fixture);
    },
  };
}

async function collectionsOf(source: Source): Promise<readonly Collection[]> {
  const collections: Collection[] = [];
  for await (const collection of source.collections(NEVER)) {
    if ("error" in collection) throw collection.error;
    collections.push(collection);
  }
  return collections;
}

async function listAll(source: Source): Promise<readonly Listed[]> {
  const listed: Listed[] = [];
  for (const collection of await collectionsOf(source)) {
    const items: Item[] = [];
    for await (const batch of source.list(collection, EMPTY, NEVER))
      for (const entry of batch) {
        assert.ok(!isUnavailable(entry), `${collection.path}: something of it cannot be listed`);
        items.push(entry);
      }
    listed.push({ collection, items });
  }
  return listed;
}

/**
 * What was listed, in an order of its own. A sidecar is made when it is listed: which revision it is depends on what
 * the view holds, and its time is that of the listing.
 */
function sorted(listed: readonly Listed[]): readonly (readonly [Path, readonly Partial<Item>[]])[] {
  const comparable = (item: Item): Partial<Item> => {
    // What is made anew each time, as a dump, has the time at which it was.
    if (item.replaces) return { ...item, mtime: 0 };
    if (!item.sidecar) return item;
    const { id, collection, size, sidecar } = item;
    return { id, collection, size, sidecar };
  };
  return listed
    .map(
      ({ collection, items }) =>
        [collection.path, items.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(comparable)] as const,
    )
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function fingerprints(collections: readonly Collection[]): ReadonlyMap<Path, string | undefined> {
  return new Map(collections.map(({ path, fingerprint }) => [path, fingerprint]));
}

/** The content of each item of one collection, by id. */
async function readAll(source: Source, items: readonly Item[]): Promise<ReadonlyMap<string, Content>> {
  const contents = new Map<string, Content>();
  for await (const body of source.read(items, NEVER)) {
    if ("error" in body) throw body.error;
    const pieces: Uint8Array[] = [];
    if (body.bytes instanceof Uint8Array) pieces.push(body.bytes);
    else for await (const piece of body.bytes) pieces.push(Uint8Array.from(piece));
    assert.ok(!contents.has(body.item.id), `${body.item.id} was read twice`);
    contents.set(body.item.id, contentOf(Buffer.concat(pieces)));
  }
  return contents;
}

/** The path of an item, after the name has said again what it is. */
function namedBack(naming: Naming, item: Item, content: Content | undefined): Path {
  assert.ok(content, `${item.id} was not read`);
  const path = naming.path(item, content);
  const found = naming.identify({ path, size: content.size, mtime: item.mtime });
  assert.ok(found, `${path} is not recognised`);
  const { id, rev, sidecar = false }: Identity = found.identity;
  assert.deepEqual({ id, sidecar }, { id: item.id, sidecar: item.sidecar ?? false });
  assert.notEqual(rev, "", `${path}: an empty revision is one that is not known`);
  // A sidecar that is not stored yet has a revision that no file has.
  if (!sidecar && item.rev !== "") assert.equal(rev, item.rev);
  if (found.content) assert.deepEqual(found.content, content);
  return path;
}

function assertUnique(texts: readonly string[]): void {
  const seen = new Set<string>();
  for (const text of texts) {
    assert.ok(!seen.has(text), `${JSON.stringify(text)} occurs twice`);
    seen.add(text);
  }
}

async function rejectsSoon(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `still going on ${ms} ms after the abort` })),
      ms,
    );
  });
  try {
    await Promise.race([assert.rejects(work, "it ended as if nothing had happened"), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function drain(iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const value of iterable) assert.ok(value !== undefined);
}
