import { type BackupError, type PluginRegistry, isBackupError } from "@backup/core";
import { type Hooks, runHooks } from "./hooks.js";
import type { Reporter } from "./reports/reporter.js";
import { EXIT } from "./exit-code.js";
import type { Begin } from "./journal.js";
import { type ActionResult, type SessionResult, exitOfOutcome, failedWith, isDryRun, worst } from "./result.js";
import { signalAfter } from "./signal-after.js";

export interface SessionOptions {
  readonly reporters: readonly Reporter[];
  readonly hooks: Hooks;
  readonly dryRun: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly plugins: PluginRegistry;
  /** What is to be backed up, as far as that is known: all of it has failed if nothing can begin. */
  readonly planned: readonly Planned[];
  /** A report or a hook that failed after the actions: what they did stays as it is. */
  readonly onProblem: (problem: BackupError) => void;
}

export type Planned = Omit<Begin, "startedAt">;

/** Runs the actions. Problems beside them that it has told, or that were told to it, are added up. */
export type Work = (addProblems: (count: number) => void) => Promise<readonly ActionResult[]>;

export interface SessionEnd {
  readonly result: SessionResult;
  /** Reports and hooks that failed. */
  readonly problems: number;
}

/** Reports get this long, milliseconds; less when somebody waits for the end. */
const REPORT_MS = 60_000;
const INTERRUPTED_MS = 4000;
/** After a signal, whatever took the time before, milliseconds: all of it is less than a run is allowed to take to end. */
const HOOKS_END_MS = 6000;
const REPORTS_END_MS = 8500;
/** A hook whose time is over then is killed so soon, milliseconds. */
const HOOK_GRACE_MS = 500;

/** Runs any number of actions as one: hooks and reports before, the actions, reports and hooks after. A dry run has neither. */
export async function runSession(
  { reporters, hooks, dryRun, env, signal, plugins, planned, onProblem }: SessionOptions,
  work: Work,
): Promise<SessionEnd> {
  const startedAt = new Date().toISOString();
  const started = performance.now();
  using hooksEnd = signalAfter(signal, HOOKS_END_MS);
  using reportsEnd = signalAfter(signal, REPORTS_END_MS);
  let problems = 0;
  const tryAll = async (tasks: readonly (() => Promise<void>)[]): Promise<void> => {
    for (const settled of await Promise.allSettled(tasks.map((task) => task()))) {
      if (settled.status === "fulfilled") continue;
      if (!isBackupError(settled.reason)) throw settled.reason;
      problems++;
      onProblem(settled.reason);
    }
  };
  const active = dryRun ? [] : reporters;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(REPORT_MS)]);
  await tryAll(active.map((reporter) => async () => reporter.started?.(soon)));

  let actions: readonly ActionResult[];
  try {
    if (!dryRun) await runHooks(hooks.before, { env, signal, plugins });
    actions = await work((count) => {
      problems += count;
    });
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const seconds = (performance.now() - started) / 1000;
    const missed = planned.length > 0 ? planned : [{ name: "before the actions", type: "hook", destination: "" }];
    actions = missed.map((action) => ({ ...action, startedAt, seconds, ...failedWith(error) }));
  }
  const isStopped = signal.aborted;
  const result: SessionResult = {
    actions,
    outcome: worst(actions, { isStopped }),
    dryRun: dryRun || (actions.length > 0 && actions.every(isDryRun)),
    startedAt,
    seconds: (performance.now() - started) / 1000,
  };
  // A hook may copy a disk: it takes as long as it takes, unless somebody waits for the end.
  const forHooks = isStopped ? AbortSignal.any([AbortSignal.timeout(INTERRUPTED_MS), hooksEnd.signal]) : signal;
  const graceMs = isStopped ? HOOK_GRACE_MS : undefined;
  if (!dryRun) await tryAll([() => runHooks(hooks.after, { env, signal: forHooks, plugins, graceMs, result })]);
  const reportMs = signal.aborted ? INTERRUPTED_MS : REPORT_MS;
  const forReports = AbortSignal.any([AbortSignal.timeout(reportMs), reportsEnd.signal]);
  await tryAll(active.map((reporter) => () => reporter.ended(result, forReports)));
  return { result, problems };
}

/** The exit status; that of the only action where there is one. */
export function exitOfSession({ result, problems }: SessionEnd, only?: number): number {
  const status = only ?? exitOfOutcome(result.outcome);
  return status === EXIT.done && problems > 0 ? EXIT.unreported : status;
}
