import type { CommandContext } from "./commands/subcommand.js";
import { EXIT } from "./exit-code.js";
import type { Plan } from "./plan/plan.js";
import { readActions } from "./plan/read-actions.js";
import { runPlanSession } from "./plan-session.js";
import { tellError } from "./render/error.js";
import { manyRenderer } from "./render/many.js";
import { isInShard, parseShard } from "./shard.js";
import { Turns } from "./turns.js";

export interface RunPlanOptions {
  readonly file: string;
  readonly dryRun: boolean;
  /** Goes on for ever: each action by its schedule. */
  readonly watch: boolean;
  /** Only so many of its actions, as `0/4`. */
  readonly shard?: string | undefined;
}

/** Runs the actions of a plan; resolves to the exit status. @throws BackupError of the plan, and of what is to report */
export async function runPlan(options: RunPlanOptions, context: CommandContext): Promise<number> {
  const { dryRun, watch, file } = options;
  const { signal } = context;
  const read = () => readShard(options, context);
  const plan = await read();
  if (watch) {
    // Loaded when used: it costs start-up time.
    const { watchPlan } = await import("./watch.js");
    return watchPlan(plan, { dryRun, reread: read }, context);
  }
  const { actions, limits } = plan;
  if (actions.length === 0) return nothingToDo(file, context);
  const names = actions.map(({ action }) => action.name);
  const view = manyRenderer(process.stdout, process.stderr, { ...context, names });
  context.onLeave(() => view.close());
  const { result, status } = await runPlanSession({ plan, actions, turns: new Turns(limits), view, dryRun }, context);
  if (result.outcome === "interrupted") tellError(signal.reason, context);
  return status;
}

/** Of a plan, or of accounts, as much as this machine is to run. */
async function readShard(
  { file, dryRun, shard }: RunPlanOptions,
  { env, plugins, signal }: CommandContext,
): Promise<Plan> {
  const part = shard === undefined ? undefined : parseShard(shard);
  const plan = await readActions(file, { dryRun, env, plugins, signal });
  return part ? { ...plan, actions: plan.actions.filter(({ action }) => isInShard(action.destination, part)) } : plan;
}

/** Of few accounts, a shard may have none. */
function nothingToDo(file: string, { json, quiet }: CommandContext): number {
  if (!json && !quiet) process.stdout.write(`${file}: no action is of this part\n`);
  return EXIT.done;
}
