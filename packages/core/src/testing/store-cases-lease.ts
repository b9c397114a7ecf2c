import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Body } from "../model.js";
import {
  NEVER,
  type PathItem,
  byPath,
  itemAt,
  leased,
  namesIn,
  piecesOf,
  putAll,
  putTexts,
  rejectsWith,
  stampsIn,
  textAt,
  unleased,
} from "./store-fixture.js";

export const leaseCases = [
  unleased("one lease at a time, and another when the first is given back", async (fixture) => {
    await using store = await fixture.open();
    await using other = await fixture.reopen(store);
    {
      await using lease = await store.lease(NEVER);
      await rejectsWith("LEASE_HELD", other.lease(NEVER));
      await rejectsWith("LEASE_HELD", store.lease(NEVER));
      assert.equal(lease.lost.aborted, false);
    }
    await using second = await other.lease(NEVER);
    assert.equal(second.lost.aborted, false);
    await rejectsWith("LEASE_HELD", store.lease(NEVER));
  }),
  unleased("a lease costs nothing that was stored", async (fixture) => {
    await using store = await fixture.open();
    {
      await using _lease = await store.lease(NEVER);
      await store.makeDirectories(["a"], NEVER);
      await putTexts(store, { "a/x": "x" });
    }
    await using again = await fixture.reopen(store);
    await using _lease = await again.lease(NEVER);
    assert.equal(await textAt(again, "a/x"), "x");
  }),
  unleased("what an interrupted put left is not seen, and the next lease clears it", async (fixture) => {
    await using store = await fixture.open();
    const first = await store.lease(NEVER);
    await store.makeDirectories(["a"], NEVER);
    const stuck = gate();
    const reached = gate();
    async function* halfBody(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("half");
      reached.open();
      await stuck.opened;
      throw new Error("killed");
    }
    async function* bodies(): AsyncGenerator<Body<PathItem>> {
      yield { item: itemAt("a/1"), bytes: Buffer.from("1") };
      yield { item: itemAt("a/2"), bytes: halfBody() };
    }
    const put = (async () => {
      for await (const batch of store.put(bodies(), byPath, NEVER)) assert.ok(batch);
    })();
    put.catch(() => {});
    await reached.opened;
    // A store may be writing what came before: a process that is gone does so no more.
    await quiet(
      () => namesIn(store, "a"),
      async () => (await fixture.leftovers?.(store)) ?? [],
    );
    if (fixture.leftovers) assert.notDeepEqual(await fixture.leftovers(store), []);
    assert.ok(!(await namesIn(store, "a")).includes("2"));
    // The process that put is gone as far as anyone can tell: its lease is free and it writes nothing more.
    await first[Symbol.asyncDispose]();
    await using again = await fixture.reopen(store);
    {
      await using _second = await again.lease(NEVER);
      assert.ok(!(await namesIn(again, "a")).includes("2"));
      assert.deepEqual([...(await stampsIn(again)).keys()], ["a"]);
      if (fixture.leftovers) assert.deepEqual(await fixture.leftovers(again), []);
    }
    stuck.open();
    await put.catch(() => {});
  }),
  leased("a signal that fired stops every method before it does anything", async ({ store }) => {
    await store.makeDirectories(["a", "b"], NEVER);
    await putTexts(store, { "a/x": "x" });
    const before = await stampsIn(store);
    const fired = AbortSignal.abort();
    await rejectsWith("ABORTED", store.directories([], fired));
    await rejectsWith("ABORTED", store.list(["a"], fired));
    await rejectsWith("ABORTED", store.read("a/x", fired));
    await rejectsWith("ABORTED", store.write("a/y", Buffer.from("y"), fired));
    await rejectsWith("ABORTED", store.makeDirectories(["c"], fired));
    await rejectsWith("ABORTED", store.move([{ from: "a/x", to: "a/y" }], fired));
    await rejectsWith("ABORTED", store.remove(["a/x"], fired));
    await rejectsWith("ABORTED", store.removeDirectories(["b"], fired));
    await rejectsWith("ABORTED", drain(store.put(one("a/y"), byPath, fired)));
    assert.deepEqual(await stampsIn(store), before);
    assert.deepEqual(await namesIn(store, "a"), ["x"]);
  }),
  unleased("a signal that fired takes no lease", async (fixture) => {
    await using store = await fixture.open();
    await rejectsWith("ABORTED", store.lease(AbortSignal.abort()));
    await using _lease = await store.lease(NEVER);
  }),
  leased(
    "a signal that fires in the middle of a put ends it, and nothing is published after",
    async ({ fixture, store }) => {
      await store.makeDirectories(["a"], NEVER);
      const controller = new AbortController();
      let askedAfter = false;
      async function* bodies(): AsyncGenerator<Body<PathItem>> {
        yield { item: itemAt("a/1"), bytes: Buffer.from("1") };
        controller.abort();
        yield { item: itemAt("a/2"), bytes: Buffer.from("2") };
        askedAfter = true;
        yield { item: itemAt("a/3"), bytes: piecesOf("3") };
      }
      await rejectsWith("ABORTED", drain(store.put(bodies(), byPath, controller.signal)));
      assert.ok(!askedAfter, "another body was asked for after the abort");
      const after = await namesIn(store, "a");
      assert.ok(!after.includes("2") && !after.includes("3"));
      await using again = await fixture.reopen(store);
      assert.deepEqual(await namesIn(again, "a"), after);
      assert.equal((await putAll(store, [{ item: itemAt("a/2"), bytes: Buffer.from("2") }])).length, 1);
      assert.ok((await namesIn(store, "a")).includes("2"));
    },
  ),
  leased("a signal that fires in the middle of a body's bytes leaves no file", async ({ store }) => {
    await store.makeDirectories(["a"], NEVER);
    const controller = new AbortController();
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("half");
      controller.abort();
      yield Buffer.from("more");
    }
    async function* bodies(): AsyncGenerator<Body<PathItem>> {
      yield { item: itemAt("a/1"), bytes: pieces() };
    }
    await rejectsWith("ABORTED", drain(store.put(bodies(), byPath, controller.signal)));
    assert.deepEqual(await namesIn(store, "a"), []);
  }),
];

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

async function* one(path: string): AsyncGenerator<Body<PathItem>> {
  yield { item: itemAt(path), bytes: Buffer.from("x") };
}

async function drain(iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const value of iterable) assert.ok(value);
}

/** Waits until what these tell has stayed the same for a while. */
async function quiet(...tell: readonly (() => Promise<readonly string[]>)[]): Promise<void> {
  let before = "";
  for (let calm = 0; calm < 5; ) {
    const now = JSON.stringify(await Promise.all(tell.map((each) => each())));
    calm = now === before ? calm + 1 : 0;
    before = now;
    await sleep(20);
  }
}
