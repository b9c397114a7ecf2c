import type { CommandContext } from "./commands/subcommand.js";
import { readPlan } from "./plan/read-plan.js";
import { runPlanSession } from "./plan-session.js";
import { tellError } from "./render/error.js";
import { manyRenderer } from "./render/many.js";
import { Turns } from "./turns.js";

export interface RunPlanOptions {
  readonly file: string;
  readonly dryRun: boolean;
  /** Goes on for ever: each action by its schedule. */
  readonly watch: boolean;
}

/** Runs the actions of a plan; resolves to the exit status. @throws BackupError of the plan, and of what is to report */
export async function runPlan({ file, dryRun, watch }: RunPlanOptions, context: CommandContext): Promise<number> {
  const { signal, env, plugins } = context;
  const plan = await readPlan(file, { dryRun, env, plugins, signal });
  if (watch) {
    // Loaded when used: it costs start-up time.
    const { watchPlan } = await import("./watch.js");
    return watchPlan(plan, { dryRun, reread: () => readPlan(file, { dryRun, env, plugins, signal }) }, context);
  }
  const { actions, limits } = plan;
  const names = actions.map(({ action }) => action.name);
  const view = manyRenderer(process.stdout, process.stderr, { ...context, names });
  context.onLeave(() => view.close());
  const { result, status } = await runPlanSession({ plan, actions, turns: new Turns(limits), view, dryRun }, context);
  if (result.outcome === "interrupted") tellError(signal.reason, context);
  return status;
}
