import { type Notifier, type NotifierPlugin, type PluginRegistry, camelCase, isBackupError } from "@backup/core";
import type { ActionContext } from "../action.js";
import { contextFor } from "../context-for.js";
import { toOptions } from "../types/to-options.js";
import { reportFailed } from "./report-failed.js";
import type { NotifierSettings, Reporter } from "./reporter.js";
import { retryReport } from "./retry.js";

/** Reporters of plugins, with what each is told. @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE */
export async function openNotifiers(
  settings: NotifierSettings,
  context: Omit<ActionContext, "signal">,
): Promise<readonly Reporter[]> {
  const { plugins } = context;
  const asked = plugins.notifiers.filter(({ name }) => Object.hasOwn(settings, name));
  return await Promise.all(asked.map((plugin) => openNotifier(plugin, settings[plugin.name] ?? {}, context)));
}

async function openNotifier(
  plugin: NotifierPlugin,
  args: object,
  context: Omit<ActionContext, "signal">,
): Promise<Reporter> {
  // What has been read is what the description says.
  plugin.check?.(args as never);
  // A run that was stopped is reported too: each report has a signal of its own.
  const inner = contextFor(args, { ...context, signal: new AbortController().signal });
  const notifier: Notifier = await plugin.open(args as never, inner);
  const { name } = notifier;
  const tell = async (report: () => Promise<void>, signal: AbortSignal): Promise<void> => {
    try {
      await retryReport(report, { signal, what: name });
    } catch (error) {
      if (isBackupError(error, "REPORT_FAILED")) throw error;
      throw reportFailed(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  };
  return {
    name,
    started: (signal) => tell(async () => notifier.started?.(signal), signal),
    async ended(result, signal) {
      await using _inner = inner;
      await tell(() => notifier.ended(result, signal), signal);
    },
  };
}

/** What variables ask for: option `url` of a notifier `chat` is CHAT_URL; the first that is set turns it on. */
export function notifiersFromEnv(plugins: PluginRegistry, env: NodeJS.ProcessEnv): NotifierSettings {
  const all = plugins.notifiers.map(({ name, options }) => {
    const given = Object.entries(options).flatMap(([option, { type, array }]) => {
      const text = env[`${name}-${option}`.replaceAll("-", "_").toUpperCase()]?.trim();
      if (text === undefined || text === "") return [];
      const values = (array ? text.split(",") : [text]).map((each) => valueOf(each.trim(), type));
      return [[option, array ? values : values[0]] as const];
    });
    return [name, given] as const;
  });
  const asked = all.filter(([, given]) => given.length > 0);
  return Object.fromEntries(
    asked.map(([name, given]) => [name, notifierArguments(name, Object.fromEntries(given), plugins)]),
  );
}

/** What is said by the names of options, as arguments of the plugin. */
export function notifierArguments(
  name: string,
  given: Readonly<Record<string, unknown>>,
  plugins: PluginRegistry,
): Readonly<Record<string, unknown>> {
  const options = plugins.notifiers.find((plugin) => plugin.name === name)?.options ?? {};
  return Object.fromEntries(
    Object.entries(toOptions(options)).map(([option, { array, default: standard }]) => {
      const value = given[option] ?? standard;
      return [camelCase(option), array ? [value].flat() : value];
    }),
  );
}

function valueOf(text: string, type: string): string | number | boolean {
  if (type === "number") return Number(text);
  return type === "boolean" ? /^(?:1|yes|true)$/i.test(text) : text;
}
