import assert from "node:assert/strict";
import { contentOf } from "../digest.js";
import {
  MTIME,
  NEVER,
  assertTime,
  digestsOf,
  itemAt,
  leased,
  namesIn,
  putAll,
  putTexts,
  rejectsWith,
  textAt,
  unleased,
} from "./store-fixture.js";

export const readCases = [
  unleased("a destination that was never written is empty, and looking at it makes nothing", async (fixture) => {
    await using store = await fixture.open();
    assert.deepEqual(await store.directories([], NEVER), []);
    assert.deepEqual(await store.list(["a"], NEVER), []);
    await rejectsWith("NOT_FOUND", store.read("a/x", NEVER));
    assert.deepEqual(await store.directories([], NEVER), []);
  }),
  leased("a fresh destination shows no directory of the store's own", async ({ store }) => {
    assert.deepEqual(await store.directories([], NEVER), []);
  }),
  leased("a missing directory lists no files", async ({ store }) => {
    assert.deepEqual(await store.list(["missing/deep"], NEVER), []);
  }),
  leased(
    "files are listed with path, size and time, and those of subdirectories are not",
    async ({ store, signal }) => {
      await store.makeDirectories(["a/b"], signal);
      await putTexts(store, { "a/x": "12345", "a/empty": "", "a/b/y": "1" });
      const files = (await store.list(["a"], signal)).toSorted((one, two) => (one.path < two.path ? -1 : 1));
      assert.deepEqual(
        files.map(({ path, size }) => ({ path, size })),
        [
          { path: "a/empty", size: 0 },
          { path: "a/x", size: 5 },
        ],
      );
      for (const { mtime } of files) assertTime(store, mtime, MTIME);
    },
  ),
  leased("several directories are listed in one call, a missing one among them", async ({ store, signal }) => {
    await store.makeDirectories(["a/cur", "a/new", "b"], signal);
    await putTexts(store, { "a/x": "1", "a/cur/y": "2", "b/z": "3" });
    const files = await store.list(["a", "a/cur", "a/new", "missing"], signal);
    assert.deepEqual(files.map(({ path }) => path).toSorted(), ["a/cur/y", "a/x"]);
    assert.deepEqual(await store.list([], signal), []);
  }),
  leased("reading gives the whole file, and a missing one is NOT_FOUND", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    await putTexts(store, { "a/x": "some text" });
    assert.equal(await textAt(store, "a/x"), "some text");
    await rejectsWith("NOT_FOUND", store.read("a/y", signal));
    await rejectsWith("NOT_FOUND", store.read("b/x", signal));
  }),
  leased("digests are those of the bytes, of each file once, and a missing one costs no other", async (stage) => {
    const { store, signal } = stage;
    await store.makeDirectories(["a/b"], signal);
    const large = Buffer.alloc(3_000_001, "mail");
    const files = new Map([["a/x", large]]);
    for (const size of [0, 1, 262_143, 262_144, 262_145]) files.set(`a/b/${size}`, large.subarray(0, size));
    await putAll(
      store,
      Array.from(files, ([path, bytes]) => ({ item: itemAt(path), bytes })),
    );
    assert.deepEqual(await digestsOf(store, [...files.keys(), "a/y", "none/x", "a/x/below"]), {
      ...Object.fromEntries(Array.from(files, ([path, bytes]) => [path, contentOf(bytes).digest])),
      "a/y": "NOT_FOUND",
      "none/x": "NOT_FOUND",
      "a/x/below": "NOT_FOUND",
    });
    assert.deepEqual(await digestsOf(store, []), {});
  }),
  leased("digests of many files", async ({ fixture, store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const paths = Array.from({ length: fixture.many ?? 1500 }, (_, n) => `a/${n}`);
    await putTexts(store, Object.fromEntries(paths.map((path) => [path, path])));
    const expected = paths.map((path) => [path, contentOf(Buffer.from(path)).digest] as const);
    assert.deepEqual(await digestsOf(store, paths), Object.fromEntries(expected));
  }),
  leased("digests end with the signal", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const paths = Array.from({ length: 100 }, (_, n) => `a/${n}`);
    await putTexts(store, Object.fromEntries(paths.map((path) => [path, path])));
    const abort = new AbortController();
    const digested = store.digests(paths, abort.signal)[Symbol.asyncIterator]();
    abort.abort();
    await rejectsWith("ABORTED", digested.next());
  }),
  leased("whole files come in the order that was asked for, one that is missing as its error", async (stage) => {
    const { store, signal } = stage;
    await store.makeDirectories(["a", "b"], signal);
    const texts = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`${index % 2 ? "a" : "b"}/f${index}`, `${index} `.repeat(index)]),
    );
    await putTexts(store, { ...texts, "a/large": "x".repeat(5_000_000) });
    const paths = [...Object.keys(texts), "a/missing", "missing/deep", "a/large", "a/f1"];
    const asked = paths.map((path) => ({ path, size: path === "a/large" ? 5_000_000 : 100, mtime: MTIME }));
    const found: [string, string][] = [];
    for await (const content of store.contents(asked, signal))
      found.push([content.path, "error" in content ? content.error.code : Buffer.from(content.bytes).toString()]);
    const expected = {
      ...texts,
      "a/missing": "NOT_FOUND",
      "missing/deep": "NOT_FOUND",
      "a/large": "x".repeat(5_000_000),
    };
    assert.deepEqual(
      found,
      paths.map((path) => [path, expected[path as keyof typeof expected]]),
    );
  }),
  leased("whole files of unsafe paths are refused, and whoever stops asking leaves nothing behind", async (stage) => {
    const { store, signal } = stage;
    await store.makeDirectories(["a"], signal);
    await putTexts(store, { "a/x": "1", "a/y": "2" });
    const files = ["a/x", "a/y"].map((path) => ({ path, size: 1, mtime: MTIME }));
    for await (const { path } of store.contents(files, signal)) {
      assert.equal(path, "a/x");
      break;
    }
    const outside = store.contents([{ path: "../x", size: 1, mtime: MTIME }], signal)[Symbol.asyncIterator]();
    await rejectsWith("UNSAFE_PATH", outside.next());
    const none = store.contents([], signal)[Symbol.asyncIterator]();
    assert.equal((await none.next()).done, true);
  }),
  leased("a small file is written and replaced as a whole", async ({ fixture, store, signal }) => {
    await store.makeDirectories(["a"], signal);
    await store.write("a/x", Buffer.from("a longer first text"), signal);
    await store.write("a/x", Buffer.from("second"), signal);
    await using again = await fixture.reopen(store);
    assert.equal(await textAt(again, "a/x"), "second");
    assert.deepEqual(await namesIn(again, "a"), ["x"]);
  }),
];
