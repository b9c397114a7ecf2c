import type { NotifierPlugin } from "@backup/core";
import type { SchemaObject } from "ajv";
import { ACTION_OPTIONS } from "../action-options.js";
import type { ActionOption, ActionType } from "../types/action-type.js";
import { toOptions } from "../types/to-options.js";
import { planKey } from "./plan-key.js";
import { DEFINITIONS, HOOKS, RETENTION, SCHEDULE, ref } from "./schema-definitions.js";

/** What the schema says of a type. */
export type DescribedType = Pick<
  ActionType,
  "name" | "summary" | "positionals" | "options" | "commandOptions" | "destinations"
>;

/**
 * The JSON Schema (draft 2020-12) of plan files. All that a type of action takes comes from its description.
 * `errorMessage` says what is told of a value that does not fit; editors show it too.
 */
export function planSchema(types: readonly DescribedType[], notifiers: readonly NotifierPlugin[] = []): SchemaObject {
  const names = types.map(({ name }) => name);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Plan of backup",
    description: "What to back up, where to, and when. See docs/plan.md",
    type: "object",
    errorMessage: "is no plan, which is a mapping that begins with 'actions:'; see backup config example",
    required: ["actions"],
    properties: {
      actions: {
        description: "What to back up: one entry for each source and its destination",
        type: "array",
        minItems: 1,
        errorMessage: "takes a list of at least one action",
        items: {
          type: "object",
          errorMessage: `is no action, which is a mapping that begins with 'type: ${names[0] ?? ""}'`,
          required: ["type"],
          properties: { type: { description: "What is backed up", enum: names } },
          // One after the other, not `oneOf`: what is said of a mistake is said of the type that was meant.
          allOf: types.map(({ name }) => ({
            if: { type: "object", properties: { type: { const: name } }, required: ["type"] },
            // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
            then: ref(`action-${name}`),
          })),
        },
      },
      defaults: {
        description: "Options for every action that does not say otherwise",
        type: "object",
        properties: {
          ...optionsOf(
            Object.assign(
              {},
              ...types.map(({ options, destinations }) => ({ ...options, ...ACTION_OPTIONS, ...destinations.options })),
            ),
          ),
          ...RETENTION,
          ...HOOKS,
        },
        additionalProperties: false,
      },
      plugins: {
        description: "Plugins that the actions need: packages, or files as ./notes.mjs, from where the plan is",
        type: "array",
        items: { type: "string", minLength: 1 },
        errorMessage: "takes a list of packages, or of files as ./notes.mjs",
      },
      concurrency: count("How many actions run at once", 2),
      "connections-per-host": count("How many actions at once read from one host", 2),
      ...SCHEDULE,
      reports: ref("reports"),
      before: { description: "Programs that run before all actions", ...ref("commands") },
      after: { description: "Programs that run after all actions; they get the result", ...ref("commands") },
    },
    // For anchors that are only referred to.
    patternProperties: { "^x-": true },
    additionalProperties: false,
    $defs: {
      ...DEFINITIONS,
      reports: reportsSchema(notifiers),
      ...Object.fromEntries(types.map((type) => [`action-${type.name}`, actionSchema(type)])),
    },
  };
}

/** Who may be told of runs: all that is said of it comes from the notifiers. */
function reportsSchema(notifiers: readonly NotifierPlugin[]): SchemaObject {
  return {
    description: "Who is told how a run went",
    type: "object",
    properties: Object.fromEntries(notifiers.map((plugin) => [plugin.name, notifierSchema(plugin)])),
    additionalProperties: false,
  };
}

function notifierSchema({ summary: description, short, options }: NotifierPlugin): SchemaObject {
  const named = Object.entries(toOptions(options));
  const required = Object.keys(options).filter((name) => options[name]?.isRequired);
  const mapping = {
    properties: Object.fromEntries(
      named.map(([name, option]) => {
        const isNeeded = option.array === true && required.includes(name);
        return [name, { ...notifierOption(option), ...(isNeeded ? { minItems: 1 } : {}) }];
      }),
    ),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
  if (short === undefined) return { description, type: "object", ...mapping };
  const { pattern, takes = "takes text" } = options[short] ?? {};
  return {
    description,
    type: ["string", "object"],
    ...(pattern === undefined ? { minLength: 1 } : { pattern }),
    ...mapping,
    minProperties: 1,
    errorMessage: `${takes}, or a mapping of ${namesOf(named.map(([name]) => name))}`,
  };
}

/** A secret of theirs is in a file. */
function notifierOption(option: ActionOption): SchemaObject {
  return option.isSecret ? { description: option.describe, ...ref("secret-file") } : optionSchema(option);
}

function namesOf(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${last}` : last;
}

function actionSchema({ summary, positionals, options, destinations }: DescribedType): SchemaObject {
  const words = positionals.map(({ name, describe, choices }) => [
    planKey(name),
    { description: describe, type: "string", minLength: 1, ...(choices === undefined ? {} : { enum: choices }) },
  ]);
  return {
    description: summary,
    type: "object",
    required: positionals.filter(({ isOptional }) => isOptional !== true).map(({ name }) => planKey(name)),
    properties: {
      type: true,
      name: optionSchema(ACTION_OPTIONS.name),
      ...Object.fromEntries(words),
      ...optionsOf({ ...options, ...ACTION_OPTIONS, ...destinations.options }),
      ...SCHEDULE,
      ...RETENTION,
      ...HOOKS,
    },
    additionalProperties: false,
  };
}

/** These, apart from an action's name, which only one can have. */
function optionsOf({ name: _name, ...options }: Readonly<Record<string, ActionOption>>): SchemaObject {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, optionSchema(option)]));
}

function optionSchema(option: ActionOption): SchemaObject {
  const { type, describe, isSecret, array, choices, pattern, takes, default: standard } = option;
  const described = { description: describe };
  if (isSecret) return { ...described, ...ref("secret") };
  // One of many needs no list.
  if (array) return { ...described, type: [type, "array"], items: { type } };
  return {
    ...described,
    type,
    ...(choices === undefined ? {} : { enum: choices }),
    ...(standard === undefined ? {} : { default: standard }),
    ...(type === "string" ? { minLength: 1 } : {}),
    ...(pattern === undefined ? {} : { pattern }),
    ...(takes === undefined ? {} : { errorMessage: takes }),
  };
}

function count(description: string, standard: number): SchemaObject {
  const errorMessage = "takes a whole number from 1 to 1000";
  return { description, type: "integer", minimum: 1, maximum: 1000, default: standard, errorMessage };
}
