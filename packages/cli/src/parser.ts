import { BackupError, type PluginRegistry } from "@backup/core";
import yargs, { type Argv } from "yargs";
import { subcommands } from "./commands/all.js";
import { type Subcommand, addCommand } from "./commands/subcommand.js";
import { COMMON_OPTIONS } from "./common-options.js";
import { EXIT_STATUSES } from "./exit-statuses.js";
import { type Usage, isAlike, usageError } from "./usage.js";

/** Runs a command with its arguments, checked. */
export type Handler = (command: Subcommand, args: object) => Promise<void>;

export interface ParserOptions {
  readonly argv: readonly string[];
  readonly version: string;
  readonly plugins: PluginRegistry;
}

/** The command line as yargs reads it. */
export function makeParser({ argv, version, plugins }: ParserOptions, handle: Handler): Argv {
  const commands = subcommands(plugins);
  const groups = groupsOf(commands);
  const types = plugins.actions.map(({ name }) => name);
  let parser: Argv = yargs([...argv])
    // Our texts are English, so those of yargs are too, whatever the locale.
    .locale("en")
    .scriptName("backup")
    .usage("$0 COMMAND …")
    // A terminal that does not say its width says 0.
    .wrap(Math.min(100, process.stdout.columns || 100))
    .options(COMMON_OPTIONS)
    // Known before the command is: `backup --dry-run imap …` must not take `imap` for a value.
    .boolean(booleanOptions(commands))
    .version(version)
    .alias("help", "h")
    .epilogue(`Exit status: ${EXIT_TEXT}. DEBUG=1 shows all.`)
    .strict()
    .exitProcess(false)
    .parserConfiguration({ "greedy-arrays": false, "populate--": takesRest(argv, groups) })
    .fail((message: string | null, error?: Error) => {
      // What yargs itself throws is wrong usage too.
      if (error && error.name !== "YError") throw error;
      throw usageError(message ?? error?.message ?? "wrong usage", { ...usageOf(argv, { commands, groups }), argv });
    });
  const isForMost = ({ name }: Subcommand): boolean => name === "run" || types.includes(name);
  addExamples(
    parser,
    // What people run, as against what they ask once.
    commands.filter(isForMost),
  );
  for (const [group, inner] of groups) parser = addGroup(parser, group, inner, handle);
  neverWordHelpUnasked(parser);
  return parser.command(
    "$0",
    false,
    (command) => command.strict(false),
    ({ _: [word] }) => {
      throw wrongCommand(word === undefined ? undefined : String(word), { types, names: [...groups.keys()] });
    },
  );
}

/** What yargs' types do not have. */
interface Internals {
  getInternalMethods(): { getUsageInstance(): { cacheHelpMessage(): void } };
}

/** Yargs words its help after every command, in case it is asked for then; that takes a tenth of a run without changes. */
function neverWordHelpUnasked(parser: Argv): void {
  (parser as unknown as Internals).getInternalMethods().getUsageInstance().cacheHelpMessage = () => {};
}
type Groups = ReadonlyMap<string, readonly Subcommand[]>;

/** Commands of two words by their first one, those of one word each by itself. */
function groupsOf(commands: readonly Subcommand[]): Groups {
  const found = new Map<string, Subcommand[]>();
  for (const command of commands) {
    const [first = ""] = command.name.split(" ");
    found.set(first, [...(found.get(first) ?? []), command]);
  }
  return found;
}

function addGroup(parser: Argv, group: string, commands: readonly Subcommand[], handle: Handler): Argv {
  const [only, ...more] = commands;
  if (only?.name === group && more.length === 0) return addCommand(parser, only, (args) => handle(only, args));
  const summary = commands.map(({ summary: each }) => each).join("; ");
  return parser.command(`${group} <command>`, summary, (inner) => {
    for (const command of commands) addCommand(inner, command, (args) => handle(command, args));
    addExamples(inner, commands);
    return inner.demandCommand(1, `say which: ${commands.map(({ name }) => `backup ${name}`).join(", ")}`);
  });
}

/** Whether the command that is asked for has words after `--` to itself. */
function takesRest(argv: readonly string[], names: Groups): boolean {
  const [command] = argv.flatMap((word) => names.get(word) ?? []);
  return command?.rest !== undefined;
}

/** The first of each. */
function addExamples(parser: Argv, commands: readonly Subcommand[]): void {
  for (const [line, text] of commands.flatMap(({ examples }) => examples.slice(0, 1))) parser.example(line, text);
}

interface Known {
  /** Of actions. */
  readonly types: readonly string[];
  /** First words of all commands. */
  readonly names: readonly string[];
}

function wrongCommand(word: string | undefined, { types: list, names }: Known): BackupError {
  const types = list.join(", ");
  if (word === undefined)
    return new BackupError("USAGE", `say what to back up: backup TYPE … (the types are: ${types}); see backup --help`);
  const meant = names.find((name) => isAlike(name, word));
  return new BackupError(
    "PLUGIN_UNKNOWN",
    meant === undefined
      ? `there is no type '${word}'; the types are: ${types}; see backup --help`
      : `there is no command '${word}'; did you mean backup ${meant}? See backup --help`,
  );
}

const EXIT_TEXT = EXIT_STATUSES.map(({ status, short }) => `${status} ${short}`).join(", ");

/** Of all commands. */
function booleanOptions(commands: readonly Subcommand[]): readonly string[] {
  return [COMMON_OPTIONS, ...commands.map(({ options }) => options)]
    .flatMap((options) => Object.entries<{ readonly type?: string }>(options))
    .filter(([, { type }]) => type === "boolean")
    .map(([name]) => name);
}

/** What messages about wrong usage say of the command that was asked for. */
function usageOf(
  argv: readonly string[],
  { commands: all, groups }: { readonly commands: readonly Subcommand[]; readonly groups: Groups },
): Omit<Usage, "argv"> {
  const words = ` ${argv.join(" ")} `;
  const [group, commands = []] = [...groups].find(([first]) => words.includes(` ${first} `)) ?? [];
  // The longest: `login imap` is not `imap`.
  const given = all
    .filter(({ name }) => words.includes(` ${name} `))
    .reduce<Subcommand | undefined>(
      (best, each) => (each.name.length > (best?.name.length ?? 0) ? each : best),
      undefined,
    );
  // The first word alone, of two.
  if (!given && group !== undefined) {
    const seconds = commands.map(({ name }) => name.slice(group.length + 1)).join(" or ");
    return { command: `backup ${group}`, positionals: [seconds], options: Object.keys(COMMON_OPTIONS) };
  }
  const command = given ?? all[0];
  if (!command) return { command: "backup", positionals: [], options: Object.keys(COMMON_OPTIONS) };
  return {
    command: `backup ${command.name}`,
    positionals: command.positionals.map(({ name }) => name.toUpperCase()),
    options: Object.keys({ ...COMMON_OPTIONS, ...command.options }),
  };
}
