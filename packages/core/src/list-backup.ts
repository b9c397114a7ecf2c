import { ahead } from "./ahead.js";
import { CHECKPOINT_FILE, readCheckpoint } from "./checkpoint.js";
import { BackupError } from "./errors.js";
import { type Holding, INVENTORY_FILE, type Inventory, readInventory } from "./inventory.js";
import type { Layout } from "./layout.js";
import type { Path } from "./model.js";
import { type Stock, isSameStock, stockOf } from "./stock.js";
import type { Store } from "./store.js";
import { collectionsAt, knownAt, stampsOf } from "./survey.js";

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
  /** The last run left something else. */
  readonly isDifferent: boolean;
}

/** Directories that are listed at once. */
const LANES = 4;

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
export async function listBackup({
  store,
  layout,
  inventory,
  signal,
}: {
  readonly store: Store;
  /** Of the source's plugin. */
  readonly layout: Layout<never>;
  readonly inventory: Inventory | undefined;
  readonly signal: AbortSignal;
}): Promise<readonly Listed[]> {
  // What a name says does not depend on how new ones are made.
  const given = { source: layout, store, naming: layout.naming({ colon: true }), signal };
  const stamps = await stampsOf(layout, store, signal);
  const holdings = new Map(inventory?.collections.map((holding) => [holding.path, holding]));
  const paths = new Set([...holdings.keys(), ...collectionsAt(layout, stamps.keys())]);
  const listed: Listed[] = [];
  for await (const { item: path, result } of ahead([...paths].toSorted(), LANES, (at) => knownAt(given, at, stamps))) {
    const now = stockOf(result);
    const holding = holdings.get(path);
    // Another program's, as far as anybody can tell.
    if (!holding && now.files === 0) continue;
    const isDifferent = holding ? !isSameStock(now, holding) : inventory !== undefined;
    listed.push({ path, name: holding?.name ?? path, holding, now, isDifferent });
  }
  return listed;
}
