import { checkOwner, readCheckpoint } from "./checkpoint.js";
import type { EventSink } from "./events.js";
import type { Collection, Item, Path, Unavailable } from "./model.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";
import { stampsOf } from "./collection-files.js";
import { type Compared, compareAll } from "./survey.js";

export interface DifferencesInput<I extends Item = Item> {
  readonly source: Source<I>;
  readonly store: Store;
  readonly signal: AbortSignal;
  /** Says what the source could not list, as `failed`. */
  readonly onEvent: EventSink;
}

/** How a collection at the source differs from its files. Ids, each sorted. */
export interface Difference {
  readonly path: Path;
  readonly name: string;
  /** At the source, and without a whole file here. */
  readonly missing: readonly string[];
  /** Here, and not at the source, or not any more; those of a second file of the same item too. */
  readonly superfluous: readonly string[];
  /** Here under another name, which is to say with other flags, and sidecars that say something else. */
  readonly other: readonly string[];
}

export interface Differences {
  /** Collections that were listed on both sides. */
  readonly collections: number;
  /** Items at the source. */
  readonly items: number;
  /** What could not be listed: nothing is known of it. */
  readonly failed: number;
  /** Of those collections that differ, by path. */
  readonly differences: readonly Difference[];
}

/**
 * Lists all of the source, and says how the destination differs from it. Writes nothing.
 * @throws BackupError DESTINATION_OTHER where it is not this source's; whatever the source throws
 */
export async function findDifferences<I extends Item>(input: DifferencesInput<I>): Promise<Differences> {
  const { source, store, signal } = input;
  const offered: (Collection | Unavailable)[] = [];
  for await (const collection of source.collections(signal)) offered.push(collection);
  const checkpoint = await readCheckpoint(store, signal);
  checkOwner(checkpoint, { source, store, isHistory: false });
  const naming = source.naming({ colon: checkpoint?.colon ?? store.can.colon });
  const stamps = await stampsOf(source, store, signal);
  const { compared, failed } = await compareAll({
    ...input,
    offered,
    naming,
    checkpoint,
    stamps,
    inventory: undefined,
    full: true,
  });
  return {
    collections: compared.length,
    items: compared.reduce((sum, { delta }) => sum + delta.items, 0),
    failed,
    differences: compared
      .map((one) => differenceOf(one, (path) => naming.identify({ path, size: 0, mtime: 0 })?.identity.id ?? path))
      .filter(({ missing, superfluous, other }) => missing.length + superfluous.length + other.length > 0)
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

function differenceOf({ path, name, delta }: Compared, idOf: (path: Path) => string): Difference {
  const { added, vanished, renames, spare } = delta;
  const items = added.filter(({ sidecar }) => !sidecar).map(({ id }) => id);
  const sidecars = added.filter(({ sidecar }) => sidecar).map(({ id }) => id);
  const gone = vanished.filter(({ identity }) => !identity.sidecar).map(({ identity }) => identity.id);
  // A file that its own item replaces is not superfluous: the item counts as missing.
  const replaced = new Set([...items, ...sidecars]);
  const second = spare.map(idOf).filter((id) => !replaced.has(id));
  const moved = renames.map(({ from }) => idOf(from));
  return {
    path,
    name,
    missing: items.toSorted(),
    superfluous: [...gone, ...second].toSorted(),
    other: [...moved, ...sidecars].toSorted(),
  };
}
