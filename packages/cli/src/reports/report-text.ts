import { formatOutcomes } from "../render/outcome.js";
import { formatCount } from "../render/text.js";
import type { Outcome, SessionResult } from "../result.js";

/** One line: how a run went. */
export function headline({ actions, outcome }: SessionResult): string {
  const like = (one: Outcome): string =>
    `${actions.filter((action) => action.outcome === one).length} of ${actions.length}`;
  return {
    ok: `OK, ${formatCount(actions.length, "action")}`,
    partial: `PARTLY: ${like("partial")} not complete`,
    failed: `KO: ${like("failed")} failed`,
    interrupted: `INTERRUPTED: ${like("interrupted")} stopped`,
  }[outcome];
}

/** What is told of a run: every action, with errors in full. Lines of printable text: names in it come from anywhere. */
export function reportText(result: SessionResult, hostname: string): string {
  const started = result.startedAt.replace("T", " ").replace(/(?:\.\d+)?Z$/, " UTC");
  const lines = [headline(result), "", formatOutcomes(result), "", `host     ${hostname}`, `started  ${started}`];
  return `${lines.join("\n")}\n`;
}
