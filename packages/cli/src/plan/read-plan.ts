import type { Plan } from "./plan.js";

export interface ReadPlanOptions {
  /** --dry-run: every action is a dry run. */
  readonly dryRun: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Reads a plan file: YAML, checked against the schema and for what a schema cannot say.
 * @throws BackupError PLAN_INVALID with file, line and column of everything that is wrong, NOT_FOUND
 */
export async function readPlan(file: string, _options: ReadPlanOptions): Promise<Plan> {
  throw new Error(`to be written: ${file}`);
}
