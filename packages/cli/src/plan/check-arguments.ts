import { isBackupError } from "@backup/core";
import { checkHistoryOptions } from "../history-options.js";
import type { ActionType } from "../types/action-type.js";
import type { ActionFields } from "./plan-file.js";
import { planKey } from "./plan-key.js";
import type { Problem } from "./problem.js";
import type { PlanSource } from "./source.js";

/** An action of a plan, and what its type gets of it. */
export interface Candidate {
  readonly index: number;
  readonly fields: ActionFields;
  readonly type: ActionType<never>;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What is wrong with an action's arguments: what is said of a command line that has them. */
export function argumentProblems(source: PlanSource, candidate: Candidate): readonly Problem[] {
  const { type, args } = candidate;
  return [type.destinations.check, checkHistoryOptions, type.check.bind(type)].flatMap((check) => {
    try {
      // The schema has seen what these are.
      check(args as never);
      return [];
    } catch (error) {
      if (!isBackupError(error, "USAGE")) throw error;
      return [problemOf(source, candidate, error.message)];
    }
  });
}

/** The message names an option with dashes or an argument in upper case, or quotes the argument. */
function problemOf(source: PlanSource, { index, fields, type, args }: Candidate, message: string): Problem {
  const option = /(?:^|\s)--([a-z][a-z-]*)/.exec(message)?.[1];
  const quoted = type.positionals
    .filter(({ name }) => message.startsWith(`${name.toUpperCase()} `) || message.includes(String(args[name])))
    // One value may be in another.
    .toSorted((a, b) => String(args[b.name]).length - String(args[a.name]).length)[0];
  const key = option ?? (quoted && planKey(quoted.name));
  const plain = withoutPassword(message.replaceAll(/(^|\s)--(?=[a-z])/g, "$1"));
  if (key === undefined) return { position: source.position(["actions", index], "value"), text: plain };
  const path = key in fields ? ["actions", index, key] : ["defaults", key];
  return { position: source.position(path, "value"), text: key === option ? plain : `${key}: ${plain}` };
}

/** Somebody may have written one in front of a host. */
function withoutPassword(text: string): string {
  return text.replaceAll(/[^\s'/]+@/g, "…@");
}
