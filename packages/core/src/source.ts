import type { Layout } from "./layout.js";
import type { Body, Candidate, Collection, Item, Known, Path, Proof, Unavailable } from "./model.js";

/** What a source may ask of the destination while it lists a collection. */
export interface View {
  /** The files of this collection that are ours. */
  readonly known: readonly Known[];
  /**
   * The collection's fingerprint when it was last listed, if `known` is all that was listed then: whoever can tell what
   * changed since may ask for that alone. Undefined: list everything.
   */
  readonly since?: string | undefined;
  /** Whole content of a small file of this collection. */
  read(path: Path): Promise<Uint8Array>;
}

/**
 * Says which items should exist. Opened read-only: backing up changes nothing at the source.
 *
 * A method that waits takes an AbortSignal and rejects soon after it fires. Errors are BackupErrors:
 * `COLLECTION_UNAVAILABLE` costs that collection alone, anything else ends the run.
 */
export interface Source<I extends Item = Item> extends Layout<I>, AsyncDisposable {
  /**
   * Whose data this is, without a secret; recorded at the destination so that two sources never mix there. That of a
   * plugin begins with its name and a colon: by it the layout is found again.
   */
  readonly id: string;
  /** How many collections it lists at once: `list` is called so often before one has ended. Default 1. */
  readonly lanes?: number;
  /** Every collection, in any order. What is excluded by an option is left out. */
  collections(signal: AbortSignal): AsyncIterable<Collection | Unavailable>;
  /**
   * Every item of the collection, in batches. What is not listed has vanished. What the source cannot tell of an item
   * that it lists is an Unavailable beside it: the run is partial, and the next one asks again.
   */
  list(collection: Collection, view: View, signal: AbortSignal): AsyncIterable<readonly (I | Unavailable)[]>;
  /**
   * Says, in batches, which files hold the bytes of their items: what was moved or copied at the source. What is not
   * proven, and whatever is in doubt, is left out and will be read. Without it everything is.
   * @param heads first bytes of files of the destination, so many at most; of those that it cannot read, none
   */
  prove?(
    candidates: readonly Candidate<I>[],
    heads: (paths: readonly Path[], bytes: number) => Promise<ReadonlyMap<Path, Uint8Array>>,
    signal: AbortSignal,
  ): AsyncIterable<readonly Proof<I>[]>;
  /**
   * Bodies of the items, in any order. An item that vanished meanwhile yields nothing; one that cannot be had
   * yields its error and costs no other.
   */
  read(items: readonly I[], signal: AbortSignal): AsyncIterable<Body<I>>;
  /**
   * Yields as soon as it is listening, and then whenever something may have changed since it yielded last: whoever lists
   * after that misses nothing. It has connections of its own, so that the other methods work beside it. It ends by an
   * error: of the signal, or when it can listen no longer.
   */
  changes?(signal: AbortSignal): AsyncIterable<void>;
}
