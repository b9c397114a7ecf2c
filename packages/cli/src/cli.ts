import type { CommandContext } from "./commands/subcommand.js";
import { EXIT, exitOfError } from "./exit-code.js";
import { abortOnSignals } from "./interrupt.js";
import { JOURNAL, beginInJournal } from "./journal.js";
import { type Handler, makeParser } from "./parser.js";
import { tellError } from "./render/error.js";
import { isToldAtEnd } from "./render/outcome.js";
import { failedWith } from "./result.js";
import { subcommands } from "./commands/all.js";
import { pluginsWith } from "./plugins/built-in.js";
import { pluginsOfCommand } from "./plugins/plugins-of-command.js";
import { version } from "./version.js";

/** Runs the command line; resolves to the exit status. Prints, and never throws. */
export async function run(given: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  // `docker run IMAGE backup imap …`
  const argv = given[0] === "backup" ? given.slice(1) : given;
  const debug = env.DEBUG === "1";
  const leaving: (() => void)[] = [];
  const leave = (): void => {
    for (const each of leaving.splice(0)) each();
  };
  const { signal, dispose, allowToEnd } = abortOnSignals(leave);
  let plugins = pluginsWith([]);
  const context = { signal, debug, env, secrets: env.BACKUP_DIR ?? "/backup", allowToEnd };
  let status: number = EXIT.done;
  const handle: Handler = async (command, args) => {
    const output = outputOf(args, env);
    const full: CommandContext = { ...context, ...output, plugins, onLeave: (each) => void leaving.push(each) };
    status = await command.run({ ...args, ...output } as never, full);
  };
  try {
    plugins = await pluginsOfCommand(argv, context);
    await makeParser({ argv, version: version(), plugins }, handle).parseAsync();
  } catch (error) {
    leave();
    status = exitOfError(error);
    const told = {
      json: argv.includes("--json") || env.BACKUP_OUTPUT === "json",
      quiet: env.BACKUP_OUTPUT === "quiet",
      debug,
    };
    let isNoted = false;
    try {
      isNoted = noteWrongUsage(argv, { env, plugins }, error);
    } catch (problem) {
      tellError(problem, told);
    }
    if (!isNoted || !isToldAtEnd(told)) tellError(error, told);
  } finally {
    leave();
    dispose();
  }
  return status;
}

/** What to print; a script's run says it to the commands in it by BACKUP_OUTPUT. */
function outputOf(args: object, env: NodeJS.ProcessEnv): Pick<CommandContext, "json" | "quiet" | "verbose"> {
  const is = (name: string): boolean =>
    (name in args && args[name as keyof typeof args] === true) || env.BACKUP_OUTPUT === name;
  return { json: is("json"), quiet: is("quiet"), verbose: is("verbose") };
}

/** An action of a script that never began is missing from the backup like any other that failed: whether it was one. */
function noteWrongUsage(
  argv: readonly string[],
  { env, plugins }: Pick<CommandContext, "env" | "plugins">,
  error: unknown,
): boolean {
  const journal = env[JOURNAL];
  const names = new Set<string | undefined>(subcommands(plugins).map(({ name }) => name.split(" ")[0]));
  const types = new Set<string | undefined>(plugins.actions.map(({ name }) => name));
  // What follows an option may be a secret.
  const first = argv.findIndex((word) => word.startsWith("-"));
  const words = first < 0 ? argv : argv.slice(0, first);
  const type = argv.find((word) => names.has(word)) ?? words[0] ?? "backup";
  if (journal === undefined || (names.has(type) && !types.has(type) && type !== "run")) return false;
  const startedAt = new Date().toISOString();
  const action = { name: words.join(" ") || type, type, destination: "", startedAt };
  beginInJournal(journal, action)([{ ...action, seconds: 0, ...failedWith(error) }]);
  return true;
}
