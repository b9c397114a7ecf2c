import { randomUUID } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { BackupError, systemCode } from "@backup/core";
import { EXIT } from "./exit-code.js";
import type { ActionResult } from "./result.js";

/** The variable that names the journal, for every `backup` that a script starts. */
export const JOURNAL = "BACKUP_JOURNAL";

type Begin = Pick<ActionResult, "name" | "type" | "destination" | "startedAt">;
type Line =
  | { readonly is: "begin"; readonly id: string; readonly action: Begin }
  | { readonly is: "end"; readonly id: string; readonly action: ActionResult };

/** Notes that an action begins; what is returned notes how it ended. Lines are appended, so actions may run side by side. */
export function beginInJournal(file: string, action: Begin): (result: ActionResult) => void {
  const id = randomUUID();
  append(file, { is: "begin", id, action });
  return (result) => append(file, { is: "end", id, action: result });
}

/** All actions of a journal, in the order in which they began. One without an end was killed. */
export function readJournal(file: string, now = Date.now()): readonly ActionResult[] {
  const actions = new Map<string, ActionResult>();
  for (const text of readFileSync(file, "utf8").split("\n")) {
    if (text === "") continue;
    const line = JSON.parse(text) as Line;
    actions.set(line.id, line.is === "end" ? line.action : unended(line.action, now));
  }
  return [...actions.values()];
}

function unended(action: Begin, now: number): ActionResult {
  return {
    ...action,
    outcome: "failed",
    status: EXIT.failed,
    seconds: Math.max(0, now - Date.parse(action.startedAt)) / 1000,
    error: {
      code: "KILLED",
      message: "was ended from outside before it could say how it went; the next run goes on from there",
    },
  };
}

function append(file: string, line: Line): void {
  try {
    // At once, and whole: other processes append too.
    appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch (error) {
    throw new BackupError(
      "USAGE",
      `${JOURNAL} names ${file}, which cannot be written (${systemCode(error) ?? "unknown error"}); leave that variable alone`,
      { cause: error },
    );
  }
}
