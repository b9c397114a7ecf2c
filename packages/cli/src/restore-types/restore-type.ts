import type { PluginContext, Positional, Target } from "@backup/core";
import type { LookingArguments } from "../looking-options.js";
import type { ActionOption } from "../types/action-type.js";

/** Arguments of every type of restore. */
export interface RestoreArguments extends LookingArguments {
  readonly dryRun: boolean;
}

/** What a backup of one type is restored to. `backup restore TYPE` is made from this description. */
export interface RestoreType<Arguments extends RestoreArguments = RestoreArguments> {
  /** Of the backups that it takes, and the word after `backup restore`. */
  readonly name: string;
  readonly summary: string;
  /** In their order; the first is `dest`. */
  readonly positionals: readonly Positional[];
  /** Its own, beside those of every restore. */
  readonly options: Readonly<Record<string, ActionOption>>;
  /** Command lines, and what they do. */
  readonly examples: readonly (readonly [command: string, text: string])[];
  /** @throws BackupError USAGE */
  check(args: Arguments): void;
  /** Connects to nothing yet. @throws BackupError SECRET_MISSING, SECRET_UNREADABLE */
  open(args: Arguments, context: PluginContext): Promise<Target>;
}
