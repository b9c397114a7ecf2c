import type { BackupEvent } from "@backup/core";
import { pluginsWith } from "../../src/plugins/built-in.js";
import { notifierArguments } from "../../src/reports/notifier-arguments.js";
import { openNotifiers } from "../../src/reports/open-notifiers.js";
import type { Reporter } from "../../src/reports/reporter.js";

export interface OpenReportOptions {
  /** Directory of secrets. */
  readonly secrets?: string | undefined;
  readonly onEvent?: ((event: BackupEvent) => void) | undefined;
}

/** A report that comes along, with what is given by the names of its options. */
export async function openReport(
  name: string,
  given: Readonly<Record<string, unknown>>,
  { secrets = "/nowhere", onEvent = () => {} }: OpenReportOptions = {},
): Promise<Reporter> {
  const plugins = pluginsWith([]);
  const plugin = plugins.notifiers.find((each) => each.name === name);
  if (!plugin) throw new Error(`no notifier ${name}`);
  const context = { plugins, env: {}, debug: false, secrets, onEvent };
  const [reporter] = await openNotifiers({ [name]: notifierArguments(plugin, given) }, context);
  if (!reporter) throw new Error("no reporter");
  return reporter;
}
