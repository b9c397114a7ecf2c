import { readFile } from "node:fs/promises";
import { BackupError, type PluginRegistry, systemCode } from "@backup/core";
import { isDry } from "../dry-run.js";
import { typesOf } from "../types/type-of-plugin.js";
import { planMaker } from "./make-plan.js";
import type { Plan } from "./plan.js";
import { pluginsOfPlan } from "./plugins-of-plan.js";
import { planInvalid } from "./problem.js";

export interface ReadPlanOptions {
  /** --dry-run: every action is a dry run. */
  readonly dryRun: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly plugins: PluginRegistry;
  readonly signal: AbortSignal;
}

/** Largest file that is taken for a plan, bytes: some thousand actions. */
const LIMIT = 256 * 1024;

/**
 * Reads a plan file: YAML, checked against the schema and for what a schema cannot say.
 * @throws BackupError PLAN_INVALID with file, line and column of everything that is wrong, USAGE for a file that cannot be read
 */
export async function readPlan(file: string, options: ReadPlanOptions): Promise<Plan> {
  const { env } = options;
  const text = await readText(file);
  const plugins = await pluginsOfPlan({ file, text }, options.plugins, options);
  return { ...planMaker(typesOf(plugins))({ file, text, dryRun: isDry(options, env) }), plugins };
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new BackupError("USAGE", `the plan ${file} ${reason(error)}`, { cause: error });
  }
  const start = { line: 1, column: 1 };
  if (bytes.length > LIMIT) throw planInvalid(file, [{ position: start, text: "this is too large to be a plan" }]);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw planInvalid(file, [{ position: start, text: "this is no text in UTF-8; save it as such" }]);
  }
}

function reason(error: unknown): string {
  const code = systemCode(error) ?? "unknown error";
  if (code === "ENOENT" || code === "ENOTDIR") return "does not exist; backup config example prints one to begin with";
  return code === "EISDIR" ? "is a directory; name a file" : `cannot be read (${code})`;
}
