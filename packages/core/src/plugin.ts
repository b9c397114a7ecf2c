import { BackupError } from "./errors.js";
import type { EventSink } from "./events.js";
import type { Inventory } from "./inventory.js";
import type { Layout } from "./layout.js";
import type { Listed } from "./list-backup.js";
import type { Mirror } from "./mirror.js";
import type { Item } from "./model.js";
import type { Secret } from "./secret.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";
import type { Verified } from "./verify.js";

/** The version of this interface; a plugin made for another is refused. */
export const PLUGIN_API = 1;

/** What a plugin gets besides its options. */
export interface PluginContext {
  readonly onEvent: EventSink;
  /** Whether somebody wants `debug` events, which may cost time. */
  readonly trace: boolean;
  /** Finds the source's secret in the designed order; see findSecret. */
  readonly secret: (query: { readonly partner: string; readonly extensions: readonly string[] }) => Promise<Secret>;
}

/** A type of data that can be backed up: the word after `backup` on the command line. */
export interface SourcePlugin<Options, I extends Item = Item> {
  readonly api: number;
  readonly kind: "source";
  readonly name: string;
  /** One line for the list of types. */
  readonly summary: string;
  /** Of what its sources leave at a destination, whatever their options are. */
  readonly layout: Layout<I>;
  /** @throws BackupError USAGE, SECRET_MISSING; connecting may wait until the source is used */
  create(options: Options, context: PluginContext): Promise<Source<I>>;
}

/** A type of data that is mirrored as a whole. */
export interface MirrorPlugin<Options> {
  readonly api: number;
  readonly kind: "mirror";
  readonly name: string;
  /** One line for the list of types. */
  readonly summary: string;
  /** @throws BackupError USAGE, SECRET_MISSING; connecting may wait until the mirror is used */
  create(options: Options, context: PluginContext): Promise<Mirror>;
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

/** Says what a plugin's type is; the plugin is returned as it is. */
export function definePlugin<Options, I extends Item>(
  plugin: Omit<SourcePlugin<Options, I>, "api" | "kind">,
): SourcePlugin<Options, I> {
  return { api: PLUGIN_API, kind: "source", ...plugin };
}

/** The same for a type that is mirrored as a whole. */
export function defineMirror<Options>(plugin: Omit<MirrorPlugin<Options>, "api" | "kind">): MirrorPlugin<Options> {
  return { api: PLUGIN_API, kind: "mirror", ...plugin };
}

/** Whatever a plugin is. */
export type Plugin = SourcePlugin<never> | MirrorPlugin<never>;

/** Loads a plugin when it is used, and not before. */
export type PluginLoader<P extends Plugin = Plugin> = () => Promise<P>;

/** Plugins by name. Whoever composes a program lists them; importing a package registers nothing. */
export class PluginRegistry<Plugins extends Readonly<Record<string, PluginLoader>>> {
  readonly #loaders: Plugins;

  constructor(loaders: Plugins) {
    this.#loaders = loaders;
  }

  get names(): readonly string[] {
    return Object.keys(this.#loaders);
  }

  /** @throws BackupError PLUGIN_UNKNOWN also for a plugin made for another version of the interface */
  async load<Name extends keyof Plugins & string>(name: Name): Promise<Awaited<ReturnType<Plugins[Name]>>>;
  async load(name: string): Promise<Plugin>;
  async load(name: string): Promise<Plugin> {
    const loader = Object.hasOwn(this.#loaders, name) ? this.#loaders[name] : undefined;
    if (!loader)
      throw new BackupError("PLUGIN_UNKNOWN", `there is no type '${name}'; the types are: ${this.names.join(", ")}`);
    const plugin = await loader();
    if (plugin.api !== PLUGIN_API)
      throw new BackupError(
        "PLUGIN_UNKNOWN",
        `plugin ${name} is made for version ${plugin.api} of the plugin interface, and this is version ${PLUGIN_API}; update the older one`,
      );
    return plugin;
  }
}
