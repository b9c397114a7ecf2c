import { BackupError, type PluginRegistry, type Positional } from "@backup/core";
import type { Argv, Options } from "yargs";
import type { RenderOptions } from "../render/renderer.js";
import { checkGivenOnce } from "../usage.js";

/** What every command gets besides its arguments. */
export interface CommandContext extends RenderOptions {
  readonly json: boolean;
  readonly signal: AbortSignal;
  /** Directory of secrets. */
  readonly secrets: string;
  readonly env: NodeJS.ProcessEnv;
  readonly plugins: PluginRegistry;
  /** How long what is told to stop may take, milliseconds; default 2000. */
  readonly allowToEnd: (ms: number) => void;
  /** Called before the process is ended in a hurry: a progress bar hides the cursor. */
  readonly onLeave: (leave: () => void) => void;
}

/** A command after `backup`. The parser, the manual page and the completion are made from this description. */
export interface Subcommand<Arguments = never> {
  /** `imap`, `config check`. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly positionals: readonly Positional[];
  /** Beside those of every command. */
  readonly options: Readonly<Record<string, Options>>;
  /** The option, repeatable, that takes all words after `--`. Default: those are arguments like the others. */
  readonly rest?: string;
  /** Command lines, and what they do. */
  readonly examples: readonly (readonly [command: string, text: string])[];
  /** @throws BackupError USAGE */
  readonly check?: (args: Arguments) => void;
  /** @returns the exit status */
  readonly run: (args: Arguments, context: CommandContext) => Promise<number>;
}

/** The command as yargs knows it; `then` gets the arguments, checked. */
export function addCommand(parser: Argv, command: Subcommand, then: (args: object) => Promise<void>): Argv {
  const words = command.name.split(" ");
  const positionals = command.positionals.map(({ name, isOptional, isMany }) => {
    const word = isMany ? `${name}..` : name;
    return isOptional ? `[${word}]` : `<${word}>`;
  });
  const { rest } = command;
  /** The arguments, words as they were typed, with what followed `--` where that is the command's own. */
  const whole = (args: Readonly<Record<string, unknown>>): object => ({
    ...args,
    ...asTyped(command.positionals, args),
    ...(rest === undefined ? {} : { [rest]: [args[rest] ?? [], args["--"] ?? []].flat() }),
  });
  return parser.command(
    [words.at(-1), ...positionals].join(" "),
    command.summary,
    (yargs) => {
      for (const { name, describe, isOptional, choices } of command.positionals)
        yargs.positional(name, { type: "string", demandOption: !isOptional, describe, choices });
      for (const [line, text] of command.examples) yargs.example(line, text);
      return yargs.options({ ...command.options }).check((args) => {
        const single = Object.entries(command.options).filter(([, { array }]) => array !== true);
        checkGivenOnce(
          args,
          single.map(([name]) => name),
        );
        const extra = args._[words.length];
        if (extra !== undefined)
          throw new BackupError("USAGE", `'${extra}' is one argument too many; see backup ${command.name} --help`);
        // What yargs has read is what the description says.
        command.check?.(whole(args) as never);
        return true;
      });
    },
    (args) => then(whole(args)),
  );
}

/**
 * Words that have to be there get their values from yargs before those that need not, wherever these stand: `[source]
 * <dest>` is turned round where both are given.
 */
function asTyped(
  positionals: readonly Positional[],
  args: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const filled = positionals.toSorted((a, b) => Number(a.isOptional ?? false) - Number(b.isOptional ?? false));
  const values = filled.map(({ name }) => args[name]);
  if (values.includes(undefined)) return {};
  return Object.fromEntries(positionals.map(({ name }, index) => [name, values[index]]));
}
