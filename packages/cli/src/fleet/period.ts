/** Periods in each of which an account has one job. */
export const PERIODS = ["hour", "day", "week"] as const;
export type Period = (typeof PERIODS)[number];

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;
/** A Monday. */
const FIRST_MONDAY_MS = Date.UTC(1970, 0, 5);

/** The one that a moment is in, UTC: `2026-11-30`, `2026-11-30T14`, or of a week its Monday, `2026-11-30w`. */
export function periodOf(period: Period, now: Date): string {
  const iso = now.toISOString();
  if (period === "hour") return iso.slice(0, 13);
  if (period === "day") return iso.slice(0, 10);
  const monday = Math.floor((now.getTime() - FIRST_MONDAY_MS) / WEEK_MS) * WEEK_MS + FIRST_MONDAY_MS;
  return `${new Date(monday).toISOString().slice(0, 10)}w`;
}
