import { type Agenda, type Clock, type DueEntry, atNewTime, firstDue, makeAgenda, takeDue } from "./schedule-agenda.js";
import type { Plan, PlannedAction } from "./plan/plan.js";

/** What tells the time and waits. */
export interface WatchClock extends Clock {
  /** Waits so long, or until the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface WatchLoop {
  readonly plan: Plan;
  readonly clock: WatchClock;
  readonly signal: AbortSignal;
  /** Calls back whenever the plan shall be read again; returns how to stop that. */
  readonly onReload: (reload: () => void) => () => void;
  /** Undefined: it is no good, and that was told. Never throws. */
  readonly reread: () => Promise<Plan | undefined>;
  /** Runs actions of a plan to their end, and says of each when it has come to its own. Never throws. */
  readonly run: (plan: Plan, actions: readonly PlannedAction[], ended: (name: string) => void) => Promise<void>;
  readonly tell: WatchTeller;
}

/** Says what a watch does. */
export interface WatchTeller {
  /** A plan that was just read. */
  plan(plan: Plan, agenda: Agenda): void;
  /** After a run, and when the plan or the clock has changed. */
  next(agenda: Agenda): void;
  /** It still runs from the last time. */
  leftOut(entry: DueEntry): void;
}

/** A sleep is never longer, milliseconds: timers stand still while the machine sleeps, and nobody tells of a set clock. */
const STEP_MS = 60_000;

/** A clock that goes back by less is no reason to do anything twice, milliseconds. */
const SET_BACK_MS = 60_000;

/** Runs each action when it is due, until the signal fires and what runs then has ended. */
export async function watchLoop({ clock, signal, tell, ...input }: WatchLoop): Promise<void> {
  let { plan } = input;
  let agenda = makeAgenda(plan.actions, clock);
  const running = new Set<string>();
  const runs = new Set<Promise<void>>();
  const start = async (actions: readonly PlannedAction[]): Promise<void> => {
    const here = new Set(actions.map(({ action }) => action.name));
    for (const name of here) running.add(name);
    // Only what is of this run: one that has ended may run again, in another.
    await input.run(plan, actions, (name) => here.delete(name) && running.delete(name));
    for (const name of here) running.delete(name);
    if (!signal.aborted) tell.next(agenda);
  };

  let wake = new AbortController();
  let isStale = false;
  const stop = (): void => wake.abort();
  signal.addEventListener("abort", stop, { once: true });
  const ignoreReloads = input.onReload(() => {
    isStale = true;
    wake.abort();
  });
  tell.plan(plan, agenda);
  let last = clock.now();
  while (!signal.aborted) {
    if (isStale) {
      isStale = false;
      const read = await input.reread();
      if (read) {
        plan = read;
        agenda = makeAgenda(plan.actions, clock, agenda);
        tell.plan(plan, agenda);
      }
      continue;
    }
    const now = clock.now();
    if (now < last - SET_BACK_MS) {
      agenda = atNewTime(agenda, clock);
      tell.next(agenda);
    }
    last = now;
    const { due, left } = takeDue(agenda, clock);
    agenda = left;
    const isRunning = ({ planned }: DueEntry): boolean => running.has(planned.action.name);
    for (const entry of due.filter(isRunning)) tell.leftOut(entry);
    const ready = due.filter((entry) => !isRunning(entry)).map(({ planned }) => planned);
    if (ready.length > 0) {
      const run = start(ready).finally(() => runs.delete(run));
      runs.add(run);
    }
    wake = wake.signal.aborted ? new AbortController() : wake;
    if (isStale || signal.aborted) continue;
    const next = firstDue(agenda)?.due ?? Number.POSITIVE_INFINITY;
    await clock.sleep(Math.min(Math.max(next - clock.now(), 0), STEP_MS), wake.signal);
  }
  ignoreReloads();
  await Promise.all(runs);
}
