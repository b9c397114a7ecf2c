import { dirname } from "node:path";
import { type PluginRegistry, type ScriptPluginOptions, isBackupError } from "@backup/core";
import { planInvalid } from "./problem.js";
import { parseSource } from "./source.js";

/**
 * With the plugins that a plan names, which are relative to it.
 * @throws BackupError PLAN_INVALID also for a plugin that cannot be loaded
 */
export async function pluginsOfPlan(
  { file, text }: { readonly file: string; readonly text: string },
  plugins: PluginRegistry,
  context: ScriptPluginOptions,
): Promise<PluginRegistry> {
  // Most plans name none.
  if (!/\bplugins["']?\s*:/.test(text)) return plugins;
  const source = parseSource(file, text);
  // What is no list of texts, the schema refuses.
  const names = namesIn(source.value);
  if (names.length === 0) return plugins;
  // Loaded when used: they cost start-up time.
  const { loadPlugins } = await import("../plugins/load-plugins.js");
  const { pluginsWith } = await import("../plugins/built-in.js");
  let all = plugins;
  for (const [at, name] of names.entries())
    try {
      const given = all.all.filter(({ origin }) => origin !== undefined);
      const known = new Set(given.map(({ origin }) => origin));
      const found = await loadPlugins([{ name, from: dirname(file) }], context);
      all = pluginsWith([...given, ...found.filter(({ origin }) => !known.has(origin))]);
    } catch (error) {
      if (!isBackupError(error)) throw error;
      throw planInvalid(file, [{ position: source.position(["plugins", at], "value"), text: error.message }]);
    }
  return all;
}

function namesIn(plan: unknown): readonly string[] {
  if (typeof plan !== "object" || plan === null || !("plugins" in plan) || !Array.isArray(plan.plugins)) return [];
  const names: readonly unknown[] = plan.plugins;
  return names.every((name) => typeof name === "string") ? names : [];
}
