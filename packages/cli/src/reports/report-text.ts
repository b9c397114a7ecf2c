import { formatOutcomes } from "../render/outcome.js";
import { formatCount } from "../render/text.js";
import type { Outcome, SessionResult } from "../result.js";

/** One line: how a run went. */
export function headline({ actions, outcome, dryRun }: SessionResult): string {
  const like = (...ones: readonly Outcome[]): string =>
    `${actions.filter((action) => ones.includes(action.outcome)).length} of ${actions.length}`;
  return {
    ok: `${dryRun ? "DRY RUN" : "OK"}, ${formatCount(actions.length, "action")}`,
    partial: `PARTLY: ${like("partial")} not complete`,
    // One that was ended alone.
    failed: `KO: ${like("failed", "interrupted")} failed`,
    interrupted: `INTERRUPTED: ${like("interrupted")} stopped`,
  }[outcome];
}

/** What is told of a run: every action, with errors in full. Lines of printable text: names in it come from anywhere. */
export function reportText(result: SessionResult, hostname: string): string {
  const started = result.startedAt.replace("T", " ").replace(/(?:\.\d+)?Z$/, " UTC");
  const lines = [headline(result), "", formatOutcomes(result), "", `host     ${hostname}`, `started  ${started}`];
  return `${lines.join("\n")}\n`;
}
