import {
  type Backup,
  BackupError,
  type Day,
  type Inventory,
  type Layout,
  type Store,
  chooseDay,
  readBackup,
  readHistory,
  within,
} from "@backup/core";
import type { ActionContext } from "./action.js";
import { openDestination } from "./destination.js";
import { type LookingArguments, dayOf } from "./looking-options.js";
import { plugins } from "./plugins.js";

/** A backup that is there, for a command that looks at it or takes from it. */
export interface OpenBackup extends AsyncDisposable {
  /** Of a history, that of one snapshot. */
  readonly store: Store;
  readonly backup: Backup;
  /** `Source.id` up to its first colon: the word after `backup` that made it. */
  readonly type: string;
  readonly layout: Layout<never>;
  readonly inventory: Inventory | undefined;
  /** Undefined: it is a mirror, without history. */
  readonly history: OpenHistory | undefined;
}

export interface OpenHistory {
  /** The destination as a whole. */
  readonly store: Store;
  /** The snapshot that is looked at. */
  readonly day: Day;
  /** All that there are, the oldest first. */
  readonly days: readonly Day[];
}

/**
 * Opens the backup that DEST names, of a history the snapshot that is asked for or the newest. Writes nothing.
 * @throws BackupError USAGE, NOT_FOUND, DESTINATION_NEWER, PLUGIN_UNKNOWN
 */
export async function openBackup(
  args: LookingArguments,
  context: Pick<ActionContext, "onEvent" | "secrets" | "env" | "signal">,
): Promise<OpenBackup> {
  const destination = await openDestination(args, context);
  try {
    const history = await openHistory(destination, args, context.signal);
    const store = history ? within(destination, history.day) : destination;
    const backup = await readBackup(store, context.signal);
    const [type = ""] = backup.source.split(":", 1);
    const plugin = await plugins.load(type);
    if (plugin.kind === "mirror")
      throw new BackupError(
        "USAGE",
        `${args.dest} is a directory tree, and its files are what they were; just open them`,
      );
    const { layout } = plugin;
    const dispose = () => destination[Symbol.asyncDispose]();
    return { store, backup, type, layout, inventory: backup.inventory, history, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await destination[Symbol.asyncDispose]();
    throw error;
  }
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
