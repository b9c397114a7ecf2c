import { inspect } from "node:util";
import { type BackupError, type ErrorCode, isBackupError } from "@backup/core";
import { describeError } from "../result.js";
import { jsonLine, printable } from "./text.js";

interface Told {
  readonly json: boolean;
  readonly debug: boolean;
}

/** What ended something: to a person, and as an event where events are printed. */
export function tellError(error: unknown, { json, debug }: Told): void {
  const { code, message } = describeError(error);
  if (json) process.stdout.write(jsonLine({ type: "error", code, message }));
  process.stderr.write(`backup: ${linesOf({ code, message }).join("\n")}\n`);
  if (debug) process.stderr.write(`${inspect(error).split("\n").map(printable).join("\n")}\n`);
  else if (!isBackupError(error)) process.stderr.write("backup: this is a bug in backup; DEBUG=1 shows where\n");
}

/** Their texts have several lines, none of which a server could have sent. */
const LONG: ReadonlySet<string> = new Set<ErrorCode>(["PLAN_INVALID", "SCRIPT_MISSING"]);

/** The text of an error as a terminal may show it; the first line says what is wrong. */
export function linesOf({ code, message }: { readonly code: string; readonly message: string }): readonly string[] {
  return (LONG.has(code) ? message.split("\n") : [message]).map(printable);
}

/** What failed beside a backup that stays as it is. */
export function problemTeller({ json, debug }: Told): (problem: BackupError) => void {
  return (problem) => {
    if (json) process.stdout.write(jsonLine({ type: "problem", ...describeError(problem) }));
    process.stderr.write(`warning: ${printable(problem.message)}\n`);
    if (debug) process.stderr.write(`${inspect(problem).split("\n").map(printable).join("\n")}\n`);
  };
}
