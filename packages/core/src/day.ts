import type { Path } from "./model.js";

/** `2026/11/23`: a day, and where its snapshot is. Sorted as texts, days are in the order of time. */
export type Day = Path;

/** A day as a person writes it, `2026-11-23` or `2026/11/23`; undefined: there is no such day. */
export function parseDay(text: string): Day | undefined {
  const [, year = "", , month = "", day = ""] = /^(\d{4})([-/])(\d{2})\2(\d{2})$/.exec(text) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  // JavaScript takes February 30 for March 2.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) return undefined;
  return `${year}/${month}/${day}`;
}

/** The day at this time, where this machine is. */
export function localDay(time: Date): Day {
  const parts = [time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, "0"));
  return [String(time.getFullYear()).padStart(4, "0"), ...parts].join("/");
}

/** `2026-11-23` */
export function formatDay(day: Day): string {
  return day.replaceAll("/", "-");
}

/** Of midnight, UTC, milliseconds since 1970: for differences between days. */
export function timeOfDay(day: Day): number {
  return Date.parse(formatDay(day));
}
