import { basename } from "node:path";
import { checkPlugin } from "./check-plugin.js";
import { dumpLayout } from "./dump-layout.js";
import { BackupError } from "./errors.js";
import { PLUGIN_API, type RestoreDescription, type SourcePlugin } from "./plugin.js";
import { type Positional, camelCase } from "./plugin-options.js";
import { programRunner } from "./program.js";
import { openScriptSource } from "./script-source.js";
import { openScriptTarget } from "./script-target.js";
import { type ScriptDescription, parseDescription } from "./script-protocol.js";

export interface ScriptPluginOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** A script has nothing to look for when it describes itself, milliseconds. */
const DESCRIBE_MS = 10_000;
const BACKUP: Positional = { name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" };
const DEST: Positional = { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" };

/**
 * An executable of any language as a plugin: it is asked what it is. See docs/plugins.md for what it is asked, and answers.
 * @param file absolute
 * @throws BackupError PLUGIN_INVALID, PLUGIN_UNKNOWN, PROGRAM_MISSING, PROGRAM_FAILED, TIMEOUT
 */
export async function loadScriptPlugin(file: string, { env, signal }: ScriptPluginOptions): Promise<SourcePlugin> {
  const runner = programRunner({ env, signal, scrub: (text) => text });
  const { stdout } = await runner.run([file, "describe"], { timeoutMs: DESCRIBE_MS, maxOutput: 1024 * 1024 });
  const described = parseDescription(stdout.toString("utf8").split("\n")[0] ?? "", basename(file));
  const plugin = pluginOf(file, described);
  checkPlugin(plugin, file);
  const { partner, positionals, name } = described;
  if (partner !== undefined && !positionals.some((word) => word.name === partner))
    throw new BackupError(
      "PLUGIN_INVALID",
      `the plugin ${name} of ${file}: its partner '${partner}' is none of its words`,
    );
  return plugin;
}

function pluginOf(file: string, described: ScriptDescription): SourcePlugin {
  const { name, version, summary, positionals, options } = described;
  return {
    api: PLUGIN_API,
    kind: "source",
    name,
    version,
    summary,
    positionals: hasDest(positionals) ? positionals : [...positionals, DEST],
    options,
    layout: () => dumpLayout,
    create: async (args, context) => {
      // What has been read is what the description says.
      const given: Readonly<Record<string, unknown>> = Object(args);
      const words = positionals.filter((word) => word.name !== "dest").map((word) => given[camelCase(word.name)]);
      const id = `${name}:${words.flat().join(" ")}`;
      return await openScriptSource({ file, id, described, args: given }, context);
    },
    restore: described.restore && restoreOf(file, described, described.restore),
  };
}

function restoreOf(
  file: string,
  { name, partner }: ScriptDescription,
  { summary, positionals: words, options }: NonNullable<ScriptDescription["restore"]>,
): RestoreDescription {
  const positionals = hasDest(words) ? words : [BACKUP, ...words];
  return {
    summary,
    positionals,
    options,
    open: (args, context) =>
      openScriptTarget({ file, name, positionals, options, partner, args: Object(args) }, context),
  };
}

/** Words may be anything until checkPlugin has seen them. */
function hasDest(words: readonly Positional[]): boolean {
  return words.some((word) => Object(word).name === "dest");
}
