import type { Positional } from "@backup/core";
import type { Options } from "yargs";
import type { Action } from "../action.js";
import type { DestinationArguments, Destinations } from "../destinations.js";
import type { HistoryArguments } from "../history-options.js";

/** An option as yargs takes it, of those kinds that a plan file can hold too. */
export interface ActionOption extends Options {
  readonly type: "string" | "number" | "boolean";
  readonly describe: string;
  /** Names a file with a secret: in a plan it may be a variable or a command instead, and is never the secret itself. */
  readonly isSecret?: boolean;
  /** See PluginOption. */
  readonly pattern?: string;
  readonly takes?: string;
}

/** Arguments of every type of action. */
export interface CommonArguments extends DestinationArguments, HistoryArguments {
  readonly name?: string | undefined;
  readonly keepDeleted: boolean;
  readonly allowDeletes: boolean;
  readonly dryRun: boolean;
}

/** A type of action. Its command and what a plan file may say of it are both made from this description. */
export interface ActionType<Arguments extends CommonArguments = CommonArguments> {
  /** The word after `backup`. */
  readonly name: string;
  readonly summary: string;
  /** In their order; one of them is `dest`. */
  readonly positionals: readonly Positional[];
  /** Its own, beside those of every action. */
  readonly options: Readonly<Record<string, ActionOption>>;
  readonly destinations: Destinations;
  /** Those that the command alone takes; in a plan each is as if it were not given. */
  readonly commandOptions?: Readonly<Record<string, ActionOption>>;
  /** The option, repeatable, that takes all words after `--`. Default: those are arguments like the others. */
  readonly rest?: string;
  /** Command lines, and what they do. */
  readonly examples: readonly (readonly [command: string, text: string])[];
  /** @throws BackupError USAGE */
  check(args: Arguments): void;
  create(args: Arguments): Action;
}
