import type { PlannedAction } from "./plan/plan.js";
import { nextRun } from "./schedule.js";

/** What tells the time, and throws the dice. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
}

/** An action, and when it is due: milliseconds since 1970; undefined: not any more. */
export interface Entry {
  readonly planned: PlannedAction;
  readonly due: number | undefined;
}

export type Agenda = readonly Entry[];

/** An entry whose action will run. */
export type DueEntry = Entry & { readonly due: number };

/**
 * When each action is due from now on; one without a schedule at once, and never again. An action of the previous agenda
 * whose schedule is the same stays as it is there: its time may have come, and its jitter not be over yet.
 */
export function makeAgenda(actions: readonly PlannedAction[], clock: Clock, previous: Agenda = []): Agenda {
  return actions.map((planned) => {
    const before = previous.find(({ planned: { action } }) => action.name === planned.action.name);
    if (before && isSame(before.planned.schedule, planned.schedule)) return { planned, due: before.due };
    // What ran once, or by a schedule that is gone, does not run because the plan is read again.
    if (!planned.schedule) return { planned, due: before ? undefined : clock.now() };
    return { planned, due: dueAfter(planned, clock) };
  });
}

/** The same actions by a clock that was set: what has no schedule does not run again. */
export function atNewTime(agenda: Agenda, clock: Clock): Agenda {
  return agenda.map((entry) => (entry.planned.schedule ? { ...entry, due: dueAfter(entry.planned, clock) } : entry));
}

/** Which actions are due, when, and the agenda after them. Times that passed meanwhile are made up for once. */
export function takeDue(agenda: Agenda, clock: Clock): { readonly due: readonly DueEntry[]; readonly left: Agenda } {
  const now = clock.now();
  const due = agenda.filter(willRun).filter((entry) => entry.due <= now);
  const taken = new Set<Entry>(due);
  const left = agenda.map((entry) => (taken.has(entry) ? { ...entry, due: dueAfter(entry.planned, clock) } : entry));
  return { due, left };
}

/** The first that is due, of several at once the first of the plan. */
export function firstDue(agenda: Agenda): DueEntry | undefined {
  return agenda.filter(willRun).toSorted((a, b) => a.due - b.due)[0];
}

function willRun(entry: Entry): entry is DueEntry {
  return entry.due !== undefined;
}

function dueAfter({ schedule }: PlannedAction, clock: Clock): number | undefined {
  const next = schedule && nextRun(schedule, clock.now());
  return next === undefined ? undefined : next + Math.floor(clock.random() * (schedule?.jitterMs ?? 0));
}

function isSame(one: PlannedAction["schedule"], other: PlannedAction["schedule"]): boolean {
  return (
    one?.cron === other?.cron && one?.timeZone === other?.timeZone && (one?.jitterMs ?? 0) === (other?.jitterMs ?? 0)
  );
}
