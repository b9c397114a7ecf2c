import {
  type Backup,
  BackupError,
  type Day,
  type Inventory,
  type Layout,
  type PluginRegistry,
  type AnyActionPlugin,
  type Store,
  chooseDay,
  readBackup,
  readHistory,
  within,
} from "@backup/core";
import type { ActionContext } from "./action.js";
import { openDestination } from "./destination.js";
import { type LookingArguments, dayOf } from "./looking-options.js";

/** A backup that is there, for a command that looks at it or takes from it. */
export interface OpenAny extends AsyncDisposable {
  /** Of a history, that of one snapshot. */
  readonly store: Store;
  readonly backup: Backup;
  /** `Source.id` up to its first colon: the word after `backup` that made it. */
  readonly type: string;
  readonly plugin: AnyActionPlugin;
  readonly inventory: Inventory | undefined;
  /** Undefined: it is a mirror, without history. */
  readonly history: OpenHistory | undefined;
}

/** One whose files are items, as messages are. */
export interface OpenBackup extends OpenAny {
  readonly layout: Layout<never>;
}

export interface OpenHistory {
  /** The destination as a whole. */
  readonly store: Store;
  /** The snapshot that is looked at. */
  readonly day: Day;
  /** All that there are, the oldest first. */
  readonly days: readonly Day[];
}

type OpenContext = ActionContext;

/**
 * Opens the backup that DEST names, of a history the snapshot that is asked for or the newest. Writes nothing.
 * @throws BackupError USAGE, NOT_FOUND, DESTINATION_NEWER, PLUGIN_UNKNOWN
 */
export async function openAny(args: LookingArguments, context: OpenContext): Promise<OpenAny> {
  const destination = await openDestination(args, context);
  try {
    const history = await openHistory(destination, args, context.signal);
    const store = history ? within(destination, history.day) : destination;
    const backup = await readBackup(store, context.signal);
    const [type = ""] = backup.source.split(":", 1);
    const plugin = pluginFor(type, store.name, context.plugins);
    const dispose = () => destination[Symbol.asyncDispose]();
    return { store, backup, type, plugin, inventory: backup.inventory, history, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await destination[Symbol.asyncDispose]();
    throw error;
  }
}

/** @throws BackupError PLUGIN_UNKNOWN */
function pluginFor(type: string, name: string, plugins: PluginRegistry): AnyActionPlugin {
  const found = plugins.actions.find((plugin) => plugin.name === type);
  if (found) return found;
  const message = `the backup at ${name} is one of '${type}', which a plugin makes that is not loaded; name that with --plugin`;
  throw new BackupError("PLUGIN_UNKNOWN", message);
}

/** The same of one whose files are items. @throws BackupError as openAny; USAGE where it is of something else */
export async function openBackup(args: LookingArguments, context: OpenContext): Promise<OpenBackup> {
  const opened = await openAny(args, context);
  const { plugin, store, backup } = opened;
  if (plugin.kind === "source") return { ...opened, layout: await plugin.layout() };
  await opened[Symbol.asyncDispose]();
  const message = `${store.name} holds the directory tree ${backup.source}, and this is for mail; its files are there as they were`;
  throw new BackupError("USAGE", message);
}

async function openHistory(
  store: Store,
  { snapshot }: LookingArguments,
  signal: AbortSignal,
): Promise<OpenHistory | undefined> {
  const wanted = dayOf("--snapshot", snapshot);
  const history = await readHistory(store, signal);
  if (history) return { store, day: chooseDay(history, wanted, store.name), days: history.days };
  if (wanted === undefined) return undefined;
  throw new BackupError("NOT_FOUND", `${store.name} has no snapshots; leave --snapshot out to see what is there`);
}
