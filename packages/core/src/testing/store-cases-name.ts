import assert from "node:assert/strict";
import { contentOf } from "../digest.js";
import type { Path } from "../model.js";
import type { Store } from "../store.js";
import {
  NEVER,
  digestsOf,
  itemAt,
  leased,
  namesIn,
  putAll,
  putTexts,
  rejectsWith,
  stampsIn,
  textAt,
} from "./store-fixture.js";

const UNSAFE: readonly Path[] = [
  "",
  "/",
  "/etc/x",
  "..",
  "../x",
  "a/../../x",
  "a/..",
  "a//b",
  "a/",
  "./a",
  "a/./b",
  "a\0b",
  "a/\ud800",
];

/** No two differ only in case, and none holds a colon. */
const AWKWARD: readonly string[] = [
  " ",
  " leading and trailing ",
  'it\'s "quoted" `$(id)` \\ back',
  "new\nline",
  "tab\tand\r",
  "-rf",
  "--delete",
  "*?[x]{y}",
  "#comment",
  "~home",
  "%41",
  "ünïcödé 中文 😀",
  "e\u0301 decomposed",
  "...",
  ".dot",
  "a,S=1;2,FRS",
  "x".repeat(255),
  "\u4e2d".repeat(85),
];

export const nameCases = [
  leased("a path that could leave the root is refused by every method", async ({ store }) => {
    await store.makeDirectories(["a"], NEVER);
    await putTexts(store, { "a/x": "x" });
    for (const path of UNSAFE)
      for (const [method, call] of callsWith(store, path))
        await rejectsWith("UNSAFE_PATH", call()).catch((error: unknown) => {
          throw new Error(`${method} of ${JSON.stringify(path)}`, { cause: error });
        });
    assert.deepEqual(await namesIn(store, "a"), ["x"]);
    assert.deepEqual([...(await stampsIn(store)).keys()], ["a"]);
  }),
  leased("awkward names of files are kept as they are", async ({ fixture, store, signal }) => {
    const awkward = AWKWARD.filter((name) => fixture.holds?.(name) ?? true);
    await store.makeDirectories(["a", "b"], signal);
    const bodies = awkward.map((name) => ({ item: itemAt(`a/${name}`), bytes: Buffer.from(name) }));
    for (const outcome of await putAll(store, bodies)) assert.ok("path" in outcome);
    await using again = await fixture.reopen(store);
    assert.deepEqual(await namesIn(again, "a"), awkward.toSorted());
    for (const name of awkward) assert.equal(await textAt(again, `a/${name}`), name);
    assert.deepEqual(
      await digestsOf(
        again,
        awkward.map((name) => `a/${name}`),
      ),
      Object.fromEntries(awkward.map((name) => [`a/${name}`, contentOf(Buffer.from(name)).digest])),
    );
    await store.move(
      awkward.map((name) => ({ from: `a/${name}`, to: `b/${name}` })),
      signal,
    );
    assert.deepEqual(await namesIn(again, "b"), awkward.toSorted());
    await store.remove(
      awkward.map((name) => `b/${name}`),
      signal,
    );
    assert.deepEqual(await namesIn(again, "b"), []);
  }),
  leased("awkward names of directories are kept as they are", async ({ fixture, store, signal }) => {
    const names = AWKWARD.filter((name) => !name.startsWith(".") && (fixture.holds?.(name) ?? true));
    await store.makeDirectories(
      names.map((name) => `${name}/cur`),
      signal,
    );
    const expected = names.flatMap((name) => [name, `${name}/cur`]).toSorted();
    assert.deepEqual([...(await stampsIn(store, ["cur"])).keys()].toSorted(), expected);
    await putTexts(store, Object.fromEntries(names.map((name) => [`${name}/cur/x`, name])));
    for (const name of names) {
      assert.deepEqual(await namesIn(store, `${name}/cur`), ["x"]);
      assert.equal(await textAt(store, `${name}/cur/x`), name);
    }
    await store.remove(
      names.map((name) => `${name}/cur/x`),
      signal,
    );
    await store.removeDirectories(
      names.map((name) => `${name}/cur`),
      signal,
    );
    assert.deepEqual(await store.directories([], signal), []);
  }),
  leased("a name holds a colon where the store says so", async ({ store, signal }) => {
    if (!store.can.colon) return;
    await store.makeDirectories(["a"], signal);
    await putTexts(store, { "a/1:2,FS": "x" });
    assert.deepEqual(await namesIn(store, "a"), ["1:2,FS"]);
  }),
];

function callsWith(store: Store, path: Path): readonly (readonly [string, () => Promise<unknown>])[] {
  const bytes = Buffer.from("x");
  return [
    ["list", () => store.list([path], NEVER)],
    ["read", () => store.read(path, NEVER)],
    ["digests", () => digestsOf(store, [path])],
    ["write", () => store.write(path, bytes, NEVER)],
    ["makeDirectories", () => store.makeDirectories([path], NEVER)],
    ["move from", () => store.move([{ from: path, to: "a/y" }], NEVER)],
    ["move to", () => store.move([{ from: "a/x", to: path }], NEVER)],
    ["put", () => putAll(store, [{ item: itemAt("a/y"), bytes }], () => ({ path }))],
    ["remove", () => store.remove([path], NEVER)],
    ["removeDirectories", () => store.removeDirectories([path], NEVER)],
  ];
}
