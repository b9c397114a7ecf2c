import { getEventListeners, setMaxListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import { isBackupError } from "@backup/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Turns, placeOf } from "../src/turns.js";

interface Job {
  readonly host: string;
  readonly destination: string;
}

const job = fc.record({
  host: fc.constantFrom("a", "b", "c"),
  destination: fc.constantFrom("/one", "/two", "/three", "/four", "/five", "nas:six"),
});

/** Takes turns for jobs, and says which of them have one. */
function takeAll(turns: Turns, signal = new AbortController().signal) {
  setMaxListeners(0, signal);
  const running = new Map<number, { readonly job: Job; readonly turn: Disposable }>();
  const order: number[] = [];
  const failed: unknown[] = [];
  const take = (index: number, wanted: Job): void => {
    turns.take(wanted, signal).then(
      (turn) => {
        order.push(index);
        running.set(index, { job: wanted, turn });
      },
      (error: unknown) => failed.push(error),
    );
  };
  const end = (index: number): void => {
    running.get(index)?.turn[Symbol.dispose]();
    running.delete(index);
  };
  return { running, order, failed, take, end };
}

describe("turns", () => {
  it("never gives too many, never two on one destination, and everybody one in the end", async () => {
    const limits = fc.record({ concurrency: fc.integer({ min: 1, max: 4 }), perHost: fc.integer({ min: 1, max: 3 }) });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(job, { maxLength: 25 }), fc.infiniteStream(fc.nat()), async (...input) => {
        const [limit, jobs, choices] = input;
        const { running, order, take, end } = takeAll(new Turns(limit));
        let begun = 0;
        while (order.length < jobs.length || running.size > 0) {
          const choice = choices.next().value ?? 0;
          const next = jobs[begun];
          if (next && choice % 3 > 0) take(begun++, next);
          else end([...running.keys()][choice % running.size] ?? -1);
          await setImmediate();
          const now = [...running.values()].map((each) => each.job);
          expect(now.length).toBeLessThanOrEqual(limit.concurrency);
          for (const host of ["a", "b", "c"])
            expect(now.filter((each) => each.host === host).length).toBeLessThanOrEqual(limit.perHost);
          expect(new Set(now.map(({ destination }) => destination)).size).toBe(now.length);
          // Whoever waits, waits for one that came before, never only for those who passed.
          const waiting = jobs.findIndex((_job, index) => index < begun && !order.includes(index));
          const unended = jobs.findIndex(
            (_job, index) => index < begun && (running.has(index) || !order.includes(index)),
          );
          if (waiting >= 0) expect(unended).toBeLessThan(waiting);
        }
        expect(order.toSorted((a, b) => a - b)).toEqual(jobs.map((_job, index) => index));
      }),
      { numRuns: 300 },
    );
  });

  it("go by who came first where nothing else stands in the way", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 20 }), async (concurrency, count) => {
        const { running, order, take, end } = takeAll(new Turns({ concurrency, perHost: 99 }));
        for (let index = 0; index < count; index++) take(index, { host: "a", destination: `/${index}` });
        for (let index = 0; index < count; index++) {
          await setImmediate();
          expect(order.length).toBe(Math.min(count, index + concurrency));
          end([...running.keys()][0] ?? -1);
        }
        expect(order).toEqual(Array.from({ length: count }, (_, index) => index));
      }),
      { numRuns: 50 },
    );
  });

  it("let those pass who wait for nobody, and none who would take away what another one waits for", async () => {
    const { order, take, end } = takeAll(new Turns({ concurrency: 3, perHost: 1 }));
    take(0, { host: "a", destination: "/one" });
    take(1, { host: "b", destination: "/two" });
    // Waits for both.
    take(2, { host: "a", destination: "/two" });
    take(3, { host: "c", destination: "/three" });
    await setImmediate();
    expect(order).toEqual([0, 1, 3]);
    take(4, { host: "a", destination: "/four" });
    take(5, { host: "d", destination: "/two" });
    end(0);
    await setImmediate();
    expect(order).toEqual([0, 1, 3]);
    end(1);
    await setImmediate();
    expect(order).toEqual([0, 1, 3, 2]);
    end(2);
    await setImmediate();
    expect(order).toEqual([0, 1, 3, 2, 4, 5]);
  });

  it("end the waiting with the signal, and let go whom that held up", async () => {
    const turns = new Turns({ concurrency: 3, perHost: 1 });
    const stop = new AbortController();
    const first = takeAll(turns);
    const stopped = takeAll(turns, stop.signal);
    const last = takeAll(turns);
    first.take(0, { host: "a", destination: "/one" });
    stopped.take(0, { host: "a", destination: "/two" });
    last.take(0, { host: "b", destination: "/two" });
    await setImmediate();
    expect(last.order).toEqual([]);
    stop.abort();
    await setImmediate();
    expect(stopped.failed.map((error) => isBackupError(error, "ABORTED"))).toEqual([true]);
    expect(last.order).toEqual([0]);
    stopped.take(1, { host: "z", destination: "/z" });
    await setImmediate();
    expect(stopped.failed).toHaveLength(2);
    expect(stopped.order).toEqual([]);
  });

  it("leave no listener behind", async () => {
    const { signal } = new AbortController();
    const { running, take, end } = takeAll(new Turns({ concurrency: 1, perHost: 1 }), signal);
    for (let index = 0; index < 20; index++) take(index, { host: "a", destination: "/one" });
    expect(getEventListeners(signal, "abort")).toHaveLength(19);
    for (let index = 0; index < 20; index++) {
      await setImmediate();
      expect([...running.keys()]).toEqual([index]);
      end(index);
    }
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("count one that is given back twice once", async () => {
    const turns = new Turns({ concurrency: 2, perHost: 2 });
    const { signal } = new AbortController();
    const wanted = { host: "a", destination: "/one" };
    const turn = await turns.take(wanted, signal);
    turn[Symbol.dispose]();
    const { order, take } = takeAll(turns);
    take(0, wanted);
    await setImmediate();
    turn[Symbol.dispose]();
    take(1, wanted);
    await setImmediate();
    expect(order).toEqual([0]);
  });

  it("keep to new limits from then on", async () => {
    const turns = new Turns({ concurrency: 1, perHost: 1 });
    const { order, running, take, end } = takeAll(turns);
    for (let index = 0; index < 5; index++) take(index, { host: "a", destination: `/${index}` });
    await setImmediate();
    expect(order).toEqual([0]);
    turns.setLimits({ concurrency: 3, perHost: 3 });
    await setImmediate();
    expect(order).toEqual([0, 1, 2]);
    turns.setLimits({ concurrency: 1, perHost: 3 });
    end(0);
    end(1);
    await setImmediate();
    expect([...running.keys()]).toEqual([2]);
  });
});

describe("the place of a destination", () => {
  it.each([
    ["/backup/alice", "/backup//alice/"],
    ["alice", `${process.cwd()}/x/../alice`],
    ["nas:mail/alice", "NAS:mail/alice/"],
    ["nas:mail/alice", "nas:~/mail//./alice"],
    ["me@nas:", "me@nas:./"],
    ["nas:/", "nas://"],
  ])("is the same for %s and %s", (one, other) => {
    expect(placeOf(one)).toBe(placeOf(other));
  });

  it.each([
    ["/backup/alice", "/backup/bob"],
    ["nas:mail", "nas:/mail"],
    ["nas:mail", "me@nas:mail"],
    ["nas:mail", "./nas:mail"],
    ["nas:", "nas:/"],
  ])("is another for %s and %s", (one, other) => {
    expect(placeOf(one)).not.toBe(placeOf(other));
  });
});
