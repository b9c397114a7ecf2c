import type { PluginRegistry } from "@backup/core";
import { isDry } from "../dry-run.js";
import { typesOf } from "../types/type-of-plugin.js";
import { planMaker } from "./make-plan.js";
import type { Plan, WrittenAction } from "./plan.js";
import { pluginsOfPlan } from "./plugins-of-plan.js";
import { type TextFile, readText } from "./read-text.js";

export interface ReadPlanOptions {
  /** --dry-run: every action is a dry run. */
  readonly dryRun: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly plugins: PluginRegistry;
  readonly signal: AbortSignal;
}

/** Of the size of some ten thousand actions at most. */
const PLAN: TextFile = {
  what: "plan",
  limit: 4 * 1024 * 1024,
  hint: "backup config example prints one to begin with",
};

/**
 * Reads a plan file: YAML, checked against the schema and for what a schema cannot say.
 * @throws BackupError PLAN_INVALID with file, line and column of everything that is wrong, USAGE for a file that cannot be read
 */
export async function readPlan(file: string, options: ReadPlanOptions): Promise<Plan<WrittenAction>> {
  const { env } = options;
  const text = await readText(file, PLAN);
  const plugins = await pluginsOfPlan({ file, text }, options.plugins, options);
  return { ...planMaker(typesOf(plugins), plugins)({ file, text, dryRun: isDry(options, env) }), plugins };
}
