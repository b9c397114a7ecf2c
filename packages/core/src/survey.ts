import { ahead } from "./ahead.js";
import { type Checkpoint, type Seen } from "./checkpoint.js";
import { collectionsAt, directoriesOf, LISTINGS, knownAt, stampOf } from "./collection-files.js";
import { type Delta, compare } from "./compare.js";
import { BackupError, isBackupError, throwIfAborted } from "./errors.js";
import type { EventSink } from "./events.js";
import type { Inventory } from "./inventory.js";
import {
  type Collection,
  type Item,
  type Known,
  type Naming,
  type Path,
  type Unavailable,
  isUnavailable,
} from "./model.js";
import { backupsInPlaceOf, inPlaceError, warnOfStrangers } from "./neighbours.js";
import { isSafe } from "./paths.js";
import type { Source } from "./source.js";
import { type Stock, stockOf } from "./stock.js";
import type { Store } from "./store.js";

/** A collection that was listed on both sides. */
export interface Compared<I extends Item = Item> {
  readonly path: Path;
  readonly name: string;
  /** Undefined: the source does not have it any more. */
  readonly collection: Collection | undefined;
  readonly delta: Delta<I>;
  /** Something of it could not be listed. */
  readonly incomplete: boolean;
  /** `Seen.deltas` of now. */
  readonly deltas: number;
  /** The ids of all that the source listed, as JSON: half a million texts of their own are much memory. */
  readonly listed: string;
  /** The files that were here. */
  readonly stock: Stock;
  /** The run changes something of it at the destination. */
  readonly isTouched: boolean;
}

/** What the source holds and what the destination holds, collection by collection. */
export interface Survey<I extends Item = Item> {
  readonly compared: readonly Compared<I>[];
  /** Skipped: nothing changed on either side since the checkpoint. By path. */
  readonly unchanged: ReadonlyMap<Path, Seen>;
  /** Stamps of the destination's directories when it was compared. */
  readonly stamps: ReadonlyMap<Path, string>;
  /** Directories that the destination lacks. */
  readonly missing: readonly Path[];
  /** What could not be listed: collections, and items of them. */
  readonly failed: number;
  /** Names of collections that could not be listed. */
  readonly unlisted: readonly string[];
}

export interface SurveyInput<I extends Item> {
  readonly source: Source<I>;
  /** What `Source.collections` gave. */
  readonly offered: readonly (Collection | Unavailable)[];
  readonly store: Store;
  readonly naming: Naming<I>;
  readonly checkpoint: Checkpoint | undefined;
  /** Only what it accounts for can be skipped. */
  readonly inventory: Inventory | undefined;
  /** Everything is listed, whatever the checkpoint says. */
  readonly full: boolean;
  /** Of the destination's directories, now. */
  readonly stamps: ReadonlyMap<Path, string>;
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
}

/** Longest path of a collection, bytes: with the root before and a file's name after it, Linux takes 4095. */
const LONGEST = 3000;

/** Listings of only what changed, after which all of a collection is listed once: what nobody thought of shows then. */
const MOST_DELTAS = 30;

/** Files that stay and are remembered, for what arrives with the same bytes; more would be most of the memory. */
const MOST_STAYS = 100_000;

/** Lists and compares every collection that may have changed. Writes nothing. */
export async function compareAll<I extends Item>(input: SurveyInput<I>): Promise<Survey<I>> {
  const { source, offered, checkpoint, inventory, full, stamps, signal, onEvent } = input;
  const seen = new Map(Object.entries(checkpoint?.collections ?? {}));
  const accounted = new Map(inventory?.collections.map(({ path, stamp }) => [path, stamp]));

  const wanted = new Map<Path, Collection>();
  let failed = 0;
  const unlisted: string[] = [];
  const fail = (name: string, { code, message }: BackupError, item?: string): void => {
    failed++;
    if (item === undefined) unlisted.push(name);
    onEvent({ type: "failed", collection: name, ...(item === undefined ? {} : { item }), code, message });
  };
  for (const collection of offered) {
    if (isUnavailable(collection)) {
      fail(collection.name, collection.error);
      continue;
    }
    const { path, name } = collection;
    const clash = wanted.get(path);
    const bytes = Buffer.byteLength(path);
    if (bytes > LONGEST) {
      const message = `${name.slice(0, 40)}… would need a path of ${bytes} bytes, too long for a disk, and was left out`;
      fail(name, new BackupError("UNSAFE_PATH", message));
    } else if (clash) {
      const message = `${name} has the same name as ${clash.name} at the destination and was left out`;
      fail(name, new BackupError("COLLECTION_UNAVAILABLE", message));
    } else if (!isUsable(path, source)) {
      const message = `${name} would be at ${JSON.stringify(path)}, which is no safe place, and was left out`;
      fail(name, new BackupError("UNSAFE_PATH", message));
    } else wanted.set(path, collection);
  }
  if (wanted.size === 0)
    throw new BackupError(
      "SOURCE_EMPTY",
      `${source.id} lists nothing at all; that is taken for an error, and nothing was changed`,
    );

  if (!checkpoint) warnOfStrangers(input, wanted.keys());
  for (const [path, at] of await backupsInPlaceOf(wanted.keys(), input)) {
    const collection = wanted.get(path);
    if (collection) fail(collection.name, inPlaceError(collection, input.store, at));
    wanted.delete(path);
  }

  const isDisturbed = (path: Path): boolean => {
    const before = seen.get(path);
    return before !== undefined && before.stamp !== stampOf(path, source, stamps);
  };
  const compared: Compared<I>[] = [];
  const unchanged = new Map<Path, Seen>();
  const changed: Collection[] = [];
  for (const collection of wanted.values()) {
    const { path, name } = collection;
    const before = seen.get(path);
    const isUnchanged = before?.fingerprint === collection.fingerprint && !isDisturbed(path);
    if (before && isUnchanged && !full && accounted.get(path) === before.stamp) {
      unchanged.set(path, before);
      onEvent({
        type: "collection",
        name,
        state: "unchanged",
        items: before.items,
        added: 0,
        moved: 0,
        renamed: 0,
        removed: 0,
      });
    } else changed.push(collection);
  }
  let stays = 0;
  const since = (path: Path): Seen | undefined => {
    const before = full || isDisturbed(path) ? undefined : seen.get(path);
    return before && before.fingerprint !== "" && (before.deltas ?? 0) < MOST_DELTAS ? before : undefined;
  };
  for await (const { collection, found } of compareSideBySide(input, changed, { isDisturbed, since })) {
    throwIfAborted(signal);
    const { path, name } = collection;
    if (isBackupError(found)) {
      fail(name, found);
      continue;
    }
    const { unavailable, listed, stock } = found;
    stays += found.delta.stays.length;
    const delta = stays > MOST_STAYS ? { ...found.delta, stays: [] } : found.delta;
    for (const { name: item, error } of unavailable) fail(name, error, item);
    const before = since(path);
    const deltas = before ? (before.deltas ?? 0) + 1 : 0;
    const incomplete = unavailable.length > 0;
    const isTouched = isChange(delta) || directoriesOf(path, source).some((directory) => !stamps.has(directory));
    compared.push({ path, name, collection, delta, incomplete, deltas, listed, stock, isTouched });
    announce(onEvent, name, "compared", delta);
  }

  for (const path of collectionsAt(source, stamps.keys())) {
    if (wanted.has(path)) continue;
    const known = await knownAt(input, path, stamps);
    const delta = compare<I>([], known, input.naming, { disturbed: isDisturbed(path) });
    // Directories that are ours go with the collection, those of an empty one too.
    if (delta.vanished.length === 0 && !seen.has(path)) continue;
    const gone = { collection: undefined, listed: "[]", isTouched: true };
    compared.push({ ...gone, path, name: path, delta, incomplete: false, deltas: 0, stock: stockOf(known) });
    announce(onEvent, path, "vanished", delta);
  }
  const present = compared.filter(({ collection }) => collection !== undefined);
  const missing = present.flatMap(({ path }) => directoriesOf(path, source)).filter((path) => !stamps.has(path));
  return { compared, unchanged, stamps, missing, failed, unlisted };
}

/** What listing a collection gave. */
interface Found<I extends Item> {
  readonly delta: Delta<I>;
  readonly unavailable: readonly Unavailable[];
  readonly listed: string;
  readonly stock: Stock;
}

/**
 * Compares collections, as many at once as the source can list. The destination is one further: it lists the next one
 * while the source lists these, since they wait for different networks.
 * @returns with the error of a collection that cannot be listed
 */
async function* compareSideBySide<I extends Item>(
  given: SurveyInput<I>,
  changed: readonly Collection[],
  before: {
    readonly isDisturbed: (path: Path) => boolean;
    readonly since: (path: Path) => Seen | undefined;
  },
): AsyncGenerator<{ readonly collection: Collection; readonly found: Found<I> | BackupError }> {
  const { lanes = 1 } = given.source;
  // What fails for all ends those that are under way.
  const stop = new AbortController();
  const input = { ...given, signal: AbortSignal.any([given.signal, stop.signal]) };
  const listed = ahead(changed, LISTINGS, ({ path }) => knownAt(input, path, input.stamps));
  const found = ahead(listed, lanes, async ({ item: collection, result: known }) => {
    try {
      const { path } = collection;
      const disturbed = before.isDisturbed(path);
      return await compareOne(input, { collection, known, disturbed, since: before.since(path)?.fingerprint });
    } catch (error) {
      if (isBackupError(error, "COLLECTION_UNAVAILABLE")) return error;
      stop.abort(error);
      throw error;
    }
  });
  for await (const { item, result } of found) yield { collection: item.item, found: result };
}

async function compareOne<I extends Item>(
  input: SurveyInput<I>,
  {
    collection,
    known,
    disturbed,
    since,
  }: {
    readonly collection: Collection;
    readonly known: readonly Known[];
    readonly disturbed: boolean;
    readonly since: string | undefined;
  },
): Promise<Found<I>> {
  const { source, store, naming, signal } = input;
  const items: I[] = [];
  const unavailable: Unavailable[] = [];
  const view = { known, since, read: (path: Path) => store.read(path, signal) };
  for await (const batch of source.list(collection, view, signal)) {
    throwIfAborted(signal);
    for (const entry of batch) {
      if (isUnavailable(entry)) unavailable.push(entry);
      else items.push(entry);
    }
  }
  const listed = JSON.stringify(items.map(({ id }) => id));
  return { delta: compare(items, known, naming, { disturbed }), unavailable, listed, stock: stockOf(known) };
}

/** Whether a collection may be here: not in a directory that is never listed, nor in another collection's. */
function isUsable(path: Path, { leaves }: Pick<Source, "leaves">): boolean {
  const names = path.split("/");
  return isSafe(path) && names.every((name) => !name.startsWith(".") && !leaves.includes(name));
}

function isChange({ renames, added, vanished, spare }: Delta): boolean {
  return [renames, added, vanished, spare].some((part) => part.length > 0);
}

function announce(onEvent: EventSink, name: string, state: "compared" | "vanished", delta: Delta): void {
  onEvent({
    type: "collection",
    name,
    state,
    items: delta.items,
    added: delta.added.filter(({ sidecar }) => !sidecar).length,
    moved: 0,
    renamed: delta.renames.length,
    removed: delta.vanished.filter(({ identity }) => !identity.sidecar).length,
  });
}
