import type { PluginRegistry } from "@backup/core";
import { notifierArguments, notifierFields } from "../reports/notifier-arguments.js";
import type { ReportSettings } from "../reports/reporter.js";
import type { ReportFields } from "./plan-file.js";

/** How a plan's runs are reported. */
export function reportSettings(fields: ReportFields, { notifiers }: PluginRegistry): ReportSettings {
  const asked = notifiers.filter(({ name }) => Object.hasOwn(fields, name));
  return Object.fromEntries(
    asked.map((plugin) => [plugin.name, notifierArguments(plugin, notifierFields(plugin, fields[plugin.name]))]),
  );
}
