import { ahead } from "./ahead.js";
import type { Holding, Inventory } from "./inventory.js";
import type { Layout } from "./layout.js";
import type { Known, Path } from "./model.js";
import type { Store } from "./store.js";
import { collectionsAt, directoriesOf, filesAt, stampsOf } from "./collection-files.js";

/** A backup that is looked at without its source. */
export interface Looked {
  readonly store: Store;
  /** Of the source's plugin. */
  readonly layout: Layout<never>;
  readonly inventory: Inventory | undefined;
  readonly signal: AbortSignal;
  /** Which collections to look at, by their names and paths. Default: all. */
  readonly wanted?: (collection: Pick<CollectionFiles, "path" | "name">) => boolean;
}

/** One collection as it is at the destination. */
export interface CollectionFiles {
  readonly path: Path;
  /** What a person calls it. */
  readonly name: string;
  /** What the last run left; undefined: it knew nothing of this collection. */
  readonly holding: Holding | undefined;
  /** Its files that are ours, sidecars too. */
  readonly known: readonly Known[];
  /** What else is in its directories. */
  readonly others: readonly Path[];
  /** Its directories that are not there. */
  readonly missing: readonly Path[];
}

/** Directories that are listed at once. */
const LANES = 4;

/** Every collection of a backup with its files, by path. Writes nothing. */
export async function* backupFiles(looked: Looked): AsyncGenerator<CollectionFiles> {
  const { store, layout, inventory, signal, wanted = () => true } = looked;
  // What a name says does not depend on how new ones are made.
  const given = { source: layout, store, naming: layout.naming({ colon: true }), signal };
  const stamps = await stampsOf(layout, store, signal);
  const holdings = new Map(inventory?.collections.map((holding) => [holding.path, holding]));
  const nameOf = (path: Path): string => holdings.get(path)?.name ?? path;
  const all = new Set([...holdings.keys(), ...collectionsAt(layout, stamps.keys())]);
  const paths = [...all].filter((path) => wanted({ path, name: nameOf(path) })).toSorted();
  for await (const { item: path, result } of ahead(paths, LANES, (at) => filesAt(given, at, stamps))) {
    const holding = holdings.get(path);
    // Another program's, as far as anybody can tell.
    if (!holding && !result.known.some(({ identity }) => !identity.sidecar)) continue;
    const missing = directoriesOf(path, layout).filter((directory) => !stamps.has(directory));
    yield { path, name: nameOf(path), holding, ...result, missing };
  }
}
