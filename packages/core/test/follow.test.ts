import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackupError } from "../src/errors.js";
import { follow } from "../src/follow.js";
import { virtualClock } from "./support/virtual-clock.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

interface Script {
  /** When something changes, milliseconds from the start. */
  readonly changes?: readonly number[];
  /** When listening ends by itself. */
  readonly cuts?: readonly number[];
  /** While the source can not be listened to: from, to. */
  readonly deaf?: readonly (readonly [number, number])[];
  /** What listening fails with then. */
  readonly deafness?: BackupError;
  /** How long a run takes. */
  readonly takes?: number;
  /** What a run ends with that begins at this time; undefined: well. */
  readonly fails?: (at: number) => Error | undefined;
  readonly until: number;
  readonly random?: () => number;
}

interface Run {
  readonly from: number;
  to: number;
  isWell: boolean;
}

const LOST = new BackupError("CONNECTION_LOST", "cut", { transient: true });
const REFUSED = new BackupError("AUTH_FAILED", "the password is wrong");

/** Follows a source in a time that passes at once. */
async function followed(script: Script) {
  const { takes = 0, fails = () => undefined, until, deafness = LOST } = script;
  const clock = virtualClock(script.random);
  const stop = new AbortController();
  const runs: Run[] = [];
  const told: string[] = [];
  /** What is listening. */
  const ears = new Set<{ readonly hear: () => void; readonly cut: () => void }>();
  let atOnce = 0;
  let most = 0;
  for (const at of script.changes ?? []) clock.at(at, () => ears.forEach(({ hear }) => hear()));
  for (const at of script.cuts ?? []) clock.at(at, () => ears.forEach(({ cut }) => cut()));
  for (const [from] of script.deaf ?? []) clock.at(from, () => ears.forEach(({ cut }) => cut()));

  async function* changes(signal: AbortSignal): AsyncGenerator<void> {
    if ((script.deaf ?? []).some(([from, to]) => from <= clock.now() && clock.now() < to)) throw deafness;
    let news = 1;
    let isCut = false;
    let wake = (): void => {};
    const ear = {
      hear: () => (news++, wake()),
      cut: () => ((isCut = true), wake()),
    };
    ears.add(ear);
    signal.addEventListener("abort", ear.cut, { once: true });
    try {
      for (;;) {
        if (isCut) throw LOST;
        if (news > 0) {
          news = 0;
          yield;
        } else await new Promise<void>((go) => (wake = go));
      }
    } finally {
      ears.delete(ear);
      signal.removeEventListener("abort", ear.cut);
    }
  }

  const following = follow({
    changes,
    async run() {
      const from = clock.now();
      const made: Run = { from, to: Number.POSITIVE_INFINITY, isWell: false };
      runs.push(made);
      most = Math.max(most, ++atOnce);
      await clock.wait(takes);
      atOnce--;
      made.to = clock.now();
      const error = fails(from);
      if (error) throw error;
      made.isWell = true;
    },
    clock,
    onTrouble: (part, { code }, pauseMs) => told.push(`${clock.now()} ${part} ${code}, again in ${pauseMs}`),
    onRecovery: (part) => told.push(`${clock.now()} ${part} again`),
    signal: stop.signal,
  });
  let error: unknown;
  const over = following.catch((thrown: unknown) => {
    error = thrown;
  });
  await clock.passTo(until);
  stop.abort();
  await clock.passTo(until + takes + 1);
  await over;
  return { runs, told, error, most, begun: runs.map(({ from }) => from), ears };
}

describe("following a source", () => {
  it("runs, and again when it is listened to, two seconds after a change, and an hour after the last run", async () => {
    const { begun, told } = await followed({ changes: [10 * SECOND], until: 2 * HOUR + MINUTE });
    expect(begun).toEqual([0, 2 * SECOND, 12 * SECOND, 12 * SECOND + HOUR, 12 * SECOND + 2 * HOUR]);
    expect(told).toEqual([]);
  });

  it("waits until it is quiet, but no longer than 30 seconds", async () => {
    const burst = Array.from({ length: 6 }, (_, n) => 10 * SECOND + n * 500);
    expect((await followed({ changes: burst, until: MINUTE })).begun).toEqual([0, 2 * SECOND, 14.5 * SECOND]);
    const stream = Array.from({ length: 100 }, (_, n) => 10 * SECOND + n * SECOND);
    const { begun } = await followed({ changes: stream, until: 3 * MINUTE });
    expect(begun).toEqual([0, 2, 40, 71, 102, 111].map((seconds) => seconds * SECOND));
  });

  it("follows a change during a run by the next one, and runs one at a time", async () => {
    const { begun, most } = await followed({
      changes: [MINUTE, MINUTE + 5 * SECOND],
      takes: 20 * SECOND,
      until: 5 * MINUTE,
    });
    expect(begun).toEqual([0, 22 * SECOND, MINUTE + 2 * SECOND, MINUTE + 22 * SECOND]);
    expect(most).toBe(1);
  });

  it("listens again after a cut, tells of it once, and runs since it may have missed something", async () => {
    const { begun, told } = await followed({ cuts: [5 * MINUTE], until: 10 * MINUTE });
    expect(told).toEqual(["300000 listening CONNECTION_LOST, again in 1000", "301000 listening again"]);
    expect(begun).toEqual([0, 2 * SECOND, 303 * SECOND]);
  });

  it("tries to listen with growing pauses, for ever, and passes meanwhile", async () => {
    const { begun, told } = await followed({ deaf: [[MINUTE, 3 * HOUR]], until: 4 * HOUR });
    expect(told).toHaveLength(2);
    expect(told[0]).toBe("60000 listening CONNECTION_LOST, again in 1000");
    expect(told[1]).toMatch(/ listening again$/);
    const [, , first, second, back = 0] = begun;
    expect([first, second]).toEqual([HOUR + 2 * SECOND, 2 * HOUR + 2 * SECOND]);
    expect(back).toBeGreaterThanOrEqual(3 * HOUR);
    // After the longest pause at most.
    expect(back).toBeLessThanOrEqual(3 * HOUR + 5 * MINUTE + 2 * SECOND);
  });

  it("is slow with what does not go away by itself, and leaves a part of a pause to chance", async () => {
    const script = { deaf: [[MINUTE, 2 * HOUR]], deafness: REFUSED, until: 30 * MINUTE } as const;
    expect((await followed(script)).told).toEqual([
      "60000 listening CONNECTION_LOST, again in 1000",
      "61000 listening AUTH_FAILED, again in 300000",
    ]);
    const { told } = await followed({ ...script, random: () => 0 });
    expect(told.at(-1)).toBe("60500 listening AUTH_FAILED, again in 150000");
  });

  it("ends by what is wrong for good at the start, and by nothing that may pass", async () => {
    const wrong = await followed({ deaf: [[0, HOUR]], deafness: REFUSED, until: HOUR });
    expect(wrong).toMatchObject({ error: REFUSED, begun: [0] });
    const first = await followed({ fails: () => REFUSED, until: HOUR });
    expect(first).toMatchObject({ error: REFUSED, begun: [0] });
    expect(first.ears.size).toBe(0);
    const late = await followed({ deaf: [[0, 10 * SECOND]], until: HOUR / 2 });
    expect(late.error).toBeUndefined();
    expect(late.begun).toEqual([0, 17 * SECOND]);
  });

  it("ends by an error that is none of ours, whenever", async () => {
    const bug = new TypeError("x is not a function");
    expect(await followed({ fails: (at) => (at > 0 ? bug : undefined), changes: [MINUTE], until: HOUR })).toMatchObject(
      { error: bug },
    );
  });

  it("does nothing when it is told to end before it begins, and ends at once while it waits", async () => {
    const clock = virtualClock();
    const runs: number[] = [];
    const options = {
      async *changes() {
        yield;
      },
      run: async () => void runs.push(clock.now()),
      clock,
      onTrouble: () => {},
      onRecovery: () => {},
    };
    await follow({ ...options, signal: AbortSignal.abort() });
    expect(runs).toEqual([]);
    const stop = new AbortController();
    const over = follow({ ...options, signal: stop.signal });
    await clock.passTo(0);
    stop.abort();
    await over;
    expect([runs, clock.now()]).toEqual([[0], 0]);
  });

  it("tries a run again that failed, and tells of each cause once", async () => {
    const full = new BackupError("DISK_FULL", "full", { transient: true });
    const fails = (at: number) => (at >= MINUTE && at < 3 * MINUTE ? (at < 2 * MINUTE ? LOST : full) : undefined);
    const { begun, told } = await followed({ changes: [MINUTE], fails, until: 20 * MINUTE });
    expect(begun.map((at) => at / SECOND)).toEqual([0, 2, 62, 63, 65, 69, 77, 93, 125, 189]);
    expect(told).toEqual([
      "62000 running CONNECTION_LOST, again in 1000",
      "125000 running DISK_FULL, again in 64000",
      "189000 running again",
    ]);
  });

  it("never runs twice at once, and follows every change by a run that began after it and went well", async () => {
    const minutes = fc.integer({ min: 0, max: 3 * HOUR });
    await fc.assert(
      fc.asyncProperty(
        fc.array(minutes, { maxLength: 30 }),
        fc.array(minutes, { maxLength: 5 }),
        fc.array(fc.tuple(minutes, minutes), { maxLength: 3 }),
        fc.array(fc.tuple(minutes, minutes), { maxLength: 3 }),
        fc.integer({ min: 0, max: 40 * MINUTE }),
        async (changes, cuts, deaf, broken, takes) => {
          const fails = (at: number) => (broken.some(([from, to]) => from <= at && at < to) ? LOST : undefined);
          const { runs, most, error } = await followed({ changes, cuts, deaf, takes, fails, until: 6 * HOUR });
          expect(error).toBeUndefined();
          expect(most).toBe(1);
          // Also those of a time in which nobody listened.
          for (const change of changes)
            expect(
              runs.some(({ from, isWell }) => from >= change && isWell),
              `the change at ${change}`,
            ).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });
});
