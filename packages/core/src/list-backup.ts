import { type Looked, backupFiles } from "./backup-files.js";
import { CHECKPOINT_FILE, readCheckpoint } from "./checkpoint.js";
import { BackupError } from "./errors.js";
import { type Holding, INVENTORY_FILE, type Inventory, readInventory } from "./inventory.js";
import type { Known, Path } from "./model.js";
import { type Stock, isSameStock, stockOf } from "./stock.js";
import type { Store } from "./store.js";

/** What a destination says of itself. */
export interface Backup {
  /** `Source.id`. */
  readonly source: string;
  /** Undefined: no run has ended there yet, or what it left cannot be read. */
  readonly inventory: Inventory | undefined;
}

/** One collection of a backup. */
export interface Listed {
  readonly path: Path;
  readonly name: string;
  /** What the last run left; undefined: it knew nothing of this collection. */
  readonly holding: Holding | undefined;
  /** What is here now. */
  readonly now: Stock;
  /** Time of the newest item here, milliseconds since 1970; undefined: there is none. */
  readonly newest: number | undefined;
  /** The last run left something else. */
  readonly isDifferent: boolean;
}

/**
 * Whose backup is at a destination, and what its last run left. Writes nothing.
 * @throws BackupError NOT_FOUND, DESTINATION_NEWER
 */
export async function readBackup(store: Store, signal: AbortSignal): Promise<Backup> {
  const checkpoint = await readCheckpoint(store, signal);
  const inventory = await readInventory(store, signal);
  const source = checkpoint?.source ?? inventory?.source;
  if (source === undefined)
    throw new BackupError(
      "NOT_FOUND",
      `there is no backup at ${store.name}: neither ${CHECKPOINT_FILE} nor ${INVENTORY_FILE} can be read there; ` +
        "name a directory that a run has written to",
    );
  return { source, inventory: inventory?.source === source ? inventory : undefined };
}

/** Every collection of a backup, by path, beside what the last run left. The source is not asked; writes nothing. */
export async function listBackup(looked: Looked): Promise<readonly Listed[]> {
  const listed: Listed[] = [];
  for await (const { path, name, holding, known } of backupFiles(looked)) {
    const now = stockOf(known);
    const isDifferent = holding ? !isSameStock(now, holding) : looked.inventory !== undefined;
    listed.push({ path, name, holding, now, newest: newestOf(known), isDifferent });
  }
  return listed;
}

function newestOf(known: readonly Known[]): number | undefined {
  return known
    .filter(({ identity }) => !identity.sidecar)
    .reduce<number | undefined>((newest, { file }) => Math.max(newest ?? file.mtime, file.mtime), undefined);
}
