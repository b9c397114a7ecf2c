import { type BackupError, type BackupEvent, isBackupError } from "@backup/core";
import type { Action, ActionContext } from "./action.js";
import { type HookContext, runHooks } from "./hooks.js";
import { perform } from "./perform.js";
import type { PlannedAction } from "./plan/plan.js";
import type { ManyRenderer } from "./render/many.js";
import { type ActionResult, failedWith, isDryRun } from "./result.js";
import { signalAfter } from "./signal-after.js";
import type { Turns } from "./turns.js";

export interface PlanActionOptions {
  readonly turns: Turns;
  readonly view: ManyRenderer;
  /** No hooks. */
  readonly dryRun: boolean;
  readonly context: Omit<ActionContext, "onEvent">;
  /** What failed is told by the list at the end alone. */
  readonly isToldAtEnd: boolean;
  /** A hook that failed after the action: what that did stays as it is. */
  readonly onProblem: (problem: BackupError) => void;
}

/** Hooks after an interrupted action get this long from the signal on, milliseconds: somebody waits for the end. */
const INTERRUPTED_MS = 4000;
/** One whose time is over then is killed so soon, milliseconds: those of the plan come after it. */
const HOOK_GRACE_MS = 500;

/** Runs an action of a plan when it is its turn, between its hooks. What ends it is in the result. */
export async function runPlannedAction(planned: PlannedAction, options: PlanActionOptions): Promise<ActionResult> {
  const { action } = planned;
  const { turns, context } = options;
  const waiting = new Date().toISOString();
  try {
    using _turn = await turns.take(action, context.signal);
    return await runInTurn(planned, options);
  } catch (error) {
    if (!isBackupError(error, "ABORTED")) throw error;
    // It never began; it is missing from the backup all the same.
    const { name, type, destination } = action;
    return { name, type, destination, startedAt: waiting, seconds: 0, ...failedWith(error) };
  }
}

async function runInTurn(planned: PlannedAction, options: PlanActionOptions): Promise<ActionResult> {
  const { action, hooks } = planned;
  const { view, context, dryRun, isToldAtEnd } = options;
  using hooksEnd = signalAfter(context.signal, INTERRUPTED_MS);
  const shown = view.begin(action.name);
  const onEvent = (event: BackupEvent): void => shown.event(event);
  const prepared: Action = {
    ...action,
    async run(inner) {
      if (!dryRun) await runHooks(hooks.before, inner);
      return await action.run(inner);
    },
  };
  const { result, error } = await perform(prepared, { ...context, onEvent });
  // Of an interruption one line is enough, for all.
  const isLeft = result.outcome === "interrupted" || (isToldAtEnd && isBackupError(error));
  if (error !== undefined && !isLeft) shown.failed(error);
  shown.close();
  const isStopped = result.outcome === "interrupted";
  const stopping = isStopped ? { signal: hooksEnd.signal, graceMs: HOOK_GRACE_MS } : { signal: context.signal };
  if (!dryRun) await runAfter(planned, result, { ...options, stopping });
  return result;
}

interface AfterOptions extends PlanActionOptions {
  readonly stopping: Pick<HookContext, "signal" | "graceMs">;
}

async function runAfter({ hooks }: PlannedAction, result: ActionResult, options: AfterOptions): Promise<void> {
  const { context, onProblem, stopping } = options;
  const { outcome, startedAt, seconds } = result;
  const session = { actions: [result], outcome, dryRun: isDryRun(result), startedAt, seconds };
  try {
    await runHooks(hooks.after, { ...context, ...stopping, result: session });
  } catch (error) {
    if (!isBackupError(error)) throw error;
    onProblem(error);
  }
}
