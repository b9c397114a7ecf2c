import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Plan, PlannedAction } from "../src/plan/plan.js";
import { PLUGINS } from "./support/types.js";
import { watchLoop } from "../src/watch-loop.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse("2026-03-01T12:00:00Z");

function plan(...actions: readonly PlannedAction[]): Plan {
  return {
    file: "plan.yaml",
    plugins: PLUGINS,
    limits: { concurrency: 2, perHost: 2 },
    reports: {},
    hooks: { before: [], after: [] },
    actions,
  };
}

function planned(name: string, cron?: string, jitterMs = 0): PlannedAction {
  return {
    action: { name, type: "test", destination: `/${name}`, host: "localhost", run: () => Promise.reject(new Error()) },
    schedule: cron === undefined ? undefined : { cron, jitterMs, timeZone: "UTC" },
    hooks: { before: [], after: [] },
  };
}

interface Script {
  readonly plan: Plan;
  /** How long an action takes, milliseconds; or each, one time after the other. */
  readonly takes?: number | Readonly<Record<string, readonly number[]>>;
  /** Minutes after the start at which the watch is told to end. */
  readonly minutes: number;
  /** What happens so many minutes after the start. */
  readonly events?: Readonly<Record<number, (world: World) => void>>;
  /** What is read when the plan is read again. */
  readonly reread?: () => Plan | undefined;
}

interface World {
  /** The clock is set, or the machine slept: by so many milliseconds. */
  set(ms: number): void;
  reload(): void;
}

/** Watches in a time that passes at once, until everything has ended. */
async function watched({ takes = 0, minutes, events = {}, ...script }: Script) {
  const log: string[] = [];
  const counts = new Map<string, number>();
  const stop = new AbortController();
  let passed = 0;
  let shift = 0;
  let longest = 0;
  let reload = (): void => {};
  let listeners = 0;
  const now = (): number => START + passed + shift;
  const time = (): string => new Date(now()).toISOString().slice(8, 16).replace("T", " ");
  const timers: { readonly at: number; readonly go: () => void }[] = [];
  const world: World = { set: (ms) => (shift += ms), reload: () => reload() };
  for (const [minute, go] of Object.entries(events)) timers.push({ at: Number(minute) * MINUTE, go: () => go(world) });
  timers.push({ at: minutes * MINUTE, go: () => stop.abort() });
  const pass = async (until: number, signal?: AbortSignal): Promise<void> => {
    for (;;) {
      await setImmediate();
      const [next] = timers.toSorted((a, b) => a.at - b.at);
      if (signal?.aborted) return;
      if (!next || next.at > until) break;
      timers.splice(timers.indexOf(next), 1);
      passed = next.at;
      next.go();
    }
    passed = until;
  };
  const running = watchLoop({
    plan: script.plan,
    clock: {
      now,
      random: () => 0.5,
      sleep(ms, signal) {
        longest = Math.max(longest, ms);
        return pass(passed + ms, signal);
      },
    },
    signal: stop.signal,
    onReload(callback) {
      listeners++;
      reload = callback;
      return () => listeners--;
    },
    reread: () => Promise.resolve(script.reread?.()),
    async run(_plan, actions, ended) {
      const names = actions.map(({ action }) => action.name);
      log.push(`${time()} ${names.join("+")}`);
      if (takes === 0) return;
      const end = async (name: string): Promise<void> => {
        await new Promise<void>((go) => {
          const ms = typeof takes === "number" ? takes : (takes[name]?.[counts.get(name) ?? 0] ?? MINUTE);
          counts.set(name, (counts.get(name) ?? 0) + 1);
          timers.push({ at: passed + ms, go });
        });
        ended(name);
      };
      await Promise.all(names.map(end));
      log.push(`${time()} ${names.join("+")} ended`);
    },
    tell: {
      plan: () => {},
      next: () => {},
      leftOut: ({ planned: entry }) => log.push(`${time()} ${entry.action.name} left out`),
    },
  });
  let isOver = false;
  const over = running.finally(() => {
    isOver = true;
  });
  // What still runs when the watch is told to end has its time, too.
  while (!isOver) await (stop.signal.aborted ? pass(passed + MINUTE) : setImmediate());
  await over;
  expect(longest).toBeLessThanOrEqual(HOUR);
  expect(listeners).toBe(0);
  return log;
}

describe("a watch", () => {
  it("runs what is due at once together, and what has no schedule at the start", async () => {
    const log = await watched({
      plan: plan(planned("a", "30 * * * *"), planned("once"), planned("b", "*/15 * * * *")),
      minutes: 61,
    });
    expect(log).toEqual(["01 12:00 once", "01 12:15 b", "01 12:30 a+b", "01 12:45 b", "01 13:00 b"]);
  });

  it("leaves out what still runs, and nothing else", async () => {
    const log = await watched({
      plan: plan(planned("a", "*/10 * * * *"), planned("b", "20,40 * * * *")),
      takes: 14 * MINUTE,
      minutes: 45,
    });
    expect(log).toEqual([
      "01 12:10 a",
      "01 12:20 a left out",
      "01 12:20 b",
      "01 12:24 a ended",
      "01 12:30 a",
      "01 12:34 b ended",
      "01 12:40 a left out",
      "01 12:40 b",
      "01 12:44 a ended",
      // Told to end at 12:45; what ran then had its end.
      "01 12:54 b ended",
    ]);
  });

  it("runs again what has ended, whatever it once began with; and leaves that out in its turn", async () => {
    const log = await watched({
      plan: plan(planned("slow", "*/10 * * * *"), planned("fast", "*/10 * * * *")),
      takes: { slow: [12 * MINUTE, MINUTE], fast: [MINUTE, 25 * MINUTE] },
      minutes: 35,
    });
    expect(log).toEqual([
      "01 12:10 slow+fast",
      "01 12:20 slow left out",
      "01 12:20 fast",
      "01 12:22 slow+fast ended",
      "01 12:30 fast left out",
      "01 12:30 slow",
      "01 12:31 slow ended",
      "01 12:45 fast ended",
    ]);
  });

  it("waits for the jitter, and for months", async () => {
    expect(await watched({ plan: plan(planned("a", "30 12 * * *", 20 * MINUTE)), minutes: 60 })).toEqual([
      "01 12:40 a",
    ]);
    // Longer than a timer can be: 2^31 milliseconds are 25 days.
    const yearly = plan(planned("a", "0 0 10 4 *"));
    const log = await watched({ plan: yearly, minutes: 40 * 24 * 60 });
    expect(log).toEqual(["10 00:00 a"]);
  });

  it("makes up once for what the machine slept through", async () => {
    const log = await watched({
      plan: plan(planned("a", "30 * * * *")),
      minutes: 95,
      events: { 10: (world) => world.set(72 * HOUR) },
    });
    // At the next look at the clock, and then as ever.
    expect(log).toEqual(["04 12:10 a", "04 12:30 a", "04 13:30 a"]);
  });

  it("goes by the clock also after that was set back", async () => {
    const log = await watched({
      plan: plan(planned("a", "30 * * * *"), planned("once")),
      minutes: 120,
      events: { 40: (world) => world.set(-5 * HOUR) },
    });
    expect(log).toEqual(["01 12:00 once", "01 12:30 a", "01 08:30 a"]);
  });

  it("does nothing twice because a clock is put right by a little", async () => {
    const log = await watched({
      plan: plan(planned("a", "30 * * * * *")),
      minutes: 3,
      // It ran half a second ago.
      events: { 0.51: (world) => world.set(-5000) },
    });
    expect(log).toEqual(["01 12:00 a", "01 12:01 a", "01 12:02 a"]);
  });

  it("reads the plan again when it is told to; one that is no good changes nothing", async () => {
    const plans = [undefined, plan(planned("a", "30 * * * *"), planned("new"), planned("c", "50 * * * *"))];
    const log = await watched({
      plan: plan(planned("a", "30 * * * *"), planned("once"), planned("b", "*/20 * * * *")),
      minutes: 60,
      events: { 25: (world) => world.reload(), 35: (world) => world.reload() },
      reread: () => plans.shift(),
    });
    expect(log).toEqual(["01 12:00 once", "01 12:20 b", "01 12:30 a", "01 12:35 new", "01 12:50 c"]);
  });

  it("ends without a run when it is told to before it begins", async () => {
    expect(await watched({ plan: plan(planned("a", "* * * * *")), minutes: 0 })).toEqual([]);
  });
});
