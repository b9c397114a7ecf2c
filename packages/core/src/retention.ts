import { type Day, timeOfDay } from "./day.js";

/** How many snapshots are kept, of each kind; 0: none for that. */
export interface Retention {
  /** The newest. */
  readonly last: number;
  /** The newest of each of so many days, weeks and so on that have one. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
}

/** What becomes of a snapshot. */
export interface Verdict {
  readonly day: Day;
  /** Why it is kept; none: it is to be removed. */
  readonly reasons: readonly string[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** The time that a snapshot is one of, as a text of its own. */
const PERIODS: readonly (readonly [keyof Retention, (day: Day) => string])[] = [
  ["last", (day) => day],
  ["daily", (day) => day],
  ["weekly", isoWeek],
  ["monthly", (day) => day.slice(0, "2026/11".length)],
  ["yearly", (day) => day.slice(0, "2026".length)],
];

/**
 * Says of each snapshot whether it is kept, as restic does: of each period the newest, for the last so many periods that
 * have one. The newest complete snapshot is always kept. Pure.
 * @returns the newest first
 */
export function retain(
  snapshots: readonly { readonly day: Day; readonly isComplete: boolean }[],
  retention: Retention,
): readonly Verdict[] {
  const newest = snapshots.toSorted((a, b) => (a.day < b.day ? 1 : -1));
  const reasons = new Map<Day, string[]>(newest.map(({ day }) => [day, []]));
  for (const [name, periodOf] of PERIODS) {
    let left = retention[name];
    let before: string | undefined;
    for (const { day } of newest) {
      const period = periodOf(day);
      if (left <= 0) break;
      if (period === before) continue;
      reasons.get(day)?.push(name);
      before = period;
      left--;
    }
  }
  const complete = newest.find(({ isComplete }) => isComplete);
  if (complete) reasons.get(complete.day)?.push("newest complete");
  return Array.from(reasons, ([day, because]) => ({ day, reasons: because }));
}

/** ISO 8601: the week is that of its Thursday. */
function isoWeek(day: Day): string {
  const time = timeOfDay(day);
  const fromMonday = (new Date(time).getUTCDay() + 6) % 7;
  const thursday = new Date(time + (3 - fromMonday) * DAY_MS);
  const start = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = 1 + Math.floor((thursday.getTime() - start) / DAY_MS / 7);
  return `${thursday.getUTCFullYear()} ${week}`;
}
