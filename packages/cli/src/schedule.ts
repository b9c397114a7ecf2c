import { Cron } from "croner";
import type { Schedule } from "./plan/plan.js";

/** The first time after this one, without jitter; undefined: never again. Both in milliseconds since 1970. */
export function nextRun({ cron, timeZone }: Schedule, after: number): number | undefined {
  const options = timeZone === undefined ? {} : { timezone: timeZone };
  return new Cron(cron, options).nextRun(new Date(after))?.getTime();
}

/** A time as a person at that place says it, and whose time it is: `2026-03-01 03:17:00 Europe/Berlin`. */
export function formatTime(ms: number, timeZone?: string): string {
  // Swedish is written in the order of ISO 8601.
  const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone });
  return `${format.format(ms)} ${format.resolvedOptions().timeZone}`;
}
