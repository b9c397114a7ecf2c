import { camelCase } from "@backup/core";
import { ACTION_OPTIONS } from "../action-options.js";
import type { ActionOption, ActionType } from "../types/action-type.js";
import type { ActionFields, OptionFields, SecretField } from "./plan-file.js";
import { planKey } from "./plan-key.js";

export interface ActionArguments {
  /** As yargs gives those of a command line. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Secrets that have no file yet, by the names of their options. */
  readonly secrets: Readonly<Record<string, SecretInMemory>>;
}

/** A secret that is no file. */
export type SecretInMemory = Exclude<SecretField, string | { readonly file: string }>;

export interface ActionArgumentsOptions {
  readonly defaults: OptionFields;
  /** Whatever the file says. */
  readonly dryRun: boolean;
}

/** What an action of a plan says, as arguments of its type. */
export function actionArguments(
  {
    positionals,
    options,
    commandOptions,
    destinations,
  }: Pick<ActionType, "positionals" | "options" | "commandOptions" | "destinations">,
  fields: ActionFields,
  { defaults, dryRun }: ActionArgumentsOptions,
): ActionArguments {
  const args: Record<string, unknown> = {};
  const secrets: Record<string, SecretInMemory> = {};
  const give = (name: string, value: unknown): void => {
    if (value === undefined) return;
    args[name] = value;
    args[camelCase(name)] = value;
  };
  for (const { name } of positionals) give(name, fields[planKey(name)]);
  const used = destinations.used(String(fields.destination));
  for (const [name, option] of Object.entries<ActionOption>({
    ...options,
    ...commandOptions,
    ...ACTION_OPTIONS,
    ...destinations.options,
  })) {
    // How to reach other hosts is no matter of a directory here.
    const fallback = name in destinations.options && !used.has(name) ? undefined : defaults[name];
    const value = fields[name] ?? fallback ?? option.default;
    if (isInMemory(option, value)) secrets[name] = value;
    else give(name, toArgument(option, value));
  }
  if (dryRun) give("dry-run", true);
  return { args, secrets };
}

function isInMemory({ isSecret }: ActionOption, value: unknown): value is SecretInMemory {
  return isSecret === true && typeof value === "object" && value !== null && !("file" in value);
}

function toArgument({ isSecret, array }: ActionOption, value: unknown): unknown {
  if (isSecret && typeof value === "object" && value !== null && "file" in value) return value.file;
  return array ? [value].flat() : value;
}
