import type { PluginOption } from "@backup/core";
import type { ActionOption } from "./action-type.js";

/** Options of a plugin, as yargs takes them. */
export function toOptions<Name extends string>(
  options: Readonly<Record<Name, PluginOption>>,
): Readonly<Record<Name, ActionOption>> {
  return Object.fromEntries(
    Object.entries<PluginOption>(options).map(([name, { default: standard, ...option }]): [string, ActionOption] => [
      name,
      option.type === "boolean" && option.array !== true
        ? { ...option, default: standard ?? false }
        : { ...option, requiresArg: true, ...(option.array ? { default: [] } : defaultOf(standard)) },
    ]),
  ) as Record<Name, ActionOption>;
}

function defaultOf(standard: string | number | boolean | undefined): Pick<ActionOption, "default"> {
  return standard === undefined ? {} : { default: standard };
}
