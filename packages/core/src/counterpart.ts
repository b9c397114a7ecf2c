import type { DrillPlace } from "./drill.js";
import type { PluginContext } from "./plugin-context.js";
import type { Arguments, Example, PluginOptions, Positional } from "./plugin-options.js";

/**
 * What a command brings a backup together with: the source that it is held against, a place that it is brought back to.
 * It is asked for by an option of its own, `by`, whose value is a text: `backup verify DEST --server HOST`.
 */
export interface Counterpart<Made, Checked = never, Asked = never> {
  readonly by: Positional;
  /** What else is said of it. An option that several plugins have is one, and is to be the same. */
  readonly options: PluginOptions;
  /** What its backups are of, for whoever asks for it with another one: `mail accounts`. */
  readonly of: string;
  readonly examples?: readonly Example[] | undefined;
  /** What can be known to be wrong without looking anywhere, also where it is not asked for. @throws BackupError USAGE */
  check?(args: Checked): void;
  /** Connects to nothing yet. @throws BackupError USAGE, SECRET_MISSING */
  open(args: Asked, backup: CounterpartOf, context: PluginContext): Promise<Made>;
}

/** The backup that it is for. */
export interface CounterpartOf {
  /** `Source.id` of what made it. */
  readonly source: string;
}

/** Where a drill restores to, and how that is told. */
export interface OpenDrill {
  readonly place: DrillPlace;
  /** `alice at mail.example.org` */
  readonly name: string;
  /** Goes on after `came back byte for byte, `: `with flags and dates, from a folder of alice at mail.example.org`. */
  readonly told: string;
  /** How long it may take to be removed once a run is told to stop, milliseconds. Default: two seconds. */
  readonly removalMs?: number | undefined;
}

/** The same as `definePlugin` takes it: its types follow from what it says. */
export type CounterpartWords<Made, By extends Positional, O extends PluginOptions> = Omit<
  Counterpart<Made, Arguments<readonly [By & { readonly isOptional: true }], O>, Arguments<readonly [By], O>>,
  "by" | "options"
> & { readonly by: By; readonly options: O };
