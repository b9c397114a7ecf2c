import type { PluginRegistry } from "@backup/core";
import { notifierProblems } from "../reports/check-notifier.js";
import { notifierArguments, notifierFields } from "../reports/notifier-arguments.js";
import type { ReportFields } from "./plan-file.js";
import type { Problem } from "./problem.js";
import type { PlanSource } from "./source.js";

/** What notifiers have against values that the schema lets pass. */
export function reportProblems(
  source: PlanSource,
  fields: ReportFields,
  { notifiers }: PluginRegistry,
): readonly Problem[] {
  return notifiers
    .filter(({ name }) => Object.hasOwn(fields, name))
    .flatMap((plugin) => {
      const said = fields[plugin.name];
      const given = notifierFields(plugin, said);
      const problems = notifierProblems(plugin, notifierArguments(plugin, given), (option) => option);
      return problems.map(({ text, option, at }) => {
        const isGiven = option !== undefined && typeof said !== "string" && Object.hasOwn(given, option);
        const value = isGiven ? [option, ...(at !== undefined && Array.isArray(given[option]) ? [at] : [])] : [];
        return { position: source.position(["reports", plugin.name, ...value], "value"), text };
      });
    });
}
