import type { Command, Hooks } from "../hooks.js";
import type { CommandField, HookFields } from "./plan-file.js";

export function toCommand(field: CommandField): Command {
  return typeof field === "string" ? [field] : field;
}

/** What runs before and after; what is not said is as in `defaults`. */
export function toHooks(fields: HookFields, defaults: HookFields = {}): Hooks {
  const { before = defaults.before ?? [], after = defaults.after ?? [] } = fields;
  return { before: before.map(toCommand), after: after.map(toCommand) };
}
