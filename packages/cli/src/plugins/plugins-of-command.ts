import type { PluginRegistry, ScriptPluginOptions } from "@backup/core";
import { pluginsWith } from "./built-in.js";

/** What comes along, and what --plugin names. @throws BackupError PLUGIN_MISSING, PLUGIN_INVALID, PLUGIN_UNKNOWN */
export async function pluginsOfCommand(argv: readonly string[], context: ScriptPluginOptions): Promise<PluginRegistry> {
  const names = namedPlugins(argv);
  if (names.length === 0) return pluginsWith([]);
  // Loaded when used: it costs start-up time.
  const { loadPlugins } = await import("./load-plugins.js");
  const from = process.cwd();
  return pluginsWith(
    await loadPlugins(
      names.map((name) => ({ name, from })),
      context,
    ),
  );
}

/** Values of --plugin, which are known before the command line is read: what it may say depends on them. */
function namedPlugins(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.flatMap((word, at) => {
    if (word.startsWith("--plugin=")) return [word.slice("--plugin=".length)];
    const next = words[at + 1];
    return word === "--plugin" && next !== undefined && !next.startsWith("-") ? [next] : [];
  });
}
