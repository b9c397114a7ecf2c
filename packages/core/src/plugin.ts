import type { Counterpart, CounterpartWords, OpenDrill } from "./counterpart.js";
import type { BackupError } from "./errors.js";
import type { EventSink } from "./events.js";
import type { Inventory } from "./inventory.js";
import type { Layout } from "./layout.js";
import type { Listed } from "./list-backup.js";
import type { Mirror } from "./mirror.js";
import type { Item } from "./model.js";
import type { Notifier } from "./notifier.js";
import type { PluginContext } from "./plugin-context.js";
import type { LoginDescription, LoginWords } from "./plugin-login.js";
import type { Arguments, Example, PluginOptions, Positional } from "./plugin-options.js";
import type { Target } from "./restore.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";
import type { Verified } from "./verify.js";

/** The version of this interface; a plugin made for another is refused. */
export const PLUGIN_API = 1;

/** What every plugin says of itself. */
interface Described {
  /** Of the interface that it is made for: PLUGIN_API. */
  readonly api: number;
  /** In lower case, with dashes: the word after `backup`, the type of an action in a plan. One of its kind. */
  readonly name: string;
  /** One line, for lists of what there is. */
  readonly summary: string;
  /** Of the plugin itself: `1.2.0`. Default: that of the package that it comes from. */
  readonly version?: string | undefined;
  /** Beside those that every command of its kind has. Help, completion, manual page and schema of plans are made of them. */
  readonly options: PluginOptions;
}

/** A type of data: `backup NAME …` and `type: NAME` in a plan are made of what it says. */
interface ActionPlugin<Args, RestoreArgs> extends Described {
  /** In their order; one of them is `dest`. */
  readonly positionals: readonly Positional[];
  /** Options that a command line alone takes; in a plan each is as if it were not given. */
  readonly commandOptions?: PluginOptions | undefined;
  /** The option, an array, that takes all words after `--`. Default: those are words like the others. */
  readonly rest?: string | undefined;
  readonly examples?: readonly Example[] | undefined;
  /** What can be known to be wrong without looking anywhere. @throws BackupError USAGE */
  check?(args: Args): void;
  /** What an action is called that nobody has named. Default: its first word, and its destination. */
  title?(args: Args): string;
  /** The host that is read from: a plan is kind to it. Default: this machine. */
  host?(args: Args): string;
  /** What would keep it from running here, as a missing secret; connects to nothing. Default: what `create` throws. */
  problems?(args: Args, context: PluginContext): Promise<readonly BackupError[]>;
  /** How a backup is brought back: `backup restore NAME …`. Default: by hand. */
  readonly restore?: RestoreDescription<RestoreArgs> | undefined;
  /** How a person logs on, for sources that want more than a password: `backup login NAME …`. */
  readonly login?: LoginDescription | undefined;
}

/** Data that can be listed and read item by item. */
export interface SourcePlugin<Args = never, I extends Item = Item, RestoreArgs = never>
  extends ActionPlugin<Args, RestoreArgs> {
  readonly kind: "source";
  /** Of what its sources leave at a destination, whatever their options are. */
  layout(): Layout<I> | Promise<Layout<I>>;
  /** Connects to nothing yet. @throws BackupError USAGE, SECRET_MISSING */
  create(args: Args, context: PluginContext): Promise<Source<I>>;
  /** What its options say of the run as a whole. */
  run?(args: Args): RunWishes;
  /** Whether it is to go on for ever, run again by Source.changes. Default: never. */
  follows?(args: Args): boolean;
  /** What `backup verify` holds a backup against, and repairs it from: the source, opened to be listed as a whole. */
  readonly verifyAgainst?: Counterpart<Source<I>> | undefined;
  /** Where `backup drill` brings items back to. Default: a directory of this machine, and nowhere else. */
  readonly drill?: Counterpart<OpenDrill> | undefined;
}

/** What a run does otherwise than by default. */
export interface RunWishes {
  /** Compares everything, whatever has not changed; see BackupOptions.full. */
  readonly full?: boolean | undefined;
  /** Bytes that are read in a day (UTC) at most. */
  readonly bytesPerDay?: number | undefined;
}

/** Data that a program of its own brings to a destination as a whole. */
export interface MirrorPlugin<Args = never, RestoreArgs = never> extends ActionPlugin<Args, RestoreArgs> {
  readonly kind: "mirror";
  /** Connects to nothing yet. @throws BackupError USAGE, SECRET_MISSING */
  create(args: Args, context: PluginContext): Promise<Mirror>;
  /** What the last run left, in parts that a person would name. The source is not asked; writes nothing. */
  list(looked: LookedMirror): Promise<readonly Listed[]>;
  /** Reads a backup, and holds it against what is known of it. The source is not asked; writes nothing. */
  verify(options: VerifyMirrorOptions): Promise<Verified>;
}

/** A backup that is looked at without its mirror. */
export interface LookedMirror {
  readonly store: Store;
  readonly inventory: Inventory | undefined;
  readonly signal: AbortSignal;
}

export interface VerifyMirrorOptions extends LookedMirror {
  /** How much of the files' bytes is read, chosen at random: a part of 1. */
  readonly share: number;
  /** Says `damage` as it is found, and `progress`. */
  readonly onEvent: EventSink;
}

/** `backup restore NAME …` */
export interface RestoreDescription<Args = never> {
  /** One line. */
  readonly summary: string;
  /** In their order; the first is `dest`, the backup. */
  readonly positionals: readonly Positional[];
  readonly options: PluginOptions;
  readonly examples?: readonly Example[] | undefined;
  /** @throws BackupError USAGE */
  check?(args: Args): void;
  /** Connects to nothing yet. @throws BackupError SECRET_MISSING, SECRET_UNREADABLE */
  open(args: Args, context: PluginContext): Promise<Target>;
}

/** A place for backups, on a host or a service: DEST texts of a form of its own. */
export interface StorePlugin<Args = never> extends Described {
  readonly kind: "store";
  /** How its destinations are written, for help: `[user@]host:dir`. */
  readonly form: string;
  /** Whether a DEST is one of its destinations. Those of plugins that are named are asked before those that come along. */
  takes(dest: string): boolean;
  /** What can be known to be wrong of its options, wherever DEST is. @throws BackupError USAGE */
  check?(args: Args): void;
  /** What would keep it from being opened here, as a missing secret; connects to nothing. Default: nothing. */
  problems?(args: Args, context: PluginContext): Promise<readonly BackupError[]>;
  /** May begin to connect; what fails shows at the first use. @throws BackupError USAGE, SECRET_MISSING */
  open(args: Args, context: PluginContext): Promise<Store>;
}

/** Tells somebody else how runs went. Its options are variables, NAME_OPTION, and keys under `reports` in a plan. */
export interface NotifierPlugin<Args = never> extends Described {
  readonly kind: "notifier";
  /** The option that a text instead of a mapping gives in a plan: with `url`, `chat: https://…` is `chat: { url: https://… }`. */
  readonly short?: string | undefined;
  /** Whether hooks may see its variables: nothing in them is a secret. Default: they do not get them. */
  readonly isPublic?: boolean | undefined;
  /** What can be known to be wrong; the message names an option with its dashes. @throws BackupError USAGE */
  check?(args: Args): void;
  /** Connects to nothing yet. @throws BackupError USAGE, SECRET_MISSING */
  open(args: Args, context: PluginContext): Promise<Notifier>;
}

/** What every store gets besides its options. */
export interface DestinationWords {
  /** As it was given. */
  readonly dest: string;
  /** Seconds of silence after which a host counts as lost, where the command says so. */
  readonly timeout?: number | undefined;
}

/** What a plugin of one kind is to say: all of it, but the version of the interface. */
type Definition<P extends Described> = Omit<
  P,
  "api" | "positionals" | "options" | "commandOptions" | "restore" | "login" | "verifyAgainst" | "drill"
>;

/** The words and options by which an action, and its restore, are described. */
interface Words<
  W extends readonly Positional[],
  O extends PluginOptions,
  C extends PluginOptions,
  RW extends readonly Positional[],
  RO extends PluginOptions,
  LW extends readonly Positional[],
  LO extends PluginOptions,
> {
  readonly positionals: W;
  readonly options: O;
  readonly commandOptions?: C;
  readonly restore?: Omit<RestoreDescription<Arguments<RW, RO>>, "positionals" | "options"> & {
    readonly positionals: RW;
    readonly options: RO;
  };
  readonly login?: LoginWords<LW, LO>;
}

/** What sources have beside it. */
interface Counterparts<
  I extends Item,
  VB extends Positional,
  VO extends PluginOptions,
  DB extends Positional,
  DO extends PluginOptions,
> {
  readonly verifyAgainst?: CounterpartWords<Source<I>, VB, VO>;
  readonly drill?: CounterpartWords<OpenDrill, DB, DO>;
}

/**
 * Says what a plugin is; it is returned with the version of the interface. `create` and its like get arguments whose types
 * follow from the words and options: `exclude-folder`, an array of strings, is `args.excludeFolder: readonly string[]`.
 */
export function definePlugin<
  const W extends readonly Positional[],
  const O extends PluginOptions,
  I extends Item,
  const C extends PluginOptions = O,
  const RW extends readonly Positional[] = readonly [],
  const RO extends PluginOptions = O,
  const LW extends readonly Positional[] = readonly [],
  const LO extends PluginOptions = O,
  const VB extends Positional = Positional,
  const VO extends PluginOptions = O,
  const DB extends Positional = Positional,
  const DO extends PluginOptions = O,
>(
  plugin: Definition<SourcePlugin<Arguments<W, O & C>, I, Arguments<RW, RO>>> &
    Words<W, O, C, RW, RO, LW, LO> &
    Counterparts<I, VB, VO, DB, DO>,
): SourcePlugin<Arguments<W, O & C>, I, Arguments<RW, RO>>;
export function definePlugin<
  const W extends readonly Positional[],
  const O extends PluginOptions,
  const C extends PluginOptions = O,
  const RW extends readonly Positional[] = readonly [],
  const RO extends PluginOptions = O,
  const LW extends readonly Positional[] = readonly [],
  const LO extends PluginOptions = O,
>(
  plugin: Definition<MirrorPlugin<Arguments<W, O & C>, Arguments<RW, RO>>> & Words<W, O, C, RW, RO, LW, LO>,
): MirrorPlugin<Arguments<W, O & C>, Arguments<RW, RO>>;
export function definePlugin<const O extends PluginOptions>(
  plugin: Definition<StorePlugin<Arguments<readonly [], O> & DestinationWords>> & { readonly options: O },
): StorePlugin<Arguments<readonly [], O> & DestinationWords>;
export function definePlugin<const O extends PluginOptions>(
  plugin: Definition<NotifierPlugin<Arguments<readonly [], O>>> & { readonly options: O },
): NotifierPlugin<Arguments<readonly [], O>>;
export function definePlugin(plugin: object): object {
  return { api: PLUGIN_API, ...plugin };
}

/** A plugin by which an action is run, with whatever arguments. */
export type AnyActionPlugin = SourcePlugin | MirrorPlugin;

/** Whatever a plugin is. */
export type Plugin = AnyActionPlugin | StorePlugin | NotifierPlugin;
