import type { Item, Known, Naming, Path } from "./model.js";
import type { Move } from "./store.js";

/** How one collection at the source differs from its files at the destination. */
export interface Delta<I extends Item = Item> {
  /** The right bytes under another name. */
  readonly renames: readonly Move[];
  /** To be transferred. */
  readonly added: readonly I[];
  /** Files whose item is gone from the collection. */
  readonly vanished: readonly Known[];
  /** Files that another one makes superfluous: a second copy of an item, or an older revision. */
  readonly spare: readonly Path[];
  /** Items at the source, sidecars left out. */
  readonly items: number;
  /** Items at the destination before, sidecars left out. */
  readonly held: number;
}

/**
 * Compares one collection's listings. Pure.
 *
 * A file is never renamed onto a path that is taken: then the item is transferred, and the old file is spare.
 */
export function compare<I extends Item>(
  items: readonly I[],
  known: readonly Known[],
  naming: Pick<Naming<I>, "path">,
): Delta<I> {
  const taken = new Set<Path>();
  const byId = new Map<string, Known[]>();
  for (const entry of known) {
    taken.add(entry.file.path);
    const same = byId.get(entry.identity.id);
    if (same) same.push(entry);
    else byId.set(entry.identity.id, [entry]);
  }
  let held = 0;
  for (const [first] of byId.values()) if (!first?.identity.sidecar) held++;

  const renames: Move[] = [];
  const added: I[] = [];
  const spare: Path[] = [];
  let count = 0;
  for (const item of items) {
    if (!item.sidecar) count++;
    const copies = byId.get(item.id) ?? [];
    byId.delete(item.id);
    const current = copies.filter((copy) => copy.identity.rev === item.rev);
    const wanted = (copy: Known): Path => (copy.content ? naming.path(item, copy.content) : copy.file.path);
    const chosen = current.find((copy) => wanted(copy) === copy.file.path) ?? current[0];
    if (!chosen) added.push(item);
    else if (wanted(chosen) !== chosen.file.path) {
      const to = wanted(chosen);
      if (taken.has(to)) {
        added.push(item);
        spare.push(chosen.file.path);
      } else {
        renames.push({ from: chosen.file.path, to });
        taken.add(to);
      }
    }
    for (const copy of copies) if (copy !== chosen) spare.push(copy.file.path);
  }
  return { renames, added, vanished: [...byId.values()].flat(), spare, items: count, held };
}
