import assert from "node:assert/strict";
import { contentOf } from "../digest.js";
import type { Body } from "../model.js";
import {
  MTIME,
  NEVER,
  type PathItem,
  assertTime,
  bodiesOf,
  byPath,
  itemAt,
  leased,
  namesIn,
  piecesOf,
  putAll,
  putTexts,
  textAt,
} from "./store-fixture.js";

/** Every byte value, line ends of all kinds, no line end at the end; larger than a pipe's buffer. */
function awkwardBytes(): Uint8Array {
  const bytes = new Uint8Array(300_001);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7 + (at >> 8)) & 255;
  bytes.set(Buffer.from("\r\n\n\r\0From \ufeff"), 1000);
  return bytes;
}

export const putCases = [
  leased("bytes come back as they were put, with their content and time", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const bytes = awkwardBytes();
    const cases: readonly Body<PathItem>[] = [
      { item: itemAt("a/whole"), bytes },
      { item: itemAt("a/pieces"), bytes: piecesOf(bytes.subarray(0, 7), new Uint8Array(), bytes.subarray(7)) },
      { item: itemAt("a/empty"), bytes: new Uint8Array() },
      { item: itemAt("a/nothing"), bytes: piecesOf() },
    ];
    const outcomes = new Map((await putAll(store, cases)).map((outcome) => [outcome.item.path, outcome]));
    assert.equal(outcomes.size, cases.length);
    for (const [path, wanted] of [
      ["a/whole", bytes],
      ["a/pieces", bytes],
      ["a/empty", new Uint8Array()],
      ["a/nothing", new Uint8Array()],
    ] as const) {
      const outcome = outcomes.get(path);
      assert.ok(outcome && "content" in outcome, `${path} was not stored`);
      assert.equal(outcome.path, path);
      assert.deepEqual(outcome.content, contentOf(wanted));
      assert.ok(Buffer.from(wanted).equals(await store.read(path, signal)), `${path} came back changed`);
    }
    for (const { path, mtime } of await store.list(["a"], signal)) assertTime(store, mtime, MTIME, `time of ${path}`);
  }),
  leased("bodies that are apart come back, and the error of one costs no other", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("half");
      throw new Error("torn");
    };
    const outcomes = await putAll(store, [
      { item: itemAt("a/1"), bytes: piecesOf("one", "two"), isApart: true },
      { item: itemAt("a/2"), bytes: broken(), isApart: true },
      { item: itemAt("a/3"), bytes: Buffer.from("three") },
      { item: itemAt("a/4"), bytes: piecesOf("fo", "ur"), isApart: true },
    ]);
    const failed = outcomes.flatMap((outcome) => ("error" in outcome ? [outcome.item.path] : []));
    assert.deepEqual(failed, ["a/2"]);
    assert.equal(outcomes.length, 4);
    assert.deepEqual(await namesIn(store, "a"), ["1", "3", "4"]);
    assert.equal(await textAt(store, "a/1"), "onetwo");
    assert.equal(await textAt(store, "a/4"), "four");
  }),
  leased("the place is asked for with the content", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const [outcome] = await putAll(store, [{ item: itemAt("a"), bytes: piecesOf("ab", "c") }], (item, content) => {
      assert.deepEqual(content, contentOf(Buffer.from("abc")));
      return { path: `${item.path}/${content.digest}` };
    });
    const { digest } = contentOf(Buffer.from("abc"));
    assert.ok(outcome && "path" in outcome);
    assert.equal(outcome.path, `a/${digest}`);
    assert.deepEqual(await namesIn(store, "a"), [digest]);
  }),
  leased("a later process sees what was put", async ({ fixture, store, signal }) => {
    await store.makeDirectories(["a/b/c"], signal);
    await putTexts(store, { "a/b/c/x": "deep", "a/y": "shallow" });
    await using again = await fixture.reopen(store);
    assert.equal(await textAt(again, "a/b/c/x"), "deep");
    assert.equal(await textAt(again, "a/y"), "shallow");
  }),
  leased("a body whose bytes throw leaves no file and costs no other", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const broken = new Error("cut");
    const outcomes = await putAll(store, [
      { item: itemAt("a/1"), bytes: Buffer.from("1") },
      { item: itemAt("a/2"), bytes: piecesOf("half", broken) },
      { item: itemAt("a/3"), bytes: piecesOf(broken) },
      { item: itemAt("a/4"), bytes: piecesOf("4") },
    ]);
    assert.deepEqual(await namesIn(store, "a"), ["1", "4"]);
    const failed = outcomes.filter((outcome) => "error" in outcome);
    assert.deepEqual(failed.map(({ item }) => item.path).toSorted(), ["a/2", "a/3"]);
    for (const { error } of failed) assert.equal(error, broken);
    assert.equal(outcomes.length, 4);
  }),
  leased("a body whose bytes throw leaves the file that was there", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    await putTexts(store, { "a/x": "old" });
    await putAll(store, [{ item: itemAt("a/x"), bytes: piecesOf("new", new Error("cut")) }]);
    assert.equal(await textAt(store, "a/x"), "old");
  }),
  leased("a body that is an error is its outcome", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const error = new Error("not to be had");
    const outcomes = await putAll(store, [
      { item: itemAt("a/1"), error },
      { item: itemAt("a/2"), bytes: Buffer.from("2") },
    ]);
    assert.deepEqual(await namesIn(store, "a"), ["2"]);
    const failed = outcomes.find(({ item }) => item.path === "a/1");
    assert.ok(failed && "error" in failed);
    assert.equal(failed.error, error);
  }),
  leased(
    "when the source of bodies throws, what was complete is published and the error passes",
    async ({ store, signal }) => {
      await store.makeDirectories(["a"], signal);
      const broken = new Error("connection lost");
      async function* bodies(): AsyncGenerator<Body<PathItem>> {
        for (let n = 0; n < 10; n++)
          yield { item: itemAt(`a/${n}`), bytes: n % 2 ? Buffer.from(`${n}`) : piecesOf(`${n}`) };
        throw broken;
      }
      const seen: string[] = [];
      await assert.rejects(
        async () => {
          for await (const batch of store.put(bodies(), byPath, NEVER))
            for (const outcome of batch) if ("path" in outcome) seen.push(outcome.path);
        },
        (error) => error === broken,
      );
      const expected = Array.from({ length: 10 }, (_, n) => `${n}`);
      assert.deepEqual(await namesIn(store, "a"), expected);
      assert.deepEqual(
        seen.toSorted(),
        expected.map((name) => `a/${name}`),
      );
      for (const name of expected) assert.equal(await textAt(store, `a/${name}`), name);
    },
  ),
  leased("what is yielded is there already", async ({ fixture, store, signal }) => {
    await store.makeDirectories(["a"], signal);
    const bodies = Array.from({ length: 600 }, (_, n) => ({ item: itemAt(`a/${n}`), bytes: Buffer.from(`${n}`) }));
    await using again = await fixture.reopen(store);
    let yielded = 0;
    for await (const batch of store.put(bodiesOf(bodies), byPath, signal)) {
      yielded += batch.length;
      const last = batch.at(-1);
      if (last) assert.equal(`a/${await textAt(again, last.item.path)}`, last.item.path);
    }
    assert.equal(yielded, 600);
    assert.equal((await store.list(["a"], signal)).length, 600);
  }),
  leased("putting replaces the file that is there", async ({ store, signal }) => {
    await store.makeDirectories(["a"], signal);
    await putTexts(store, { "a/x": "a longer first text" });
    const later = MTIME + 60_000;
    await putAll(store, [{ item: itemAt("a/x", later), bytes: piecesOf("second") }]);
    assert.equal(await textAt(store, "a/x"), "second");
    const [file] = await store.list(["a"], signal);
    assertTime(store, file?.mtime ?? 0, later);
  }),
  leased("a body that is there already may become another name of that file", async ({ store, signal }) => {
    await store.makeDirectories(["a", "b"], signal);
    await putTexts(store, { "a/x": "the same", "b/old": "something else" });
    const same = piecesOf("the ", "same");
    const outcomes = await putAll(
      store,
      [
        { item: itemAt("b/x"), bytes: same },
        { item: itemAt("b/y"), bytes: Buffer.from("the same") },
        { item: itemAt("b/old"), bytes: Buffer.from("the same") },
        { item: itemAt("b/z"), bytes: Buffer.from("bytes of a missing one") },
      ],
      ({ path }) => ({ path, same: path === "b/z" ? "a/missing" : "a/x" }),
    );
    assert.equal(outcomes.filter((outcome) => "path" in outcome).length, 4);
    assert.deepEqual(await namesIn(store, "b"), ["old", "x", "y", "z"]);
    for (const { path, mtime } of await store.list(["b"], signal)) assertTime(store, mtime, MTIME, `time of ${path}`);
    await store.remove(["a/x"], signal);
    for (const name of ["x", "y", "old"]) assert.equal(await textAt(store, `b/${name}`), "the same");
    assert.equal(await textAt(store, "b/z"), "bytes of a missing one");
  }),
  leased("nothing put is nothing done", async ({ store }) => {
    assert.deepEqual(await putAll(store, []), []);
    assert.deepEqual(await store.directories([], NEVER), []);
  }),
];
