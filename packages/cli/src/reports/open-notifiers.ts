import { BackupError, type Notifier, type NotifierPlugin, isBackupError } from "@backup/core";
import type { ActionContext } from "../action.js";
import { contextFor } from "../context-for.js";
import { notifierProblems } from "./check-notifier.js";
import { variableOf } from "./notifier-arguments.js";
import { reportFailed } from "./report-failed.js";
import type { ReportSettings, Reporter } from "./reporter.js";
import { retryReport } from "./retry.js";

/** A reporter for each way of reporting that is asked for. @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE */
export async function openNotifiers(
  settings: ReportSettings,
  context: Omit<ActionContext, "signal">,
): Promise<readonly Reporter[]> {
  const { plugins } = context;
  const asked = plugins.notifiers.filter(({ name }) => Object.hasOwn(settings, name));
  return await Promise.all(asked.map((plugin) => openNotifier(plugin, settings[plugin.name] ?? {}, context)));
}

async function openNotifier(
  plugin: NotifierPlugin,
  args: Readonly<Record<string, unknown>>,
  context: Omit<ActionContext, "signal">,
): Promise<Reporter> {
  const nameOf = (option: string): string => variableOf(plugin, option);
  const [problem] = notifierProblems(plugin, args, nameOf);
  if (problem) throw new BackupError("USAGE", problem.text);
  // A run that was stopped is reported too: each report has a signal of its own.
  const inner = contextFor(args, { ...context, signal: new AbortController().signal }, nameOf);
  // What has been read is what the description says.
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
    ...(notifier.started && { started: (signal) => tell(async () => notifier.started?.(signal), signal) }),
    async ended(result, signal) {
      await using _inner = inner;
      await tell(() => notifier.ended(result, signal), signal);
    },
  };
}
