import type { SchemaObject } from "ajv";
import { RETENTION_OPTIONS } from "../retention-options.js";
import { DURATION } from "./duration.js";

// The parts of the schema that no type of action has a say in.

export function ref(name: string): SchemaObject {
  return { $ref: `#/$defs/${name}` };
}

export const SCHEDULE: SchemaObject = {
  schedule: {
    description: "When backup run --watch runs it: cron's five fields, six with seconds first, or @daily and its like",
    type: "string",
    minLength: 1,
  },
  "time-zone": {
    description: "Whose time the schedule means, as Europe/Berlin; default: the machine's",
    type: "string",
    minLength: 1,
  },
  jitter: {
    description: "Begin at a random moment up to this much later: 90s, 10m, 1h30m",
    type: "string",
    pattern: DURATION,
    errorMessage: "takes a duration such as 90s, 10m or 1h30m",
  },
};

export const HOOKS: SchemaObject = {
  before: { description: "Programs that run before the action", ...ref("commands") },
  after: { description: "Programs that run after the action; they get the result", ...ref("commands") },
};

export const RETENTION: SchemaObject = {
  retention: {
    description: "Which snapshots to keep: those that nothing here keeps are removed after a complete run with hist",
    ...ref("retention"),
  },
};

const A_SECRET =
  "names a secret and never holds it: an absolute path, {file: /absolute/path}, {env: NAME} or {command: [program, argument]}";
const A_FILE = "names a file with the secret and never holds it: an absolute path or {file: /absolute/path}";

/** The file of a secret. */
const FILE: SchemaObject = {
  description: "Absolute path of a file with nothing else in it",
  type: "string",
  pattern: "^/",
  errorMessage: "takes the absolute path of a file",
};

export const DEFINITIONS: SchemaObject = {
  secret: {
    type: ["string", "object"],
    pattern: "^/",
    properties: {
      file: FILE,
      env: {
        description: "Name of a variable that holds it",
        type: "string",
        pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
        errorMessage: "takes the name of a variable, not its value",
      },
      command: { description: "Program that prints it, and its arguments", ...ref("command") },
    },
    minProperties: 1,
    maxProperties: 1,
    additionalProperties: false,
    errorMessage: A_SECRET,
  },
  "secret-file": {
    type: ["string", "object"],
    pattern: "^/",
    properties: { file: FILE },
    required: ["file"],
    additionalProperties: false,
    errorMessage: A_FILE,
  },
  command: {
    description: "A program and its arguments; no shell reads them. A program alone needs no list",
    type: ["string", "array"],
    pattern: "^\\S+$",
    items: { type: "string", errorMessage: "takes text; put it in quotes" },
    minItems: 1,
    errorMessage: "takes a program and its arguments as a list: [program, argument]",
  },
  commands: {
    type: "array",
    items: ref("command"),
    errorMessage: "takes a list of commands, each of them a list: [[program, argument]]",
  },
  retention: {
    type: "object",
    minProperties: 1,
    properties: Object.fromEntries(
      Object.entries(RETENTION_OPTIONS).map(([name, { describe }]) => [
        name,
        { description: describe, type: "integer", minimum: 0, errorMessage: "takes a whole number, 0 or more" },
      ]),
    ),
    additionalProperties: false,
    errorMessage: `takes a mapping of ${Object.keys(RETENTION_OPTIONS).join(", ")}`,
  },
};
