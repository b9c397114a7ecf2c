import { BackupError, type Counterpart, type Example, type PluginRegistry, camelCase } from "@backup/core";
import { contextFor } from "./context-for.js";
import type { ActionContext } from "./action.js";
import { mergedOptions } from "./destinations.js";
import type { OpenAny } from "./open-backup.js";
import type { ActionOption } from "./types/action-type.js";
import { toOptions } from "./types/to-options.js";

type Given = object;

/** What plugins have for a command that brings a backup together with something else: the source, a place to restore to. */
export interface Counterparts<Made> {
  /** Options by which they are asked for: names, without dashes. */
  readonly by: readonly string[];
  readonly options: Readonly<Record<string, ActionOption>>;
  readonly examples: readonly Example[];
  /** @throws BackupError USAGE */
  check(args: Given): void;
  /** What is asked for. It is disposed of with what is made. @throws BackupError USAGE where the backup is of something else */
  open(args: Given, opened: OpenAny, context: ActionContext): Promise<OpenCounterpart<Made> | undefined>;
}

export interface OpenCounterpart<Made> extends AsyncDisposable {
  readonly made: Made;
}

/** @param of which of a plugin's it is */
export function counterpartsOf<Made>(
  { actions }: PluginRegistry,
  of: (plugin: PluginRegistry["actions"][number]) => Counterpart<Made> | undefined,
): Counterparts<Made> {
  const all = actions.flatMap((plugin) => of(plugin) ?? []);
  const asked = (args: Given): readonly Counterpart<Made>[] =>
    all.filter(({ by }) => valueOf(args, by.name) !== undefined);
  return {
    by: [...new Set(all.map(({ by }) => by.name))],
    options: toOptions(
      mergedOptions(
        all.map(({ by: { name, describe, choices }, options }) => ({
          [name]: { type: "string", describe, ...(choices && { choices }) },
          ...options,
        })),
      ),
    ),
    examples: all.flatMap(({ examples = [] }) => examples),
    check(args) {
      const ones = asked(args);
      // Whose it is of several, the backup says.
      if (ones.length > 1) return;
      for (const one of ones.length > 0 ? ones : all) one.check?.(args as never);
    },
    async open(args, { plugin, backup }, context) {
      const ones = asked(args);
      const [first] = ones;
      if (!first) return undefined;
      const own = of(plugin);
      if (!own || !ones.includes(own))
        throw new BackupError(
          "USAGE",
          `--${first.by.name} is for backups of ${first.of}, and this is ${backup.source}`,
        );
      own.check?.(args as never);
      const inner = contextFor(args, context);
      try {
        // What yargs has read is what the description says.
        const made = await own.open(args as never, { source: backup.source }, inner);
        return { made, [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose]() };
      } catch (error) {
        await inner[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

function valueOf(args: Given, name: string): unknown {
  return new Map<string, unknown>(Object.entries(args)).get(camelCase(name));
}
