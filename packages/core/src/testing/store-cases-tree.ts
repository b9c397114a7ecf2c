import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import {
  MTIME,
  assertTime,
  clones,
  leased,
  namesIn,
  putTexts,
  rejectsWith,
  stampsIn,
  textAt,
} from "./store-fixture.js";

export const treeCases = [
  leased("a clone holds the same files, and neither changes with the other", async ({ fixture, store, signal }) => {
    const awkward = [`b c'"$x`, `b c"$x`].find((name) => fixture.holds?.(name) ?? true);
    await store.makeDirectories(["a/.backup", "a/b/empty", `a/${awkward}/cur`], signal);
    await putTexts(store, { "a/.backup/state": "1", "a/b/1": "one", "a/b/2": "", [`a/${awkward}/cur/3:2,S`]: "three" });
    if (!(await clones(store))) return;
    const { copied } = await store.clone("a", "z", signal);
    // All of them where there are no hard links.
    assert.ok(copied === 0 || copied === 4, `${copied} of 4 files were copied`);
    assert.deepEqual(await namesIn(store, "z/b"), ["1", "2"]);
    assert.equal(await textAt(store, `z/${awkward}/cur/3:2,S`), "three");
    assert.equal(await textAt(store, "z/.backup/state"), "1");
    assert.deepEqual((await store.subdirectories(["z/b"], signal)).toSorted(), ["z/b/empty"]);
    for (const { mtime } of await store.list(["z/b"], signal)) assertTime(store, mtime, MTIME);

    await store.move([{ from: "z/b/1", to: "z/b/1S" }], signal);
    await store.write("z/b/2", Buffer.from("two"), signal);
    await store.remove([`z/${awkward}/cur/3:2,S`], signal);
    await putTexts(store, { "z/b/4": "four" });
    assert.deepEqual(await namesIn(store, "a/b"), ["1", "2"]);
    assert.equal(await textAt(store, "a/b/2"), "");
    assert.equal(await textAt(store, `a/${awkward}/cur/3:2,S`), "three");
  }),
  leased("a clone leaves the stamps of what it was made of", async ({ store, signal }) => {
    await store.makeDirectories(["a/b"], signal);
    await putTexts(store, { "a/b/1": "one" });
    if (!(await clones(store))) return;
    const before = await stampsIn(store);
    await store.clone("a", "z", signal);
    const after = await stampsIn(store);
    for (const [path, stamp] of before) assert.equal(after.get(path), stamp);
  }),
  leased("what was left of a clone is replaced by a whole one", async ({ store, signal }) => {
    if (store.can.clone === false) return;
    await store.makeDirectories(["a/b", "z/b", "z/old"], signal);
    await putTexts(store, { "a/b/1": "one", "z/b/1": "torn", "z/old/2": "two" });
    await store.clone("a", "z", signal);
    assert.equal(await textAt(store, "z/b/1"), "one");
    assert.deepEqual([...(await stampsIn(store)).keys()].toSorted(), ["a", "a/b", "z", "z/b"]);
    await rejectsWith("NOT_FOUND", store.clone("missing", "z", signal));
  }),
  leased("a directory is renamed with all that is in it, again is no error", async ({ fixture, store, signal }) => {
    await store.makeDirectories(["a/b/.backup", "c"], signal);
    await putTexts(store, { "a/b/1": "one", "a/b/.backup/2": "two" });
    await store.makeDirectories(["a/b/e/f"], signal);
    const stampsAt = async (at: string): Promise<readonly string[]> =>
      (await store.directories([], signal, at))
        .map(({ path, stamp }) => `${path.slice(at.length)} ${stamp}`)
        .toSorted();
    const before = await stampsAt("a/b");
    await sleep(fixture.stampMs ?? 20);
    await store.moveTree("a/b", "c/d", signal);
    await store.moveTree("a/b", "c/d", signal);
    assert.deepEqual(await stampsAt("c/d"), before);
    assert.equal(await textAt(store, "c/d/1"), "one");
    assert.equal(await textAt(store, "c/d/.backup/2"), "two");
    assert.deepEqual(await store.subdirectories(["a", "c"], signal), ["c/d"]);
    await rejectsWith("NOT_FOUND", store.moveTree("a/b", "a/e", signal));
  }),
  leased("a directory goes with all that is in it, and nothing beside it", async ({ store, signal }) => {
    await store.makeDirectories(["a/b/c", "a/b/.backup", "a/bb"], signal);
    await putTexts(store, { "a/b/1": "1", "a/b/c/2": "2", "a/b/.backup/3": "3", "a/bb/4": "4" });
    await store.removeTree("a/b", signal);
    await store.removeTree("a/b", signal);
    assert.deepEqual([...(await stampsIn(store)).keys()].toSorted(), ["a", "a/bb"]);
    assert.deepEqual(await namesIn(store, "a/bb"), ["4"]);
    await rejectsWith("UNSAFE_PATH", store.removeTree("", signal));
    await rejectsWith("UNSAFE_PATH", store.removeTree("a/..", signal));
  }),
];
