import { BackupError } from "@backup/core";
import { editDistance } from "./edit-distance.js";

export interface Usage {
  /** The command, as it is typed. */
  readonly command: string;
  readonly argv: readonly string[];
  /** Names of its positional arguments, in their order. */
  readonly positionals: readonly string[];
  /** Names of its options without dashes. */
  readonly options: readonly string[];
}

/** What yargs (in English) says of a wrong command line, as an error that says what to write instead. */
export function usageError(message: string, { command, argv, positionals, options }: Usage): BackupError {
  const help = `see ${command} --help`;
  const takes = `${command} takes ${positionals.join(" ") || "options only"}`;

  const [, valueless] = /^Not enough arguments following: (\S+)/.exec(message) ?? [];
  if (valueless !== undefined) return usage(`option --${valueless} needs a value; ${help}`);

  const [, given] = /^Not enough non-option arguments: got (\d+)/.exec(message) ?? [];
  if (given !== undefined) return usage(`${positionals.slice(Number(given)).join(", ")} missing; ${takes}, ${help}`);

  const [, chosen, value, choices] =
    /^Invalid values:\s+Argument: (\S+), Given: "(.*)", Choices: (.+)$/.exec(message) ?? [];
  if (choices !== undefined) return usage(`${chosen} takes one of ${choices}, and '${value}' is none of them; ${help}`);

  const [, unknown] = /^Unknown arguments?: ([^,]+)/.exec(message) ?? [];
  if (unknown === undefined) return usage(`${message.charAt(0).toLowerCase()}${message.slice(1)}; ${help}`);
  if (argv.includes(unknown))
    return usage(`'${unknown}' is one argument too many; ${takes} (quote what the shell must not expand), ${help}`);
  const option = unknown.length === 1 ? `-${unknown}` : `--${unknown}`;
  const meant = options.find((name) => isAlike(name, unknown));
  return usage(`there is no option ${option}; ${meant === undefined ? help : `did you mean --${meant}?`}`);
}

/** An option of one value that was given more often: which one counts would be a guess. */
export function checkGivenOnce(args: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const twice = names.find((name) => Array.isArray(args[name]));
  if (twice !== undefined) throw usage(`option --${twice} is given more than once; give it once`);
}

/**
 * Without their dashes, one begins like the other (`dryrun`, `allow-delete`, `src-secret`), or a letter or two of a long
 * one are wrong (`srcsceret`).
 */
export function isAlike(a: string, b: string): boolean {
  const [short = "", long = ""] = [a, b]
    .map((name) => name.replaceAll("-", "").toLowerCase())
    .toSorted((x, y) => x.length - y.length);
  return short.length > 2 && (long.startsWith(short) || editDistance(short, long) <= (long.length > 5 ? 2 : 1));
}

function usage(message: string): BackupError {
  return new BackupError("USAGE", message);
}
