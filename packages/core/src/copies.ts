import { likeness, secondOf } from "./likeness.js";
import type { Content, Copy, Item, Path } from "./model.js";

/**
 * Finds a file that holds the bytes of an item which has just been read: a message that was moved or copied between
 * folders arrives under a new id, and becomes another name of the file that is there.
 *
 * Only files of the same size and time are remembered, which of a first copy is next to nothing.
 */
export class Copies {
  readonly #repeated = new Set<string>();
  readonly #paths = new Map<string, Path>();
  readonly #twins = new Map<string, Copy>();

  /**
   * @param items what is about to arrive
   * @param files what is there
   */
  constructor(items: readonly Item[], files: Iterable<Copy>) {
    // Sorted, because a set of the likenesses of all would be most of the memory of a first copy.
    const sorted = items
      .filter(({ sidecar }) => !sidecar)
      .toSorted((a, b) => secondOf(a.mtime) - secondOf(b.mtime) || a.size - b.size);
    for (const [index, { size, mtime }] of sorted.entries()) {
      const before = sorted[index - 1];
      if (before?.size === size && secondOf(before.mtime) === secondOf(mtime))
        this.#repeated.add(likeness(size, mtime));
    }
    let likes: ReadonlySet<string> | undefined;
    for (const file of files) {
      likes ??= new Set(sorted.map(({ size, mtime }) => likeness(size, mtime)));
      if (!likes.has(likeness(file.size, file.mtime))) continue;
      this.#paths.set(likeness(file.digest, file.mtime), file.path);
      const key = twinKey(file);
      if (key !== undefined) this.#twins.set(key, file);
    }
  }

  /** Items in two parts: those to be transferred, and those that have a twin among these or among the files. */
  split<I extends Item>(items: readonly I[]): { readonly first: readonly I[]; readonly later: readonly I[] } {
    const seen = new Set(this.#twins.keys());
    const first: I[] = [];
    const later: I[] = [];
    for (const item of items) {
      const key = twinKey(item);
      (key !== undefined && seen.has(key) ? later : first).push(item);
      if (key !== undefined) seen.add(key);
    }
    return { first, later };
  }

  /** A file of which the source says that it holds the item's bytes. */
  twinOf(item: Item): Copy | undefined {
    const key = twinKey(item);
    return key === undefined ? undefined : this.#twins.get(key);
  }

  /** A file with these bytes and this time. */
  find({ mtime, sidecar }: Item, { digest }: Content): Path | undefined {
    return sidecar ? undefined : this.#paths.get(likeness(digest, mtime));
  }

  /** Remembers a file that has just arrived. */
  add(item: Item, { digest, size }: Content, path: Path): void {
    const { mtime, sidecar } = item;
    if (sidecar || !this.#repeated.has(likeness(item.size, mtime))) return;
    this.#paths.set(likeness(digest, mtime), path);
    const key = twinKey(item);
    if (key !== undefined) this.#twins.set(key, { path, digest, size, mtime });
  }
}

/** Equal for items and files that are twins, and of one time: another name of a file cannot have another time. */
function twinKey({ twin, mtime }: Item | Copy): string | undefined {
  return twin === undefined ? undefined : likeness(twin, mtime);
}
