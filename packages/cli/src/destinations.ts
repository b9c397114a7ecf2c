import {
  BackupError,
  type PluginOption,
  type PluginOptions,
  type PluginRegistry,
  camelCase,
  checkHome,
} from "@backup/core";
import type { ActionOption } from "./types/action-type.js";
import { toOptions } from "./types/to-options.js";

/** Where to, as it was given, and the options of whatever store that is. */
export interface DestinationArguments {
  readonly dest: string;
  /** Seconds. */
  readonly timeout?: number | undefined;
}

/** What may be said of destinations. */
export interface Destinations {
  /** Those of every store. */
  readonly options: Readonly<Record<string, ActionOption>>;
  /** Names of options that have a meaning for this one. */
  readonly used: (dest: string) => ReadonlySet<string>;
  /** @throws BackupError USAGE */
  readonly check: (args: DestinationArguments) => void;
}

export function destinationsOf(plugins: PluginRegistry): Destinations {
  const stores = plugins.stores;
  return {
    options: toOptions(mergedOptions(stores.toReversed().map((store) => store.options))),
    used: (dest) => new Set(Object.keys(plugins.store(dest).options)),
    check(args) {
      // What an unset variable of a script leaves; an empty destination would be the directory that one is in.
      if (args.dest === "") throw new BackupError("USAGE", "DEST is empty; name a directory (. is the one you are in)");
      checkHome({ DEST: args.dest });
      // What yargs or the plan's schema has read is what the description says.
      for (const store of stores) store.check?.(args as never);
    },
  };
}

/** Options of all; what several say of one of the same name is said one after the other. */
export function mergedOptions(all: readonly PluginOptions[]): PluginOptions {
  const options: Record<string, PluginOption> = {};
  for (const [name, option] of all.flatMap((each) => Object.entries(each))) {
    const { describe = option.describe } = options[name] ?? {};
    const text = describe.includes(option.describe) ? describe : `${describe}; ${option.describe}`;
    options[name] = { ...options[name], ...option, describe: text };
  }
  return options;
}

/** Options that were given and that this destination has no use for; their names with dashes. */
export function unusedOptions(args: DestinationArguments, plugins: PluginRegistry): readonly string[] {
  const { options, used } = destinationsOf(plugins);
  const own = used(args.dest);
  const given = new Map<string, unknown>(Object.entries(args));
  return Object.keys(options)
    .filter((name) => !own.has(name) && given.get(camelCase(name)) !== undefined)
    .map((name) => `--${name}`);
}
