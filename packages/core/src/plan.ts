import type { Delta, Superseded } from "./compare.js";
import type { Item, Known, Naming, Path, Proof } from "./model.js";
import type { Move } from "./store.js";

/** Another name of a file, for an item with the same bytes. */
export interface Link<I extends Item = Item> extends Move {
  readonly item: I;
  readonly digest: string;
}

/** What a run does, in this order: renames and moves, links, transfers, removals. */
export interface Plan<I extends Item = Item> {
  /** In their collection: changed flags. */
  readonly renames: readonly Move[];
  /** Between collections. */
  readonly moves: readonly Move[];
  /** Copies: made when all moves are. */
  readonly links: readonly Link<I>[];
  readonly puts: readonly I[];
  /** Items that are gone at the source. */
  readonly vanished: readonly Known[];
  /** Files that are superfluous once the transfers are done. */
  readonly spare: readonly Path[];
  /** Those of them that are of an item which is to come: they go with its arrival, whatever becomes of others. */
  readonly superseded: readonly Superseded<I>[];
}

export interface PlanOptions<I extends Item = Item> {
  /** A file that has vanished becomes the item, the first one; after that, and any other file, is linked. */
  readonly proven?: readonly Proof<I>[];
  /** Something could not be listed, so that nothing is known to have vanished: such files are linked too. */
  readonly isPartial?: boolean;
}

/** One plan of all collections' differences. Pure. An item whose path is taken stays a transfer, whatever is proven. */
export function plan<I extends Item>(
  deltas: readonly Delta<I>[],
  naming: Pick<Naming<I>, "path">,
  { proven = [], isPartial = false }: PlanOptions<I> = {},
): Plan<I> {
  const vanished = deltas.flatMap((delta) => delta.vanished);
  const taken = new Set<Path>();
  for (const delta of deltas) {
    for (const { to } of delta.renames) taken.add(to);
    for (const { path } of delta.stays) taken.add(path);
    for (const path of delta.spare) taken.add(path);
  }
  for (const { file } of vanished) taken.add(file.path);
  const movable = new Set(isPartial ? [] : vanished.map(({ file }) => file.path));
  const moved = new Map<Path, Path>();
  const links: Link<I>[] = [];
  const done = new Set<I>();
  for (const { item, file } of proven) {
    const to = naming.path(item, file);
    if (done.has(item) || taken.has(to)) continue;
    taken.add(to);
    done.add(item);
    if (movable.delete(file.path)) moved.set(file.path, to);
    else links.push({ from: moved.get(file.path) ?? file.path, to, item, digest: file.digest });
  }
  return {
    renames: deltas.flatMap((delta) => delta.renames),
    moves: Array.from(moved, ([from, to]) => ({ from, to })),
    links,
    puts: deltas.flatMap((delta) => delta.added).filter((item) => !done.has(item)),
    vanished: vanished.filter(({ file }) => !moved.has(file.path)),
    spare: deltas.flatMap((delta) => delta.spare),
    superseded: deltas.flatMap((delta) => delta.superseded),
  };
}

/** The bytes that arrived in a run: where they are, and their digest. */
export interface Arrived {
  readonly path: Path;
  readonly digest: string;
}

/** What may go once everything arrived. */
export interface Removals {
  /** Gone at the source, and its bytes are nowhere among what arrived: a real deletion. */
  readonly deleted: readonly Known[];
  /** Gone under this identity, but the same bytes arrived under another: nothing is lost. */
  readonly replaced: readonly Known[];
  readonly spare: readonly Path[];
}

/**
 * Sorts what the plan wants removed by what has arrived. Pure. A path that was just written is never among it,
 * and each arrived file makes up for one vanished file.
 */
export function removals({ vanished, spare }: Pick<Plan, "vanished" | "spare">, arrived: Iterable<Arrived>): Removals {
  const written = new Set<Path>();
  const copies = new Map<string, number>();
  for (const { path, digest } of arrived) {
    written.add(path);
    copies.set(digest, (copies.get(digest) ?? 0) + 1);
  }
  const deleted: Known[] = [];
  const replaced: Known[] = [];
  for (const known of vanished) {
    if (written.has(known.file.path)) continue;
    const left = known.content ? (copies.get(known.content.digest) ?? 0) : 0;
    if (known.content && left > 0) {
      copies.set(known.content.digest, left - 1);
      replaced.push(known);
    } else deleted.push(known);
  }
  return { deleted, replaced, spare: spare.filter((path) => !written.has(path)) };
}

/** Of what a plan has superseded, what may go although something failed: files of items that have arrived. Pure. */
export function outdated<I extends Item>(
  { superseded }: Pick<Plan<I>, "superseded">,
  { arrived, missing }: { readonly arrived: Iterable<Arrived>; readonly missing: Iterable<Item> },
): readonly Path[] {
  if (superseded.length === 0) return [];
  const keyOf = ({ collection, id }: Item): string => `${collection}/${id}`;
  const left = new Set(Array.from(missing, keyOf));
  const written = new Set(Array.from(arrived, ({ path }) => path));
  return superseded
    .filter(({ item }) => !left.has(keyOf(item)))
    .flatMap(({ paths }) => paths)
    .filter((path) => !written.has(path));
}
