import type { Path } from "./model.js";

/** Something at a destination that is not as it should be. */
export interface Damage {
  /**
   * - `content`: the bytes of a file are not those that its name says
   * - `size`: a file is longer or shorter than its name says
   * - `unreadable`: a file cannot be read
   * - `gone`: a file vanished while the backup was verified
   * - `sidecar`: a small file, a table of keywords, is not in its form, or missing
   * - `directory`: a directory of a collection is missing
   * - `gap`: an item that the last run could not bring
   * - `changed`: the collection does not hold what the last run left
   * - `unlisted`: what the last run could not list
   * - `unreported`: nothing says what the last run left
   */
  readonly kind:
    | "content"
    | "size"
    | "unreadable"
    | "gone"
    | "sidecar"
    | "directory"
    | "gap"
    | "changed"
    | "unlisted"
    | "unreported";
  /** What a person calls the collection; absent: it is of no single one. */
  readonly collection?: string;
  /** File or directory; absent: there is none to name. */
  readonly path?: Path;
  /** Id of the item that is damaged or missing. */
  readonly item?: string;
  /** For a person: what is wrong, and where. */
  readonly message: string;
}

/** Damage to a file, which another transfer of its item heals. */
export function isDamagedFile({ kind, path }: Damage): boolean {
  return path !== undefined && ["content", "size", "unreadable", "sidecar"].includes(kind);
}
