import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import type { NotifierPlugin } from "@backup/core";
import { isAlike } from "../usage.js";
import type { Path } from "./node-offset.js";
import type { Problem } from "./problem.js";
import { type DescribedType, planSchema } from "./schema.js";
import type { PlanSource } from "./source.js";

/** Something that the schema does not allow, and where. */
export interface SchemaProblem extends Problem {
  readonly path: Path;
}

/** Everything in a file that is not as the schema wants it, in words for people. No value of the file is in them. */
export type SchemaCheck = (source: PlanSource) => readonly SchemaProblem[];

/** Makes the check for these types of actions, which takes longer than a check. */
export function schemaCheck(types: readonly DescribedType[], notifiers: readonly NotifierPlugin[] = []): SchemaCheck {
  const schema = planSchema(types, notifiers);
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    strictTypes: false,
    allowUnionTypes: true,
    // That the schema is one, a test says; here it would cost the most of the time.
    validateSchema: false,
    meta: false,
  });
  ajv.addVocabulary(["errorMessage"]);
  const validate = ajv.compile(schema);
  const known: KnownKeys = {
    ofPlan: Object.keys(schema.properties),
    ofCommands: types.flatMap(({ commandOptions = {} }) => Object.keys(commandOptions)),
  };
  return (source) => {
    if (validate(source.value)) return [];
    // That a branch does not fit says nothing beside what does not fit in it.
    const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== "if");
    return oneForEachValue(errors).map((error) => {
      const path = pathOf(error);
      const position = isUnknownKey(error)
        ? source.position([...path, String(error.params.additionalProperty)], "key")
        : source.position(path, "value");
      return { path, position, text: textOf(error, path, known) };
    });
  };
}

/** Keys that mean something in another place. */
interface KnownKeys {
  /** At its left margin. */
  readonly ofPlan: readonly string[];
  /** Options of a command line alone. */
  readonly ofCommands: readonly string[];
}

/** A value that is wrong in two ways is told of once; keys that are missing or too many are told of one by one. */
function oneForEachValue(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const seen = new Set<string>();
  return errors.filter((error) => {
    const isOfItsOwn = isUnknownKey(error) || isMissingKey(error);
    const mark = `${error.instancePath}\n${isOfItsOwn ? JSON.stringify(error.params) : ""}`;
    return !seen.has(mark) && seen.add(mark);
  });
}

/** Of a mapping; of what may be a text as well, the message says what it takes as a whole. */
function isUnknownKey({ keyword, parentSchema }: ErrorObject): boolean {
  return keyword === "additionalProperties" && parentSchema?.type === "object";
}

function isMissingKey({ keyword, parentSchema }: ErrorObject): boolean {
  return keyword === "required" && parentSchema?.type === "object";
}

function pathOf({ instancePath }: ErrorObject): Path {
  return instancePath
    .split("/")
    .slice(1)
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll("~1", "/").replaceAll("~0", "~")));
}

function textOf(error: ErrorObject, path: Path, knownKeys: KnownKeys): string {
  const { keyword, params, data, parentSchema = {}, message } = error;
  if (isMissingKey(error)) return `'${String(params.missingProperty)}' is missing`;
  if (isUnknownKey(error)) {
    const key = String(params.additionalProperty);
    if (key === "name" && path[0] === "defaults") return "'name' belongs to an action: each has one of its own";
    return unknownKey(key, parentSchema.properties, knownKeys);
  }
  const name = nameOf(path);
  if (data === null && name !== "this") return `${name} has no value`;
  if (typeof parentSchema.errorMessage === "string") return `${name} ${parentSchema.errorMessage}`;
  if (keyword === "type") return `${name} takes ${typeNames(parentSchema.type, data)}`;
  if (keyword === "enum") return `${name} takes one of: ${parentSchema.enum.join(", ")}`;
  if (keyword === "minLength" || keyword === "minItems") return `${name} is empty`;
  return `${name} ${message ?? "is not as it should be"}`;
}

/** The key before a value; a list's entries go by the list's. */
function nameOf(path: Path): string {
  const isAction = path.length === 2 && path[0] === "actions";
  const key = path.findLast((step) => typeof step === "string");
  return key === undefined || isAction ? "this" : key;
}

function typeNames(types: string | readonly string[], data: unknown): string {
  const names: Readonly<Record<string, string>> = {
    string: "text",
    number: "a number",
    integer: "a whole number",
    boolean: "true or false",
    object: "a mapping (key: value)",
    array: "a list",
  };
  const text = [types].flat().map((type) => names[type] ?? type);
  const isUnquoted = types.includes("string") && ["number", "boolean"].includes(typeof data);
  return `${text.join(" or ")}${isUnquoted ? "; put it in quotes" : ""}`;
}

/** What is said of a key that nothing knows. */
function unknownKey(
  key: string,
  properties: Readonly<Record<string, { readonly $ref?: string } | true>>,
  { ofPlan, ofCommands }: KnownKeys,
): string {
  const known = Object.keys(properties);
  const shown = key.length > 60 ? `${key.slice(0, 60)}…` : key;
  const secret = known.find((name) => Object(properties[name]).$ref === "#/$defs/secret");
  const meant =
    known.find((name) => isAlike(name, key.replaceAll("_", "-"))) ?? (/^pass/i.test(key) ? secret : undefined);
  if (meant !== undefined) return `there is no option '${shown}'; did you mean ${meant}?`;
  if (ofCommands.includes(key))
    return `'${key}' is for a command line alone; an action of a plan runs by its schedule, with backup run --watch`;
  if (ofPlan.includes(key)) return `'${shown}' belongs to the plan as a whole, at the left margin`;
  const help = known.length > 12 ? "see backup config example" : `the options here are: ${known.join(", ")}`;
  return `there is no option '${shown}'; ${help}`;
}
