import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Retention, retain } from "../src/index.js";

const NOTHING: Retention = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const DAY_MS = 86_400_000;

const complete = (days: readonly string[]) => days.map((day) => ({ day, isComplete: true }));
const keptOf = (days: readonly string[], retention: Partial<Retention>): readonly string[] =>
  retain(complete(days), { ...NOTHING, ...retention })
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ day }) => day);

function dayAt(days: number): string {
  return new Date(days * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "/");
}

/** The Monday that a day's week begins with: two days are in one ISO week if it is the same. */
function mondayOf(day: string): number {
  let at = Date.parse(day.replaceAll("/", "-"));
  while (new Date(at).getUTCDay() !== 1) at -= DAY_MS;
  return at;
}

const PERIOD: Readonly<Record<keyof Retention, (day: string) => string>> = {
  last: (day) => day,
  daily: (day) => day,
  weekly: (day) => String(mondayOf(day)),
  monthly: (day) => day.slice(0, 7),
  yearly: (day) => day.slice(0, 4),
};

/** As one would do it by hand: sort into periods, take the newest of each, and of these the last so many. */
function naively(
  snapshots: readonly { day: string; isComplete: boolean }[],
  retention: Retention,
): ReadonlySet<string> {
  const kept = new Set<string>();
  for (const name of Object.keys(PERIOD) as (keyof Retention)[]) {
    const newest = new Map<string, string>();
    for (const { day } of snapshots) {
      const period = PERIOD[name](day);
      const before = newest.get(period);
      if (before === undefined || before < day) newest.set(period, day);
    }
    const best = [...newest.values()].toSorted().toReversed();
    for (const day of best.slice(0, retention[name])) kept.add(day);
  }
  const last = snapshots
    .filter(({ isComplete }) => isComplete)
    .map(({ day }) => day)
    .toSorted()
    .at(-1);
  if (last !== undefined) kept.add(last);
  return kept;
}

describe("what is kept of a history", () => {
  it("is the newest of each period, for so many periods that have one", () => {
    const days = ["2024/12/28", "2024/12/30", "2025/01/01", "2025/01/05", "2025/01/06", "2026/11/01", "2026/11/23"];
    expect(keptOf(days, { last: 2 })).toEqual(["2026/11/23", "2026/11/01"]);
    expect(keptOf(days, { daily: 3 })).toEqual(["2026/11/23", "2026/11/01", "2025/01/06"]);
    // December 30 of 2024 is in the first week of 2025, with January 5.
    expect(keptOf(days, { weekly: 5 })).toEqual(["2026/11/23", "2026/11/01", "2025/01/06", "2025/01/05", "2024/12/28"]);
    expect(keptOf(days, { monthly: 2 })).toEqual(["2026/11/23", "2025/01/06"]);
    expect(keptOf(days, { yearly: 9 })).toEqual(["2026/11/23", "2025/01/06", "2024/12/30"]);
  });

  it("says why, and always has the newest complete one", () => {
    const snapshots = [
      { day: "2026/11/21", isComplete: true },
      { day: "2026/11/22", isComplete: true },
      { day: "2026/11/23", isComplete: false },
    ];
    expect(retain(snapshots, { ...NOTHING, last: 1, monthly: 1 })).toEqual([
      { day: "2026/11/23", reasons: ["last", "monthly"] },
      { day: "2026/11/22", reasons: ["newest complete"] },
      { day: "2026/11/21", reasons: [] },
    ]);
  });

  it("is what one would keep by hand", () => {
    const count = fc.integer({ min: 0, max: 12 });
    const retention = fc.record({ last: count, daily: count, weekly: count, monthly: count, yearly: count });
    const first = Date.UTC(2019, 11, 20) / DAY_MS;
    const days = fc.uniqueArray(fc.integer({ min: first, max: first + 1200 }), { maxLength: 80 });
    const snapshots = days.chain((numbers) =>
      fc.tuple(...numbers.map((number) => fc.record({ day: fc.constant(dayAt(number)), isComplete: fc.boolean() }))),
    );
    fc.assert(
      fc.property(snapshots, retention, (given, wanted) => {
        const kept = retain(given, wanted).filter(({ reasons }) => reasons.length > 0);
        expect(new Set(kept.map(({ day }) => day))).toEqual(naively(given, wanted));
      }),
      { numRuns: 2000 },
    );
  });
});
