import { BackupError } from "./errors.js";
import { checkPlugin } from "./check-plugin.js";
import type { AnyActionPlugin, NotifierPlugin, Plugin, StorePlugin } from "./plugin.js";

/** A plugin, and where it comes from. */
export interface LoadedPlugin<P extends Plugin = Plugin> {
  readonly plugin: P;
  /** The package or the file; undefined: it comes along with the program. */
  readonly origin?: string | undefined;
  /** Of the plugin or of its package. */
  readonly version?: string | undefined;
}

/** All plugins that a program has. Whoever composes the program lists them; importing a package registers nothing. */
export class PluginRegistry {
  readonly all: readonly LoadedPlugin[];

  /** @throws BackupError PLUGIN_INVALID, also for two with one name, PLUGIN_UNKNOWN for another version of the interface */
  constructor(plugins: readonly LoadedPlugin[]) {
    const seen = new Map<string, LoadedPlugin>();
    for (const loaded of plugins) {
      checkPlugin(loaded.plugin, loaded.origin);
      const { kind, name } = loaded.plugin;
      const key = `${kind === "mirror" ? "source" : kind} ${name}`;
      const before = seen.get(key);
      if (before)
        throw new BackupError(
          "PLUGIN_INVALID",
          `two plugins are called ${name}: that of ${originOf(before)} and that of ${originOf(loaded)}; leave one out`,
        );
      seen.set(key, loaded);
    }
    this.all = plugins;
  }

  /** Those by which actions are run. */
  get actions(): readonly AnyActionPlugin[] {
    return this.all.flatMap(({ plugin }) => (plugin.kind === "source" || plugin.kind === "mirror" ? [plugin] : []));
  }

  /** Those that open destinations, in the order in which they are asked whether a DEST is theirs. */
  get stores(): readonly StorePlugin[] {
    const all = [...this.all.filter(({ origin }) => origin !== undefined), ...this.all];
    return [...new Set(all.flatMap(({ plugin }) => (plugin.kind === "store" ? [plugin] : [])))];
  }

  get notifiers(): readonly NotifierPlugin[] {
    return this.all.flatMap(({ plugin }) => (plugin.kind === "notifier" ? [plugin] : []));
  }

  /** The store whose DEST this is. @throws BackupError PLUGIN_UNKNOWN */
  store(dest: string): StorePlugin {
    const found = this.stores.find((plugin) => plugin.takes(dest));
    if (found) return found;
    throw new BackupError(
      "PLUGIN_UNKNOWN",
      `there is no store for ${dest}; a plugin brings one, and is named with --plugin`,
    );
  }

  /** The type of data with this name. @throws BackupError PLUGIN_UNKNOWN */
  action(name: string): AnyActionPlugin {
    const found = this.actions.find((plugin) => plugin.name === name);
    if (found) return found;
    const names = this.actions.map((plugin) => plugin.name).join(", ");
    throw new BackupError(
      "PLUGIN_UNKNOWN",
      `there is no type '${name}'; the types are: ${names}; a plugin brings others, and is named with --plugin`,
    );
  }
}

function originOf({ origin }: LoadedPlugin): string {
  return origin ?? "backup itself";
}
