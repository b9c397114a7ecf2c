import prettyMs from "pretty-ms";
import type { CommandContext } from "../commands/subcommand.js";
import { JOURNAL } from "../journal.js";
import { type ActionResult, type Outcome, type SessionResult, isDryRun } from "../result.js";
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

/** Whether what failed is told by the list at the end alone: quiet says it once. */
export function isToldAtEnd({ json, quiet, debug }: Pick<CommandContext, "json" | "quiet" | "debug">): boolean {
  return quiet && !json && !debug;
}

/**
 * Prints how each action ended: at the end of whatever runs many. Inside of a script its run does that. Quiet leaves what is
 * wrong; of a dry run the list is what was asked for.
 */
export function tellSummary({ result }: SessionEnd, status: number, context: CommandContext): void {
  const { json, quiet, env } = context;
  if (env[JOURNAL] !== undefined) return;
  if (json) {
    process.stdout.write(jsonLine({ type: "summary", ...result, status }));
    return;
  }
  const isWhole = isToldAtEnd(context);
  const lines =
    quiet && !result.dryRun
      ? formatActions(
          result.actions.filter(({ outcome }) => outcome !== "ok"),
          { isWhole },
        )
      : [...formatActions(result.actions, { isWhole }), formatTotal(result)];
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

/** Every action with its outcome, and a line for all; for a terminal as for a mail. */
export function formatOutcomes(result: SessionResult): string {
  return [...formatActions(result.actions), formatTotal(result)].join("\n");
}

interface FormatOptions {
  /** Messages with all of their lines. Default: the first, as one that says more was told when it happened. */
  readonly isWhole?: boolean;
}

function formatActions(actions: readonly ActionResult[], { isWhole = false }: FormatOptions = {}): readonly string[] {
  const rows = actions.map((action) => ({
    word: WORDS[action.outcome],
    name: printable(nameOf(action)),
    rest: `${[...formatNumbers(action), formatSeconds(action.seconds)].join(", ")}${isDryRun(action) ? " (dry run)" : ""}`,
    message: action.error ? linesOf(action.error).slice(0, isWhole ? undefined : 1) : [],
  }));
  const wordWidth = Math.max(0, ...rows.map(({ word }) => word.length));
  const nameWidth = Math.min(NAME_WIDTH, Math.max(0, ...rows.map(({ name }) => name.length)));
  return rows.flatMap(({ word, name, rest, message }) => {
    const line = `${word.padEnd(wordWidth)}  ${name.padEnd(nameWidth)}  ${rest}`;
    return [line, ...message.map((text) => `${" ".repeat(wordWidth)}  ${text}`)];
  });
}

/** With its type, which the words of a command line begin with. */
function nameOf({ type, name }: ActionResult): string {
  return name === type || name.startsWith(`${type} `) ? name : `${type} ${name}`;
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
