import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { NEVER, type Stage, leased, namesIn, putTexts, rejectsWith, stampsIn } from "./store-fixture.js";

export const directoryCases = [
  leased("directories are made with their parents, again is no error", async ({ fixture, store, signal }) => {
    await store.makeDirectories(["a/b/c", "d"], signal);
    await store.makeDirectories(["a/b/c", "a/b"], signal);
    await using again = await fixture.reopen(store);
    assert.deepEqual([...(await stampsIn(again)).keys()].toSorted(), ["a", "a/b", "a/b/c", "d"]);
  }),
  leased("leaves are listed and not entered", async ({ store, signal }) => {
    await store.makeDirectories(["a/cur/deep", "a/b/cur", "cur/x"], signal);
    const found = [...(await stampsIn(store, ["cur", "new"])).keys()].toSorted();
    assert.deepEqual(found, ["a", "a/b", "a/b/cur", "a/cur", "cur"]);
  }),
  leased("names that begin with a dot are left out, and what is below them", async ({ store, signal }) => {
    await store.makeDirectories([".hidden/a", "a/.hidden/b", "a/b.c"], signal);
    assert.deepEqual([...(await stampsIn(store)).keys()].toSorted(), ["a", "a/b.c"]);
  }),
  leased("a stamp changes when an entry is added, renamed or removed", async (stage) => {
    const { store, signal } = stage;
    await store.makeDirectories(["a"], signal);
    await changes(stage, "a put", () => putTexts(store, { "a/1": "1" }));
    await changes(stage, "a rename", () => store.move([{ from: "a/1", to: "a/2" }], signal));
    await changes(stage, "a write", () => store.write("a/3", Buffer.from("3"), signal));
    await changes(stage, "a removal", () => store.remove(["a/2"], signal));
    await changes(stage, "a new directory", () => store.makeDirectories(["a/b"], signal));
    await changes(stage, "a removed directory", () => store.removeDirectories(["a/b"], signal));
  }),
  leased("a stamp stays when nothing changed, for another process too", async ({ fixture, store, signal }) => {
    await store.makeDirectories(["a/b"], signal);
    await putTexts(store, { "a/1": "1", "a/b/2": "2" });
    const before = await stampsIn(store);
    await sleep(fixture.stampMs ?? 20);
    await store.list(["a"], signal);
    await store.read("a/1", signal);
    await store.makeDirectories(["a/b"], signal);
    await store.remove(["a/missing"], signal);
    await using again = await fixture.reopen(store);
    assert.deepEqual(await stampsIn(again), before);
  }),
  leased(
    "what it says of itself is plausible, and trying it out leaves nothing",
    async ({ fixture, store, signal }) => {
      await store.makeDirectories(["a"], signal);
      const { transport, colon, freeBytes, clockSkewMs } = await store.describe(signal);
      assert.notEqual(transport, "");
      assert.equal(colon, store.can.colon);
      if (freeBytes !== undefined) assert.ok(freeBytes > 0);
      if (clockSkewMs !== undefined) assert.ok(Math.abs(clockSkewMs) < 60_000);
      assert.deepEqual([...(await stampsIn(store)).keys()], ["a"]);
      assert.deepEqual(await fixture.leftovers?.(store), fixture.leftovers && []);
    },
  ),
  leased("a directory goes only when it is empty, and then its emptied parents too", async ({ store, signal }) => {
    await store.makeDirectories(["a/b/c", "a/b/d", "e/f", "g"], signal);
    await putTexts(store, { "a/b/d/1": "1" });
    await store.removeDirectories(["a/b/c", "a/b/d", "a/b", "e/f", "missing/x"], signal);
    assert.deepEqual([...(await stampsIn(store)).keys()].toSorted(), ["a", "a/b", "a/b/d", "g"]);
    assert.deepEqual(await namesIn(store, "a/b/d"), ["1"]);
  }),
  leased("a directory that is another destination is left out, with all below it", async ({ store, signal }) => {
    await store.makeDirectories(["a/other/.backup", "a/other/b/c", "a/d"], signal);
    assert.deepEqual([...(await stampsIn(store)).keys()].toSorted(), ["a", "a/d"]);
  }),
  leased("what is below a directory is told by its path from the root, other destinations not", async (stage) => {
    const { store, signal } = stage;
    await store.makeDirectories(["a/.backup", "a/b/c", "a/b/cur/x", "a/other/.backup", "d"], signal);
    const found = await store.directories(["cur"], signal, "a");
    assert.deepEqual(found.map(({ path }) => path).toSorted(), ["a/b", "a/b/c", "a/b/cur"]);
    assert.deepEqual(await store.directories([], signal, "missing"), []);
  }),
  leased("the directories in directories are listed, other destinations too", async ({ store, signal }) => {
    await store.makeDirectories(["a/b/c", "a/other/.backup", "a/.hidden", "d"], signal);
    await putTexts(store, { "a/file": "1" });
    assert.deepEqual((await store.subdirectories([""], signal)).toSorted(), ["a", "d"]);
    assert.deepEqual((await store.subdirectories(["a", "d", "missing"], signal)).toSorted(), ["a/b", "a/other"]);
    await rejectsWith("UNSAFE_PATH", store.subdirectories(["a/../.."], signal));
  }),
  leased("a directory and what is in it may be named in any order", async ({ store, signal }) => {
    await store.makeDirectories(["a/b/c", "a/d"], signal);
    await store.removeDirectories(["a", "a/b", "a/b/c", "a/d"], signal);
    assert.deepEqual(await store.directories([], NEVER), []);
    await store.makeDirectories(["again"], signal);
    assert.deepEqual([...(await stampsIn(store)).keys()], ["again"]);
  }),
];

/** Asserts that work changes the stamp of the directory `a`. */
async function changes({ fixture, store }: Stage, what: string, work: () => Promise<void>): Promise<void> {
  const before = (await stampsIn(store)).get("a");
  await sleep(fixture.stampMs ?? 20);
  await work();
  const after = (await stampsIn(store)).get("a");
  assert.notEqual(after, undefined);
  assert.notEqual(after, before, `${what} left the stamp as it was`);
}
