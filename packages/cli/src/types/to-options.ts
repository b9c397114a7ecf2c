import type { PluginOption } from "@backup/core";
import type { ActionOption } from "./action-type.js";

/** Options of a plugin, as yargs takes them. */
export function toOptions<Name extends string>(
  options: Readonly<Record<Name, PluginOption>>,
): Readonly<Record<Name, ActionOption>> {
  return Object.fromEntries(
    Object.entries<PluginOption>(options).map(([name, option]): [string, ActionOption] => {
      const { default: standard, isRequired: _isRequired, variable: _variable, ...rest } = option;
      const isSwitch = option.type === "boolean" && option.array !== true;
      const usual = isSwitch ? false : option.array ? [] : undefined;
      const value = standard === null ? undefined : (standard ?? usual);
      return [
        name,
        { ...rest, ...(isSwitch ? {} : { requiresArg: true }), ...(value === undefined ? {} : { default: value }) },
      ];
    }),
  ) as Record<Name, ActionOption>;
}
