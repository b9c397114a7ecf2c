import assert from "node:assert/strict";
import { assertTime, leased, namesIn, putTexts, rejectsWith, textAt } from "./store-fixture.js";

export const changeCases = [
  leased("moves go within a directory and between directories, and keep bytes and time", async ({ store, signal }) => {
    await store.makeDirectories(["a", "b/c"], signal);
    await putTexts(store, { "a/1": "one", "a/2": "two" });
    const [before] = await store.list(["a"], signal);
    await store.move(
      [
        { from: "a/1", to: "a/renamed" },
        { from: "a/2", to: "b/c/2" },
      ],
      signal,
    );
    assert.deepEqual(await namesIn(store, "a"), ["renamed"]);
    assert.deepEqual(await namesIn(store, "b/c"), ["2"]);
    assert.equal(await textAt(store, "a/renamed"), "one");
    assert.equal(await textAt(store, "b/c/2"), "two");
    const [after] = await store.list(["a"], signal);
    assertTime(store, after?.mtime ?? 0, before?.mtime ?? 1);
  }),
  leased("a chain of moves is done in its order", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    await putTexts(store, { "a/1": "one", "a/2": "two", "a/3": "three" });
    const chain = [
      { from: "a/3", to: "a/4" },
      { from: "a/2", to: "a/3" },
      { from: "a/1", to: "a/2" },
    ];
    await store.move(chain, signal);
    assert.deepEqual(await namesIn(store, "a"), ["2", "3", "4"]);
    assert.equal(await textAt(store, "a/2"), "one");
    assert.equal(await textAt(store, "a/3"), "two");
    assert.equal(await textAt(store, "a/4"), "three");
  }),
  leased("one file may be moved twice in a call", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    await putTexts(store, { "a/1": "one" });
    await store.move(
      [
        { from: "a/1", to: "a/2" },
        { from: "a/2", to: "a/3" },
      ],
      signal,
    );
    assert.deepEqual(await namesIn(store, "a"), ["3"]);
  }),
  leased("a move that was done before is left, also when its directory went since", async ({ store, signal }) => {
    await store.makeDirectories(["a", "b"], signal);
    await putTexts(store, { "a/1": "one" });
    const moves = [{ from: "a/1", to: "b/1" }];
    await store.move(moves, signal);
    await store.move(moves, signal);
    await store.removeDirectories(["a"], signal);
    await store.move(moves, signal);
    assert.equal(await textAt(store, "b/1"), "one");
  }),
  leased("a move of nothing to nothing is NOT_FOUND", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    await rejectsWith("NOT_FOUND", store.move([{ from: "a/1", to: "a/2" }], signal));
    await rejectsWith("NOT_FOUND", store.move([{ from: "a/1", to: "missing/2" }], signal));
  }),
  leased("removing takes only what is named, and again is no error", async ({ store, signal }) => {
    await store.makeDirectories(["a", "b"], signal);
    await putTexts(store, { "a/1": "1", "a/2": "2", "b/1": "3" });
    await store.remove(["a/1", "b/1"], signal);
    await store.remove(["a/1", "missing/1"], signal);
    assert.deepEqual(await namesIn(store, "a"), ["2"]);
    assert.deepEqual(await namesIn(store, "b"), []);
  }),
];
