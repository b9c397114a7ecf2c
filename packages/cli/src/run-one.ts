import type { Action, ActionContext } from "./action.js";
import type { CommandContext } from "./commands/subcommand.js";
import { isDry } from "./dry-run.js";
import { JOURNAL, beginInJournal } from "./journal.js";
import { perform } from "./perform.js";
import { jsonRenderer } from "./render/json.js";
import { plainRenderer } from "./render/plain.js";
import { problemTeller, tellError } from "./render/error.js";
import { openReporters } from "./reports/open-reporters.js";
import { hooksFromEnv, reportsFromEnv } from "./reports/settings.js";
import { exitOfSession, runSession } from "./session.js";

/** One action as a command of its own: shown, reported; part of a script's run, noted in its journal. */
export async function runOne(
  action: Action,
  args: { readonly dryRun: boolean },
  context: CommandContext,
): Promise<number> {
  const { signal, debug, secrets, env, json } = context;
  const renderer = json
    ? jsonRenderer(process.stdout, { debug })
    : plainRenderer(process.stdout, process.stderr, context);
  context.onLeave(() => renderer.close());
  const inner: ActionContext = { onEvent: renderer.event.bind(renderer), signal, debug, secrets, env };
  const journal = env[JOURNAL];
  const work = async () => {
    const startedAt = new Date().toISOString();
    const { name, type, destination } = action;
    const end = journal === undefined ? undefined : beginInJournal(journal, { name, type, destination, startedAt });
    const { result, error } = await perform(action, inner);
    renderer.close();
    end?.(result);
    if (error !== undefined) tellError(error, context);
    return result;
  };
  // Whoever runs the script reports for all of it.
  if (journal !== undefined) return (await work()).status;

  const reporters = await openReporters(reportsFromEnv(env), inner);
  const hooks = hooksFromEnv(env);
  if (reporters.length + hooks.after.length > 0) context.allowToEnd(8000);
  const end = await runSession(
    { reporters, hooks, dryRun: isDry(args, env), env, signal, onProblem: problemTeller(context) },
    async () => [await work()],
  );
  return exitOfSession(end, end.result.actions[0]?.status);
}
