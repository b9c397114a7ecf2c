import { likeness } from "./likeness.js";
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

  /**
   * @param items what is about to arrive
   * @param files what is there
   */
  constructor(items: readonly Item[], files: Iterable<Copy>) {
    const likes = new Set<string>();
    for (const { size, mtime, sidecar } of items) {
      if (sidecar) continue;
      const like = likeness(size, mtime);
      if (likes.has(like)) this.#repeated.add(like);
      else likes.add(like);
    }
    for (const { path, digest, size, mtime } of files)
      if (likes.has(likeness(size, mtime))) this.#paths.set(likeness(digest, mtime), path);
  }

  /** A file with these bytes and this time. */
  find({ mtime, sidecar }: Item, { digest }: Content): Path | undefined {
    return sidecar ? undefined : this.#paths.get(likeness(digest, mtime));
  }

  /** Remembers a file that has just arrived. */
  add({ size, mtime, sidecar }: Item, { digest }: Content, path: Path): void {
    if (!sidecar && this.#repeated.has(likeness(size, mtime))) this.#paths.set(likeness(digest, mtime), path);
  }
}
