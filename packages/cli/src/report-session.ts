import type { EventSink } from "@backup/core";
import type { ActionContext } from "./action.js";
import type { CommandContext } from "./commands/subcommand.js";
import { type Hooks, NO_HOOKS } from "./hooks.js";
import { JOURNAL, beginInJournal } from "./journal.js";
import { problemTeller } from "./render/error.js";
import { openReporters } from "./reports/open-reporters.js";
import type { ReportSettings, Reporter } from "./reports/reporter.js";
import { hooksFromEnv, reportsFromEnv } from "./reports/settings.js";
import type { ActionResult } from "./result.js";
import { type SessionEnd, runSession } from "./session.js";

export interface ReportedSession {
  /** What runs: an action, a script, a plan. For the journal of a script that this is a part of. */
  readonly name: string;
  readonly type: string;
  readonly destination: string;
  readonly dryRun: boolean;
  readonly onEvent: EventSink;
  /** Before those that the environment asks for. */
  readonly reports?: ReportSettings | undefined;
  /** Inside of those that the environment asks for. */
  readonly hooks?: Hooks | undefined;
}

/** Longer than what stops needs, with reports and hooks after it; shorter than the ten seconds of `docker stop`. */
const TO_END_MS = 9000;

/**
 * Runs actions with the reports and hooks that the environment asks for, and those given. Inside of a script it is noted in
 * the script's journal instead: whoever runs the script reports for all of it.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function reportSession(
  { name, type, destination, dryRun, onEvent, reports = {}, hooks = NO_HOOKS }: ReportedSession,
  context: CommandContext,
  work: () => Promise<readonly ActionResult[]>,
): Promise<SessionEnd> {
  const { env, secrets, signal } = context;
  const onProblem = problemTeller(context);
  const journal = env[JOURNAL];
  if (journal !== undefined) {
    const end = beginInJournal(journal, { name, type, destination, startedAt: new Date().toISOString() });
    const ended = await runSession({ reporters: [], hooks, dryRun, env, signal, onProblem }, work);
    end(...ended.result.actions);
    return ended;
  }
  const reporters = await sessionReporters(reports, { env, secrets, onEvent });
  const outer = hooksFromEnv(env);
  const all: Hooks = { before: [...outer.before, ...hooks.before], after: [...hooks.after, ...outer.after] };
  if (reporters.length + all.after.length > 0) context.allowToEnd(TO_END_MS);
  return runSession({ reporters, hooks: all, dryRun, env, signal, onProblem }, work);
}

/**
 * Those that the environment asks for, and these before them.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function sessionReporters(
  reports: ReportSettings,
  { env, secrets, onEvent }: Pick<ActionContext, "env" | "secrets" | "onEvent">,
): Promise<readonly Reporter[]> {
  const general = reportsFromEnv(env);
  const settings: ReportSettings = {
    mail: reports.mail ?? general.mail,
    ping: reports.ping ?? general.ping,
    metrics: reports.metrics ?? general.metrics,
  };
  return await openReporters(settings, { secrets, onEvent });
}
