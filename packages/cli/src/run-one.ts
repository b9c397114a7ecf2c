import { BackupError, type ErrorCode } from "@backup/core";
import type { Action, ActionContext } from "./action.js";
import type { CommandContext } from "./commands/subcommand.js";
import { perform } from "./perform.js";
import { jsonRenderer } from "./render/json.js";
import { plainRenderer } from "./render/plain.js";
import { tellError } from "./render/error.js";
import { reportSession } from "./report-session.js";
import { exitOfSession } from "./session.js";

/** One action as a command of its own: shown, reported; part of a script's run, noted in its journal. */
export async function runOne(
  action: Action,
  { dryRun }: { readonly dryRun: boolean },
  context: CommandContext,
): Promise<number> {
  const { signal, debug, secrets, env, json } = context;
  const renderer = json
    ? jsonRenderer(process.stdout, { debug })
    : plainRenderer(process.stdout, process.stderr, context);
  context.onLeave(() => renderer.close());
  const inner: ActionContext = { onEvent: renderer.event.bind(renderer), signal, debug, secrets, env };
  const { name, type, destination } = action;
  let isBegun = false;
  const end = await reportSession({ name, type, destination, dryRun, onEvent: inner.onEvent }, context, async () => {
    isBegun = true;
    const { result, error } = await perform(action, inner);
    renderer.close();
    if (error !== undefined) tellError(error, context);
    return [result];
  });
  const [only] = end.result.actions;
  // A hook kept it from beginning.
  if (!isBegun && only?.error) tellError(new BackupError(only.error.code as ErrorCode, only.error.message), context);
  return exitOfSession(end, only?.status);
}
