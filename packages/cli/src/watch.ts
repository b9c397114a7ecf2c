import { BackupError, isBackupError } from "@backup/core";
import type { CommandContext } from "./commands/subcommand.js";
import { EXIT } from "./exit-code.js";
import { HEALTH_FILE } from "./health.js";
import type { Plan, PlannedAction } from "./plan/plan.js";
import { runPlanSession } from "./plan-session.js";
import { tellError } from "./render/error.js";
import { manyRenderer } from "./render/many.js";
import { sessionReporters } from "./report-session.js";
import { hooksFromEnv } from "./reports/settings.js";
import { nextRun } from "./schedule.js";
import { type Agenda, firstDue } from "./schedule-agenda.js";
import { sleep } from "./sleep.js";
import { Turns } from "./turns.js";
import { startHealthBeat } from "./watch-health.js";
import { type WatchClock, type WatchLoop, watchLoop } from "./watch-loop.js";
import { type RunEnd, watchRecord } from "./watch-record.js";
import { watchTeller } from "./watch-teller.js";

export interface WatchOptions {
  readonly dryRun: boolean;
  /** Reads the plan's file again. @throws BackupError PLAN_INVALID, USAGE */
  readonly reread: () => Promise<Plan>;
}

/**
 * Runs each action of a plan by its schedule until it is told to end; resolves to the exit status: that of an
 * interruption if it interrupted something. SIGHUP reads the plan again.
 * @throws BackupError PLAN_INVALID for a plan with nothing to wait for, USAGE, SECRET_MISSING, SECRET_UNREADABLE of reports
 */
export async function watchPlan(plan: Plan, options: WatchOptions, context: CommandContext): Promise<number> {
  const { signal, env } = context;
  // For many days, and often for a log: lines, also on a terminal.
  const view = manyRenderer(process.stdout, process.stderr, context);
  const onEvent = view.event.bind(view);
  const check = async (of: Plan): Promise<void> => {
    checkScheduled(of);
    // What cannot report is told now, not in the middle of the night.
    hooksFromEnv(env);
    await sessionReporters(of.reports, { ...context, plugins: of.plugins, onEvent });
  };
  await check(plan);
  const warn = (message: string): void => onEvent({ type: "warning", code: "WATCH", message });
  const teller = watchTeller(view);
  // Of all runs, whichever plan they are of.
  const turns = new Turns(plan.limits);
  await using health = env[HEALTH_FILE] ? await startHealthBeat(env[HEALTH_FILE], warn) : undefined;
  const tellNext = (agenda: Agenda): void => void health?.set({ next: isoOf(firstDue(agenda)?.due) });
  let isInterrupted = false;
  const record = watchRecord(plan);

  const run: WatchLoop["run"] = async (of, actions, onEnd) => {
    const ended = await endOf(actions, context, async () => {
      const session = { plan: of, actions, turns, view, dryRun: options.dryRun, onEnd };
      return (await runPlanSession(session, context)).result;
    });
    isInterrupted ||= ended.outcome === "interrupted";
    record.note(ended);
    await health?.set({ last: record.last() });
  };
  const reread = async (): Promise<Plan | undefined> => {
    try {
      const read = await options.reread();
      await check(read);
      turns.setLimits(read.limits);
      record.follow(read);
      await health?.set({ last: record.last() });
      return read;
    } catch (error) {
      tellError(error, context);
      warn(`${plan.file} was not read again; the plan as it was goes on`);
      return undefined;
    }
  };
  await watchLoop({
    plan,
    clock: CLOCK,
    signal,
    onReload,
    reread,
    run,
    tell: {
      ...teller,
      plan(read, agenda) {
        teller.plan(read, agenda);
        tellNext(agenda);
      },
      next(agenda) {
        teller.next(agenda);
        tellNext(agenda);
      },
    },
  });
  if (!isInterrupted) {
    view.say("the watch has ended", { type: "watch-end" });
    return EXIT.done;
  }
  tellError(signal.reason, context);
  return EXIT.interrupted;
}

/** How a run ended. One that could not even report counts as failed, each of its actions; it never ends the watch. */
async function endOf(
  actions: readonly PlannedAction[],
  context: CommandContext,
  work: () => Promise<RunEnd>,
): Promise<RunEnd> {
  try {
    return await work();
  } catch (error) {
    tellError(error, context);
    const outcome = isBackupError(error, "ABORTED") ? "interrupted" : "failed";
    return { outcome, actions: actions.map(({ action: { name } }) => ({ name, outcome })) };
  }
}

/** @throws BackupError PLAN_INVALID */
function checkScheduled({ file, actions }: Plan): void {
  const now = Date.now();
  if (actions.some(({ schedule }) => schedule && nextRun(schedule, now) !== undefined)) return;
  const message = `${file}: no action has a schedule, so there is nothing to wait for; write schedule: "17 3 * * *" for all or for one, or leave out --watch`;
  throw new BackupError("PLAN_INVALID", message);
}

const CLOCK: WatchClock = {
  now: Date.now,
  random: Math.random,
  sleep,
};

function onReload(reload: () => void): () => void {
  process.on("SIGHUP", reload);
  return () => process.off("SIGHUP", reload);
}

function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
