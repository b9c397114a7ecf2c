import { type Backup, type Inventory, type Layout, type Store, readBackup } from "@backup/core";
import type { ActionContext } from "./action.js";
import type { DestinationArguments } from "./destination-options.js";
import { openDestination } from "./destination.js";
import { plugins } from "./plugins.js";

/** A backup that is there, for a command that looks at it or takes from it. */
export interface OpenBackup extends AsyncDisposable {
  readonly store: Store;
  readonly backup: Backup;
  /** `Source.id` up to its first colon: the word after `backup` that made it. */
  readonly type: string;
  readonly layout: Layout<never>;
  readonly inventory: Inventory | undefined;
}

/**
 * Opens the backup that DEST names. Writes nothing.
 * @throws BackupError USAGE, NOT_FOUND, DESTINATION_NEWER, PLUGIN_UNKNOWN
 */
export async function openBackup(
  args: DestinationArguments,
  context: Pick<ActionContext, "onEvent" | "secrets" | "env" | "signal">,
): Promise<OpenBackup> {
  const store = await openDestination(args, context);
  try {
    const backup = await readBackup(store, context.signal);
    const [type = ""] = backup.source.split(":", 1);
    const { layout } = await plugins.load(type);
    const dispose = () => store[Symbol.asyncDispose]();
    return { store, backup, type, layout, inventory: backup.inventory, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
