import { BackupError, type ErrorCode, isBackupError } from "@backup/core";
import type { Action, ActionContext } from "./action.js";
import type { CommandContext } from "./commands/subcommand.js";
import { JOURNAL } from "./journal.js";
import { perform } from "./perform.js";
import { rendererFor } from "./render/renderer-for.js";
import { tellError } from "./render/error.js";
import { isToldAtEnd } from "./render/outcome.js";
import { formatSummary } from "./render/summary.js";
import { reportSession } from "./report-session.js";
import { exitOfSession } from "./session.js";

/** One action as a command of its own: shown, reported; part of a script's run, noted in its journal. */
export async function runOne(
  action: Action,
  { dryRun }: { readonly dryRun: boolean },
  context: CommandContext,
): Promise<number> {
  const { signal, debug, secrets, env, plugins, json, quiet } = context;
  const isPart = env[JOURNAL] !== undefined;
  const renderer = rendererFor(context);
  context.onLeave(() => renderer.close());
  const inner: ActionContext = { onEvent: renderer.event.bind(renderer), signal, debug, secrets, env, plugins };
  const { name, type, destination } = action;
  const planned = { name, type, destination };
  const about = { ...planned, dryRun, planned: [planned], onEvent: inner.onEvent };
  let isBegun = false;
  const end = await reportSession(about, context, async () => {
    isBegun = true;
    const { result, error } = await perform(action, inner);
    renderer.close();
    const isLeft = isPart && isBackupError(error) && isToldAtEnd(context);
    if (error !== undefined && !isLeft) tellError(error, context);
    // What would be done is what was asked for.
    if (result.report?.dryRun && quiet && !json && !isPart) process.stdout.write(`${formatSummary(result.report)}\n`);
    return [result];
  });
  const [only] = end.result.actions;
  // A hook kept it from beginning.
  if (!isBegun && only?.error) tellError(new BackupError(only.error.code as ErrorCode, only.error.message), context);
  return exitOfSession(end, only?.status);
}
