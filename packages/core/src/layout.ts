import type { Item, Naming, Path } from "./model.js";

/** How the backups of a source are laid out at a destination. Pure: nothing is connected to. */
export interface Layout<I extends Item = Item> {
  /** Names of the directories that every collection has at the destination for its files (`cur`, `new`, `tmp`). */
  readonly leaves: readonly string[];
  /** The naming for a destination; `colon` false: it cannot hold `:` in a name. */
  naming(limits: { readonly colon: boolean }): Naming<I>;
  /** What is wrong with the bytes of a sidecar, in words that go on after its name; undefined: nothing. Default: nothing ever is. */
  flawOf?(sidecar: Path, bytes: Uint8Array): string | undefined;
  /** The collection that a directory found at the destination marks; undefined: none of this source's business. */
  collectionAt(directory: Path): Path | undefined;
}
