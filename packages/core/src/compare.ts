import type { Copy, Item, Known, Naming, Path } from "./model.js";
import type { Move } from "./store.js";

/** An item that is to come, and the files that it makes superfluous when it is there. */
export interface Superseded<I extends Item = Item> {
  readonly item: I;
  readonly paths: readonly Path[];
}

/** How one collection at the source differs from its files at the destination. */
export interface Delta<I extends Item = Item> {
  /** The right bytes under another name. */
  readonly renames: readonly Move[];
  /** To be transferred. */
  readonly added: readonly I[];
  /** Files whose item is gone from the collection, and their bytes with it. */
  readonly vanished: readonly Known[];
  /**
   * Files that another one makes superfluous: a second copy of an item, an older revision, or, where `disturbed`, a file
   * whose item is gone while another item of the collection has the same bytes.
   */
  readonly spare: readonly Path[];
  /** Of the spare files, those of an item that is to be transferred and `replaces` them. */
  readonly superseded: readonly Superseded<I>[];
  /** Files that stay, under their new names, where the name says what the bytes are. */
  readonly stays: readonly Copy[];
  /** Digests of the files that stay; empty unless `disturbed`. */
  readonly staying: ReadonlySet<string>;
  /** Items at the source, sidecars left out. */
  readonly items: number;
  /** Items at the destination before, sidecars left out. */
  readonly held: number;
}

/**
 * Compares one collection's listings. Pure.
 *
 * A file is never renamed onto a path that is taken: then the item is transferred, and the old file is spare.
 *
 * @param disturbed the destination is not as the last complete run left it: one that was interrupted may have brought
 * bytes here under a new id, and not yet removed what they replace.
 */
export function compare<I extends Item>(
  items: readonly I[],
  known: readonly Known[],
  naming: Pick<Naming<I>, "path">,
  { disturbed }: { readonly disturbed: boolean },
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
  const superseded: Superseded<I>[] = [];
  const stays: Copy[] = [];
  const staying = new Set<string>();
  let count = 0;
  for (const item of items) {
    if (!item.sidecar) count++;
    const copies = byId.get(item.id) ?? [];
    byId.delete(item.id);
    const current = copies.filter((copy) => copy.identity.rev === item.rev);
    const wanted = (copy: Known): Path => (copy.content ? naming.path(item, copy.content) : copy.file.path);
    const chosen = current.find((copy) => wanted(copy) === copy.file.path) ?? current[0];
    const to = chosen && wanted(chosen);
    if (!chosen || to === undefined) added.push(item);
    else if (to !== chosen.file.path && taken.has(to)) {
      added.push(item);
      spare.push(chosen.file.path);
    } else {
      if (disturbed && chosen.content) staying.add(chosen.content.digest);
      if (to !== chosen.file.path) renames.push({ from: chosen.file.path, to });
      taken.add(to);
      const { content, file } = chosen;
      if (content?.size === file.size && !item.sidecar)
        stays.push({
          path: to,
          digest: content.digest,
          size: file.size,
          mtime: file.mtime,
          ...(item.twin === undefined ? {} : { twin: item.twin }),
        });
    }
    for (const copy of copies) if (copy !== chosen) spare.push(copy.file.path);
    if (item.replaces && added.at(-1) === item && copies.length > 0)
      superseded.push({ item, paths: copies.map(({ file }) => file.path) });
  }
  const vanished: Known[] = [];
  for (const gone of [...byId.values()].flat()) {
    if (gone.content && staying.has(gone.content.digest)) spare.push(gone.file.path);
    else vanished.push(gone);
  }
  return { renames, added, vanished, spare, superseded, stays, staying, items: count, held };
}
