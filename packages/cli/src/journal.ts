import { randomUUID } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { BackupError, systemCode } from "@backup/core";
import { EXIT } from "./exit-code.js";
import { type ActionResult, exitOfOutcome, worst } from "./result.js";

/** The variable that names the journal, for every `backup` that a script starts. */
export const JOURNAL = "BACKUP_JOURNAL";

export type Begin = Pick<ActionResult, "name" | "type" | "destination" | "startedAt">;
type Line =
  | { readonly is: "begin"; readonly id: string; readonly pid: number; readonly action: Begin }
  | { readonly is: "end"; readonly id: string; readonly actions: readonly ActionResult[]; readonly problems?: number };

/**
 * Notes that something begins; what is returned notes how it ended, which may be as many actions, and how many reports and
 * hooks failed. Lines are appended, so actions may run side by side.
 */
export function beginInJournal(
  file: string,
  action: Begin,
): (results: readonly ActionResult[], problems?: number) => void {
  const id = randomUUID();
  append(file, { is: "begin", id, pid: process.pid, action });
  return (actions, problems = 0) => append(file, { is: "end", id, actions, problems });
}

export interface Journal {
  /** In the order in which they began. */
  readonly actions: readonly ActionResult[];
  /** Reports and hooks of them that failed. */
  readonly problems: number;
  /** Exit statuses that their commands may have had. */
  readonly statuses: ReadonlySet<number>;
  /** Processes of those that have not ended, or were killed. */
  readonly unended: readonly number[];
}

export interface ReadJournalOptions {
  /** Milliseconds since 1970. */
  readonly now?: number;
  /** The run was told to stop: who wrote no end was stopped with it. */
  readonly isStopped?: boolean;
}

/** All actions of a journal. One without an end was killed, or still runs. */
export function readJournal(file: string, { now = Date.now(), isStopped = false }: ReadJournalOptions = {}): Journal {
  const found = new Map<string, Entry>();
  for (const [number, text] of readFileSync(file, "utf8").split("\n").entries()) {
    if (text === "") continue;
    const line = parse(text);
    if (line?.is === "begin") found.set(line.id, { pid: line.pid, actions: [unended(line.action, now, isStopped)] });
    else if (line) found.set(line.id, { actions: line.actions, problems: line.problems });
    else found.set(`line ${number}`, { actions: [unreadable(now)] });
  }
  const all = [...found.values()];
  return {
    actions: all.flatMap(({ actions }) => actions),
    problems: all.reduce((sum, { problems = 0 }) => sum + problems, 0),
    statuses: new Set(all.flatMap(statusesOf)),
    unended: all.flatMap(({ pid }) => (pid === undefined ? [] : [pid])),
  };
}

interface Entry {
  readonly pid?: number;
  readonly actions: readonly ActionResult[];
  readonly problems?: number | undefined;
}

/** One action says its own; of many it is made from how they ended, and a report that failed is another. */
function statusesOf({ actions, problems = 0 }: Entry): readonly number[] {
  const ofAll = exitOfOutcome(worst(actions, { isStopped: false }));
  return [...actions.map(({ status }) => status), ofAll, ...(problems > 0 ? [EXIT.unreported] : [])];
}

/** Undefined for a line that was not written to its end, or not by us. */
function parse(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Partial<Line> | null;
    if (typeof line?.id !== "string") return undefined;
    if (line.is === "begin") return typeof line.action === "object" ? (line as Line) : undefined;
    return line.is === "end" && Array.isArray(line.actions) ? (line as Line) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const GOES_ON = "the next run goes on from there";

function unended(action: Begin, now: number, isStopped: boolean): ActionResult {
  const seconds = Math.max(0, now - Date.parse(action.startedAt)) / 1000;
  if (isStopped) {
    const message = `was stopped before it could say how it went; ${GOES_ON}`;
    return {
      ...action,
      outcome: "interrupted",
      status: EXIT.interrupted,
      seconds,
      error: { code: "ABORTED", message },
    };
  }
  const message = `was ended from outside before it could say how it went; ${GOES_ON}`;
  return { ...action, outcome: "failed", status: EXIT.failed, seconds, error: { code: "KILLED", message } };
}

/** Whatever it was, it may be missing from the backup. */
function unreadable(now: number): ActionResult {
  const message = `what an action noted in the file that ${JOURNAL} names cannot be read; is its disk full?`;
  return {
    name: "unknown",
    type: "action",
    destination: "",
    outcome: "failed",
    startedAt: new Date(now).toISOString(),
    status: EXIT.failed,
    seconds: 0,
    error: { code: "JOURNAL_BROKEN", message },
  };
}

function append(file: string, line: Line): void {
  try {
    // At once: other processes append too. The first line end keeps this apart from what another one left unfinished.
    appendFileSync(file, `\n${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch (error) {
    throw new BackupError(
      "USAGE",
      `${JOURNAL} names ${file}, which cannot be written (${systemCode(error) ?? "unknown error"}); leave that variable alone`,
      { cause: error },
    );
  }
}
