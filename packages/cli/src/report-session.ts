import type { EventSink } from "@backup/core";
import type { ActionContext } from "./action.js";
import type { CommandContext } from "./commands/subcommand.js";
import { type Hooks, NO_HOOKS } from "./hooks.js";
import { JOURNAL, beginInJournal } from "./journal.js";
import { problemTeller } from "./render/error.js";
import { openNotifiers } from "./reports/open-notifiers.js";
import type { ReportSettings, Reporter } from "./reports/reporter.js";
import { hooksFromEnv, reportsFromEnv } from "./reports/settings.js";
import { type Planned, type SessionEnd, type Work, runSession } from "./session.js";

/** What runs: an action, a script, a plan. For the journal of a script that this is a part of. */
export interface ReportedSession extends Planned {
  readonly dryRun: boolean;
  /** Its actions, where they are known before it begins. */
  readonly planned?: readonly Planned[] | undefined;
  readonly onEvent: EventSink;
  /** Before those that the environment asks for; inside of a script instead of them. */
  readonly reports?: ReportSettings | undefined;
  /** Inside of those that the environment asks for. */
  readonly hooks?: Hooks | undefined;
  /** What becomes of the reporters of this one. Default: all of them hear all. */
  readonly select?: ((reporters: readonly Reporter[]) => readonly Reporter[]) | undefined;
}

/** Longer than what stops needs, with reports and hooks after it; shorter than the ten seconds of `docker stop`. */
const TO_END_MS = 9000;

/**
 * Runs actions with the reports and hooks that the environment asks for, and those given. Inside of a script there are only
 * those given, and it is noted in the script's journal: whoever runs the script does what the environment asks for.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function reportSession(
  { name, type, destination, dryRun, planned = [], onEvent, reports = {}, hooks = NO_HOOKS, select }: ReportedSession,
  context: CommandContext,
  work: Work,
): Promise<SessionEnd> {
  const { env, signal, plugins } = context;
  const onProblem = problemTeller(context);
  const journal = env[JOURNAL];
  if (journal !== undefined) {
    const reporters = await openNotifiers(reports, { ...context, onEvent });
    const end = beginInJournal(journal, { name, type, destination, startedAt: new Date().toISOString() });
    const ended = await runSession({ reporters, hooks, dryRun, env, signal, plugins, planned, onProblem }, work);
    end(ended.result.actions, ended.problems);
    return ended;
  }
  const opened = await sessionReporters(reports, { ...context, onEvent });
  const reporters = select?.(opened) ?? opened;
  const outer = hooksFromEnv(env);
  const all: Hooks = { before: [...outer.before, ...hooks.before], after: [...hooks.after, ...outer.after] };
  if (reporters.length + all.after.length > 0) context.allowToEnd(TO_END_MS);
  return runSession({ reporters, hooks: all, dryRun, env, signal, plugins, planned, onProblem }, work);
}

/**
 * Those that the environment asks for, and these before them.
 * @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE
 */
export async function sessionReporters(
  reports: ReportSettings,
  context: Omit<ActionContext, "signal">,
): Promise<readonly Reporter[]> {
  const { env, plugins } = context;
  return await openNotifiers({ ...reportsFromEnv(plugins, env), ...reports }, context);
}
