import type { Item, Known, Naming, Path } from "./model.js";

/** How the backups of a source are laid out at a destination. Pure: nothing is connected to. */
export interface Layout<I extends Item = Item> {
  /** Names of the directories that every collection has at the destination for its files (`cur`, `new`, `tmp`). */
  readonly leaves: readonly string[];
  /** What a person calls an item; default: message. */
  readonly unit?: "file" | undefined;
  /** The naming for a destination; `colon` false: it cannot hold `:` in a name. */
  naming(limits: { readonly colon: boolean }): Naming<I>;
  /** What is wrong with a collection's sidecars, those that are missing too. Default: nothing ever is. */
  flawsOf?(collection: Sidecars): readonly Flaw[];
  /**
   * Of mail: what a file's name says of the message in it; undefined: it is none. `backup search`, `show` and `export` are for
   * backups that have it, and read the files as messages (RFC 5322).
   */
  mailOf?(path: Path): StoredMail | undefined;
  /** The collection that a directory found at the destination marks; undefined: none of this source's business. */
  collectionAt(directory: Path): Path | undefined;
}

/** A message, as its file's name says it. */
export interface StoredMail {
  /** Its number in its folder. */
  readonly uid: number;
  /** When it was received, milliseconds since 1970. */
  readonly received: number;
  /** Maildir flags, and letters of keywords. */
  readonly letters: string;
}

/** What a collection has beside its items. */
export interface Sidecars {
  readonly path: Path;
  /** All of its files that are ours. */
  readonly known: readonly Known[];
  /** Bytes of the sidecars that can be read. */
  readonly bytes: ReadonlyMap<Path, Uint8Array>;
}

export interface Flaw {
  /** The sidecar. */
  readonly path: Path;
  /** For a person: goes on after its name. */
  readonly text: string;
}
