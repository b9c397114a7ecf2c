import prettyMs from "pretty-ms";
import type { CommandContext } from "../commands/subcommand.js";
import { JOURNAL } from "../journal.js";
import type { ActionResult, Outcome, SessionResult } from "../result.js";
import type { SessionEnd } from "../session.js";
import { linesOf } from "./error.js";
import { formatBytes, formatCount, jsonLine, printable } from "./text.js";

/** What each outcome is called, in the order in which they are counted. */
const WORDS: Readonly<Record<Outcome, string>> = {
  ok: "OK",
  partial: "PARTLY",
  failed: "KO",
  interrupted: "INTERRUPTED",
};

/** Names are aligned up to here; a longer one moves what is behind it. */
const NAME_WIDTH = 36;

/** Prints how each action ended: at the end of whatever runs many. Inside of a script its run does that. */
export function tellSummary({ result }: SessionEnd, status: number, { json, quiet, env }: CommandContext): void {
  if (env[JOURNAL] !== undefined) return;
  if (json) {
    process.stdout.write(jsonLine({ type: "summary", ...result, status }));
    return;
  }
  const lines = quiet
    ? formatActions(result.actions.filter(({ outcome }) => outcome !== "ok"))
    : [...formatActions(result.actions), formatTotal(result)];
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

/** Every action with its outcome, and a line for all; for a terminal as for a mail. */
export function formatOutcomes(result: SessionResult): string {
  return [...formatActions(result.actions), formatTotal(result)].join("\n");
}

function formatActions(actions: readonly ActionResult[]): readonly string[] {
  const rows = actions.map((action) => ({
    word: WORDS[action.outcome],
    name: printable(nameOf(action)),
    rest: [...formatNumbers(action), formatSeconds(action.seconds)].join(", "),
    // One that says more has been told when it happened.
    message: action.error && linesOf(action.error)[0],
  }));
  const wordWidth = Math.max(0, ...rows.map(({ word }) => word.length));
  const nameWidth = Math.min(NAME_WIDTH, Math.max(0, ...rows.map(({ name }) => name.length)));
  return rows.flatMap(({ word, name, rest, message }) => {
    const line = `${word.padEnd(wordWidth)}  ${name.padEnd(nameWidth)}  ${rest}`;
    return message === undefined ? [line] : [line, `${" ".repeat(wordWidth)}  ${message}`];
  });
}

/** With its type, which the words of a command line begin with. */
function nameOf({ type, name }: ActionResult): string {
  return name.startsWith(`${type} `) ? name : `${type} ${name}`;
}

function formatNumbers({ report }: ActionResult): readonly string[] {
  if (!report) return [];
  const { added, removed, failed, bytes } = report;
  const numbers = [`${added} new`, `${removed} deleted`];
  return [...numbers, ...(failed > 0 ? [`${failed} failed`] : []), formatBytes(bytes)];
}

/** `3 actions: 2 OK, 1 KO in 12.3s` */
function formatTotal({ actions, seconds, dryRun }: SessionResult): string {
  const counts = Object.entries(WORDS)
    .map(([outcome, word]) => [actions.filter((action) => action.outcome === outcome).length, word] as const)
    .filter(([count]) => count > 0);
  const total = actions.length === 0 ? "no actions" : formatCount(actions.length, "action");
  const how = counts.map(([count, word]) => `${count} ${word}`).join(", ");
  const end = dryRun ? " (dry run, nothing was written)" : "";
  return `${total}${how === "" ? "" : `: ${how}`} in ${formatSeconds(seconds)}${end}`;
}

function formatSeconds(seconds: number): string {
  return prettyMs(seconds * 1000);
}
