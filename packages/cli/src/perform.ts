import { throwIfAborted } from "@backup/core";
import type { Action, ActionContext } from "./action.js";
import { exitOfReport } from "./exit-code.js";
import { type ActionResult, failedWith } from "./result.js";

/** An action's result, with the error itself for whoever shows where it came from. */
export interface Performed {
  readonly result: ActionResult;
  readonly error?: unknown;
}

/** Runs an action. Never throws: what ended it is in the result. */
export async function perform(action: Action, context: ActionContext): Promise<Performed> {
  const { name, type, destination } = action;
  const startedAt = new Date().toISOString();
  const started = performance.now();
  const common = () => ({ name, type, destination, startedAt, seconds: (performance.now() - started) / 1000 });
  try {
    throwIfAborted(context.signal);
    const report = await action.run(context);
    const outcome = report.result === "partial" ? "partial" : "ok";
    return { result: { ...common(), outcome, status: exitOfReport(report), report } };
  } catch (error) {
    return { result: { ...common(), ...failedWith(error) }, error };
  }
}
