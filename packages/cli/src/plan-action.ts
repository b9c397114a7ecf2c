import { type BackupError, type BackupEvent, isBackupError } from "@backup/core";
import type { Action, ActionContext } from "./action.js";
import { runHooks } from "./hooks.js";
import { perform } from "./perform.js";
import type { PlannedAction } from "./plan/plan.js";
import type { ManyRenderer } from "./render/many.js";
import { type ActionResult, failedWith } from "./result.js";
import type { Turns } from "./turns.js";

export interface PlanActionOptions {
  readonly turns: Turns;
  readonly view: ManyRenderer;
  /** No hooks. */
  readonly dryRun: boolean;
  readonly context: Omit<ActionContext, "onEvent">;
  /** A hook that failed after the action: what that did stays as it is. */
  readonly onProblem: (problem: BackupError) => void;
}

/** Hooks after an interrupted action get this long, milliseconds: somebody waits for the end. */
const INTERRUPTED_MS = 3000;

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
  const { view, context, dryRun } = options;
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
  if (error !== undefined && result.outcome !== "interrupted") shown.failed(error);
  shown.close();
  if (!dryRun) await runAfter(planned, result, options);
  return result;
}

async function runAfter({ hooks }: PlannedAction, result: ActionResult, options: PlanActionOptions): Promise<void> {
  const { context, onProblem } = options;
  const { outcome, startedAt, seconds } = result;
  const signal = outcome === "interrupted" ? AbortSignal.timeout(INTERRUPTED_MS) : context.signal;
  const session = { actions: [result], outcome, dryRun: false, startedAt, seconds };
  try {
    await runHooks(hooks.after, { env: context.env, signal, result: session });
  } catch (error) {
    if (!isBackupError(error)) throw error;
    onProblem(error);
  }
}
