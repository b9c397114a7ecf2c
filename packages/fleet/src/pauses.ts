/** When a job is tried again, milliseconds since 1970. Random, so that not all come at once. */
export interface Pauses {
  /** Something was missing: with the server's next hour. */
  readonly partlyMs: number;
  /** Somebody else writes to the destination, or too many do on its host. */
  readonly busyMs: number;
  /** The first pause after a failure; it doubles with each. */
  readonly failureMs: number;
}

export const PAUSES: Pauses = { partlyMs: 60 * 60 * 1000, busyMs: 20_000, failureMs: 60_000 };

/** Runs of a job that may fail one after the other; the pauses between them come to about a day and a half. */
export const ATTEMPTS = 12;

/** Runs of a job that may end partly one after the other. */
export const MOST_PARTLY = 8;

/** Half of it up to one and a half. */
export function around(ms: number, random: () => number = Math.random): number {
  return Math.round(ms * (0.5 + random()));
}

/** Soon after the next day (UTC) has begun, when a budget of bytes begins anew. */
export function nextDay(now: number, random: () => number = Math.random): number {
  const day = 24 * 60 * 60 * 1000;
  return (Math.floor(now / day) + 1) * day + Math.round(random() * 60 * 60 * 1000);
}
