import type { CommandContext } from "./commands/subcommand.js";

export interface RunPlanOptions {
  readonly file: string;
  readonly dryRun: boolean;
  /** Goes on for ever: each action by its schedule. */
  readonly watch: boolean;
}

/** Runs the actions of a plan; resolves to the exit status. */
export async function runPlan({ file }: RunPlanOptions, _context: CommandContext): Promise<number> {
  throw new Error(`to be written: ${file}`);
}
