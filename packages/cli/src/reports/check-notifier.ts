import { type NotifierPlugin, camelCase, isBackupError } from "@backup/core";

type Arguments = Readonly<Record<string, unknown>>;

/** What a notifier has against its arguments. */
export interface NotifierProblem {
  /** For a person, who knows options by their variables, or by their keys in a plan. */
  readonly text: string;
  /** The one that it is about, if it names one. */
  readonly option?: string | undefined;
  /** Which value of that option, where it has several. */
  readonly at?: number | undefined;
}

/** All that is wrong, each option once: what is left out of the arguments, the plugin has nothing against. */
export function notifierProblems(
  plugin: NotifierPlugin,
  args: Arguments,
  nameOf: (option: string) => string,
): readonly NotifierProblem[] {
  const problems: NotifierProblem[] = [];
  let left = args;
  for (;;) {
    const message = complaint(plugin, left);
    if (message === undefined) return problems;
    const option = optionIn(plugin, message);
    // A plugin may want to have it.
    if (problems.some((problem) => problem.option === option)) return problems;
    problems.push({ text: renamed(plugin, message, nameOf), option, at: indexOf(plugin, option, left) });
    if (option === undefined) return problems;
    left = { ...left, [camelCase(option)]: plugin.options[option]?.array ? [] : undefined };
  }
}

/** A message with the names of options by which a person knows them. */
function renamed({ options }: NotifierPlugin, message: string, nameOf: (option: string) => string): string {
  return message.replaceAll(/(^|\s)--([a-z][a-z0-9-]*)/g, (all, before: string, option: string) =>
    Object.hasOwn(options, option) ? `${before}${nameOf(option)}` : all,
  );
}

/** @returns undefined: there is none */
function complaint(plugin: NotifierPlugin, args: Arguments): string | undefined {
  try {
    // What has been read is what the description says.
    plugin.check?.(args as never);
    return undefined;
  } catch (error) {
    if (!isBackupError(error, "USAGE")) throw error;
    return error.message;
  }
}

function optionIn({ options }: NotifierPlugin, message: string): string | undefined {
  const names = [...message.matchAll(/(?:^|\s)--([a-z][a-z0-9-]*)/g)].map(([, name = ""]) => name);
  return names.find((name) => Object.hasOwn(options, name));
}

function indexOf(plugin: NotifierPlugin, option: string | undefined, args: Arguments): number | undefined {
  if (option === undefined) return undefined;
  const key = camelCase(option);
  const values = args[key];
  if (!Array.isArray(values)) return undefined;
  const at = values.findIndex((value) => {
    const message = complaint(plugin, { ...args, [key]: [value] });
    return message !== undefined && optionIn(plugin, message) === option;
  });
  return at < 0 ? undefined : at;
}
