import { setMaxListeners } from "node:events";
import type { ActionContext } from "./action.js";
import type { CommandContext } from "./commands/subcommand.js";
import type { Plan, PlannedAction } from "./plan/plan.js";
import { type PlanActionOptions, runPlannedAction } from "./plan-action.js";
import type { ManyRenderer } from "./render/many.js";
import { isToldAtEnd, tellSummary } from "./render/outcome.js";
import { reportSession } from "./report-session.js";
import type { ActionResult } from "./result.js";
import { type SessionEnd, exitOfSession } from "./session.js";
import type { Turns } from "./turns.js";

export interface PlanSessionOptions {
  readonly plan: Plan;
  /** Those of it that run now. */
  readonly actions: readonly PlannedAction[];
  readonly turns: Turns;
  readonly view: ManyRenderer;
  readonly dryRun: boolean;
  /** Called for each action that has ended, while others go on. */
  readonly onEnd?: (name: string) => void;
}

/**
 * Runs actions of a plan as one session, side by side as far as `turns` has it, and lists what became of each. One that
 * fails stops no other.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE of what is to report
 */
export async function runPlanSession(
  { plan, actions, turns, view, dryRun, onEnd = () => {} }: PlanSessionOptions,
  context: CommandContext,
): Promise<SessionEnd & { readonly status: number }> {
  const { signal, debug, secrets, env } = context;
  const inner: Omit<ActionContext, "onEvent"> = { signal, debug, secrets, env, plugins: plan.plugins };
  // As many listen as there are actions: that is no leak.
  setMaxListeners(0, signal);
  const run = async (planned: PlannedAction, addProblems: (count: number) => void): Promise<ActionResult> => {
    const onProblem: PlanActionOptions["onProblem"] = (problem) => {
      addProblems(1);
      view.problem(problem);
    };
    const options = { turns, view, dryRun, context: inner, isToldAtEnd: isToldAtEnd(context), onProblem };
    const result = await runPlannedAction(planned, options);
    onEnd(result.name);
    return result;
  };
  const { file: name, reports, hooks } = plan;
  const onEvent = view.event.bind(view);
  const planned = actions.map(({ action: { name: own, type, destination } }) => ({ name: own, type, destination }));
  const end = await reportSession(
    { name, type: "plan", destination: "", dryRun, planned, onEvent, reports, hooks },
    { ...context, plugins: plan.plugins },
    (addProblems) => Promise.all(actions.map((action) => run(action, addProblems))),
  );
  const status = exitOfSession(end);
  view.close();
  tellSummary(end, status, context);
  return { ...end, status };
}
