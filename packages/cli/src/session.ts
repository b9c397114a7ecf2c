import { type BackupError, isBackupError } from "@backup/core";
import { type Hooks, runHooks } from "./hooks.js";
import type { Reporter } from "./reports/reporter.js";
import { EXIT } from "./exit-code.js";
import { type ActionResult, type SessionResult, exitOfOutcome, failedWith, worst } from "./result.js";

export interface SessionOptions {
  readonly reporters: readonly Reporter[];
  readonly hooks: Hooks;
  readonly dryRun: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** A report or a hook that failed after the actions: what they did stays as it is. */
  readonly onProblem: (problem: BackupError) => void;
}

export interface SessionEnd {
  readonly result: SessionResult;
  /** Reports and hooks that failed. */
  readonly problems: number;
}

/** Reports get this long, milliseconds; less when somebody waits for the end. */
const REPORT_MS = 60_000;
const INTERRUPTED_MS = 4000;

/** Runs any number of actions as one: hooks and reports before, the actions, reports and hooks after. A dry run has neither. */
export async function runSession(
  { reporters, hooks, dryRun, env, signal, onProblem }: SessionOptions,
  work: () => Promise<readonly ActionResult[]>,
): Promise<SessionEnd> {
  const startedAt = new Date().toISOString();
  const started = performance.now();
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
    if (!dryRun) await runHooks(hooks.before, { env, signal });
    actions = await work();
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const seconds = (performance.now() - started) / 1000;
    actions = [{ name: "before the actions", type: "hook", destination: "", startedAt, seconds, ...failedWith(error) }];
  }
  const result: SessionResult = {
    actions,
    outcome: worst(actions.map(({ outcome }) => outcome)),
    dryRun,
    startedAt,
    seconds: (performance.now() - started) / 1000,
  };
  const isStopped = result.outcome === "interrupted";
  // A hook may copy a disk: it takes as long as it takes, unless somebody waits for the end.
  const forHooks = isStopped ? AbortSignal.timeout(INTERRUPTED_MS) : signal;
  if (!dryRun) await tryAll([() => runHooks(hooks.after, { env, signal: forHooks, result })]);
  const forReports = AbortSignal.timeout(isStopped || signal.aborted ? INTERRUPTED_MS : REPORT_MS);
  await tryAll(active.map((reporter) => () => reporter.ended(result, forReports)));
  return { result, problems };
}

/** The exit status; that of the only action where there is one. */
export function exitOfSession({ result, problems }: SessionEnd, only?: number): number {
  const status = only ?? exitOfOutcome(result.outcome);
  return status === EXIT.done && problems > 0 ? EXIT.unreported : status;
}
