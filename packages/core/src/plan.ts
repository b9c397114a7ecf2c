import type { Delta } from "./compare.js";
import type { Item, Known, Naming, Path } from "./model.js";
import type { Move } from "./store.js";

/** A vanished file that is proven to hold the bytes of an added item. */
export interface Pair<I extends Item = Item> {
  readonly from: Known;
  readonly to: I;
}

/** What a run does, in this order: renames and moves, transfers, removals. */
export interface Plan<I extends Item = Item> {
  /** In their collection: changed flags. */
  readonly renames: readonly Move[];
  /** Between collections. */
  readonly moves: readonly Move[];
  readonly puts: readonly I[];
  /** Items that are gone at the source. */
  readonly vanished: readonly Known[];
  /** Files that are superfluous once the transfers are done. */
  readonly spare: readonly Path[];
}

/**
 * One plan of all collections' differences. Pure.
 *
 * @param proven pairs of a vanished file and an added item with equal bytes: they become moves.
 * A pair whose target is taken, or whose file says nothing of its content, stays a transfer and a removal.
 */
export function plan<I extends Item>(
  deltas: readonly Delta<I>[],
  naming: Pick<Naming<I>, "path">,
  proven: readonly Pair<I>[] = [],
): Plan<I> {
  const taken = new Set<Path>();
  for (const delta of deltas) {
    for (const { to } of delta.renames) taken.add(to);
    for (const { file } of delta.vanished) taken.add(file.path);
    for (const path of delta.spare) taken.add(path);
  }
  const moves: Move[] = [];
  const movedFiles = new Set<Known>();
  const movedItems = new Set<I>();
  for (const { from, to } of proven) {
    if (movedFiles.has(from) || movedItems.has(to) || !from.content) continue;
    const target = naming.path(to, from.content);
    if (taken.has(target)) continue;
    taken.add(target);
    moves.push({ from: from.file.path, to: target });
    movedFiles.add(from);
    movedItems.add(to);
  }
  return {
    renames: deltas.flatMap((delta) => delta.renames),
    moves,
    puts: deltas.flatMap((delta) => delta.added).filter((item) => !movedItems.has(item)),
    vanished: deltas.flatMap((delta) => delta.vanished).filter((known) => !movedFiles.has(known)),
    spare: deltas.flatMap((delta) => delta.spare),
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
