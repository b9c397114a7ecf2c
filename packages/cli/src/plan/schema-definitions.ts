import type { SchemaObject } from "ajv";
import { RETENTION_OPTIONS } from "../retention-options.js";
import { DURATION } from "./duration.js";

// The parts of the schema that no type of action has a say in.

export function ref(name: string): SchemaObject {
  return { $ref: `#/$defs/${name}` };
}

function url(description: string, pattern: string, errorMessage: string): SchemaObject {
  return { description, type: "string", pattern, errorMessage };
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
const AN_ADDRESS = "takes an address, http://… or https://…";
const HTTP = "^https?://\\S+$";

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
  reports: {
    description: "Who is told how a run went",
    type: "object",
    properties: {
      mail: {
        type: "object",
        required: ["to"],
        properties: {
          to: {
            description: "Address or addresses",
            type: ["string", "array"],
            items: { type: "string" },
            minItems: 1,
          },
          from: { description: "Default: backup@ and the hostname", type: "string", minLength: 1 },
          url: url(
            "Mail server; default smtp://localhost",
            "^(?:smtps?://)?(?:[^\\s:/@]+@)?(?:\\[[0-9a-fA-F:.]+\\]|[^\\s:/@]+)(?::\\d{1,5})?/?$",
            "takes smtp://[USER@]HOST[:PORT] or smtps://…, without a password; that is named by password",
          ),
          password: {
            description: "File with the password of the url's user; default /backup/USER.password",
            type: ["string", "object"],
            pattern: "^/",
            properties: { file: FILE },
            required: ["file"],
            additionalProperties: false,
            errorMessage: A_FILE,
          },
          ssl: { description: "TLS from the first byte", type: "boolean" },
          "tls-ca": {
            description: "File of certificates to trust besides the usual ones",
            type: "string",
            minLength: 1,
          },
          hostname: { description: "What this machine calls itself", type: "string", minLength: 1 },
          when: { description: "Every run, or those that were not all well", enum: ["always", "failure"] },
        },
        additionalProperties: false,
      },
      ping: {
        description: "Address that is requested at the start (/start), after success, and after a failure (/fail)",
        type: ["string", "object"],
        pattern: HTTP,
        properties: {
          url: url("For all three", HTTP, AN_ADDRESS),
          start: url("At the start", HTTP, AN_ADDRESS),
          success: url("After success", HTTP, AN_ADDRESS),
          fail: url("After a failure", HTTP, AN_ADDRESS),
        },
        minProperties: 1,
        additionalProperties: false,
        errorMessage: `${AN_ADDRESS}, or a mapping of url, start, success and fail`,
      },
      metrics: { description: "File for Prometheus' textfile collector", type: "string", minLength: 1 },
    },
    additionalProperties: false,
  },
};
