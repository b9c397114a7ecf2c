import { describe, expect, it } from "vitest";
import type { PlannedAction, Schedule } from "../src/plan/plan.js";
import { type Agenda, atNewTime, firstDue, makeAgenda, takeDue } from "../src/schedule-agenda.js";
import { formatTime, nextRun } from "../src/schedule.js";

const BERLIN = "Europe/Berlin";

/** The next times from this one on, as UTC without seconds. */
function runs(schedule: Omit<Schedule, "jitterMs">, from: string, count: number): readonly string[] {
  const found: string[] = [];
  let at: number | undefined = Date.parse(from);
  while (found.length < count) {
    at = nextRun({ jitterMs: 0, ...schedule }, at);
    if (at === undefined) return [...found, "never"];
    found.push(new Date(at).toISOString().replace(":00.000Z", "Z"));
  }
  return found;
}

describe("the next run", () => {
  it("is by five fields, by six, by a nickname", () => {
    const from = "2026-03-01T12:00:00.400Z";
    expect(runs({ cron: "*/20 * * * *", timeZone: "UTC" }, from, 3)).toEqual([
      "2026-03-01T12:20Z",
      "2026-03-01T12:40Z",
      "2026-03-01T13:00Z",
    ]);
    expect(runs({ cron: "*/30 * * * * *", timeZone: "UTC" }, from, 2)).toEqual([
      "2026-03-01T12:00:30.000Z",
      "2026-03-01T12:01Z",
    ]);
    expect(runs({ cron: "@daily", timeZone: "UTC" }, from, 2)).toEqual(["2026-03-02T00:00Z", "2026-03-03T00:00Z"]);
    // As crontab(5) has it: one of both is enough.
    expect(runs({ cron: "0 0 10 * MON", timeZone: "UTC" }, from, 3)).toEqual([
      "2026-03-02T00:00Z",
      "2026-03-09T00:00Z",
      "2026-03-10T00:00Z",
    ]);
  });

  it("is later than what it is asked after, also in the same second", () => {
    const everySecond = { cron: "* * * * * *", timeZone: "UTC", jitterMs: 0 };
    for (const ms of [0, 1, 999])
      expect(nextRun(everySecond, Date.parse("2026-03-01T12:00:00Z") + ms)).toBe(Date.parse("2026-03-01T12:00:01Z"));
  });

  it("is never for what does not come", () => {
    expect(runs({ cron: "0 0 30 2 *" }, "2026-03-01T00:00:00Z", 1)).toEqual(["never"]);
  });

  it("is by the time of its zone", () => {
    const cron = "17 3 * * *";
    const from = "2026-06-01T00:00:00Z";
    expect(runs({ cron, timeZone: BERLIN }, from, 1)).toEqual(["2026-06-01T01:17Z"]);
    expect(runs({ cron, timeZone: "America/New_York" }, from, 1)).toEqual(["2026-06-01T07:17Z"]);
    expect(runs({ cron, timeZone: "Asia/Kolkata" }, from, 1)).toEqual(["2026-06-01T21:47Z"]);
    const here = nextRun({ cron, jitterMs: 0 }, Date.parse(from));
    expect(new Date(here ?? 0).toTimeString()).toMatch(/^03:17:00/);
  });

  it("comes every day once where the clocks are put forward", () => {
    // On 29 March 2026 02:00 is 03:00.
    expect(runs({ cron: "17 3 * * *", timeZone: BERLIN }, "2026-03-27T12:00:00Z", 3)).toEqual([
      "2026-03-28T02:17Z",
      "2026-03-29T01:17Z",
      "2026-03-30T01:17Z",
    ]);
    const [before, on, after] = runs({ cron: "30 2 * * *", timeZone: BERLIN }, "2026-03-27T12:00:00Z", 3);
    expect([before, after]).toEqual(["2026-03-28T01:30Z", "2026-03-30T00:30Z"]);
    expect(on).toMatch(/^2026-03-29T01:[0-3]0Z$/);
  });

  it("comes every day once where they are put back", () => {
    // On 25 October 2026 03:00 is 02:00 again.
    expect(runs({ cron: "30 2 * * *", timeZone: BERLIN }, "2026-10-24T12:00:00Z", 2)).toEqual([
      "2026-10-25T00:30Z",
      "2026-10-26T01:30Z",
    ]);
    expect(runs({ cron: "0 * * * *", timeZone: BERLIN }, "2026-10-24T23:30:00Z", 4)).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T01:00Z",
      "2026-10-25T02:00Z",
      "2026-10-25T03:00Z",
    ]);
  });

  it("is told by the time of its zone, with the zone", () => {
    const at = Date.parse("2026-10-25T01:30:00Z");
    expect(formatTime(at, BERLIN)).toBe("2026-10-25 02:30:00 Europe/Berlin");
    expect(formatTime(at, "UTC")).toBe("2026-10-25 01:30:00 UTC");
    expect(formatTime(at)).toContain(Intl.DateTimeFormat().resolvedOptions().timeZone);
  });
});

function planned(name: string, cron?: string, jitterMs = 0): PlannedAction {
  return {
    action: { name, type: "test", destination: `/${name}`, host: "localhost", run: () => Promise.reject(new Error()) },
    schedule: cron === undefined ? undefined : { cron, jitterMs, timeZone: "UTC" },
    hooks: { before: [], after: [] },
  };
}

function clockAt(time: string, random = 0) {
  return { ms: Date.parse(time), now: () => Date.parse(time), random: () => random };
}

function dues(agenda: Agenda): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    agenda.map(({ planned: { action }, due }) => [
      action.name,
      due === undefined ? undefined : new Date(due).toISOString().slice(11, 19),
    ]),
  );
}

const AT_NOON = "2026-03-01T12:00:00.250Z";

describe("the agenda", () => {
  it("has all by their schedules, and what has none now and not again", () => {
    const actions = [planned("hourly", "30 * * * *"), planned("once"), planned("half", "30 * * * *")];
    const agenda = makeAgenda(actions, clockAt(AT_NOON));
    expect(dues(agenda)).toEqual({ hourly: "12:30:00", once: "12:00:00", half: "12:30:00" });
    expect(firstDue(agenda)?.planned.action.name).toBe("once");
    const first = takeDue(agenda, clockAt(AT_NOON));
    expect(dues(first.due)).toEqual({ once: "12:00:00" });
    expect(dues(first.left)).toEqual({ hourly: "12:30:00", once: undefined, half: "12:30:00" });
    expect(takeDue(first.left, clockAt("2026-03-01T12:29:59.999Z")).due).toEqual([]);
    const second = takeDue(first.left, clockAt("2026-03-01T12:30:00Z"));
    expect(dues(second.due)).toEqual({ hourly: "12:30:00", half: "12:30:00" });
    expect(dues(second.left)).toEqual({ hourly: "13:30:00", once: undefined, half: "13:30:00" });
  });

  it("adds jitter, from nothing up to all of it", () => {
    const actions = [planned("a", "30 * * * *", 600_000)];
    expect(dues(makeAgenda(actions, clockAt(AT_NOON, 0)))).toEqual({ a: "12:30:00" });
    expect(dues(makeAgenda(actions, clockAt(AT_NOON, 0.5)))).toEqual({ a: "12:35:00" });
    expect(dues(makeAgenda(actions, clockAt(AT_NOON, 0.9999)))).toEqual({ a: "12:39:59" });
  });

  it("makes up once for all that was missed", () => {
    const agenda = makeAgenda([planned("a", "30 * * * *")], clockAt(AT_NOON));
    const { due, left } = takeDue(agenda, clockAt("2026-03-04T09:45:00Z"));
    expect(due).toHaveLength(1);
    expect(new Date(firstDue(left)?.due ?? 0).toISOString()).toBe("2026-03-04T10:30:00.000Z");
  });

  it("keeps what it has when the plan is read again", () => {
    const before = makeAgenda(
      [planned("a", "30 * * * *", 600_000), planned("b", "0 * * * *"), planned("once"), planned("gone", "@daily")],
      clockAt(AT_NOON, 0.5),
    );
    const { left } = takeDue(before, clockAt(AT_NOON));
    // The time of a has come, its jitter is not over.
    const later = clockAt("2026-03-01T12:31:00Z");
    const actions = [planned("a", "30 * * * *", 600_000), planned("b", "45 * * * *"), planned("once"), planned("new")];
    expect(dues(makeAgenda(actions, later, left))).toEqual({
      a: "12:35:00",
      b: "12:45:00",
      once: undefined,
      new: "12:31:00",
    });
    // What loses its schedule does not run for that.
    expect(dues(makeAgenda([planned("a")], later, left))).toEqual({ a: undefined });
  });

  it("goes by the new time when the clock was set", () => {
    const { left } = takeDue(
      makeAgenda([planned("a", "30 * * * *"), planned("once")], clockAt(AT_NOON)),
      clockAt(AT_NOON),
    );
    expect(dues(atNewTime(left, clockAt("2026-03-01T03:00:00Z")))).toEqual({ a: "03:30:00", once: undefined });
  });
});
