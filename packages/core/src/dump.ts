import type { Collection, Item, Path, Unavailable } from "./model.js";

/** A file that a program produces as a whole: of its bytes nothing is known before they are all there. */
export interface Dump {
  /** What a person calls it: the beginning of the file's name. */
  readonly name: string;
  /** The end of the file's name, `.sql.gz`: none, or some of a dot, small letters and digits. */
  readonly extension: string;
  /** Bytes, as far as that can be guessed. */
  readonly size?: number | undefined;
  /** When it was last changed, milliseconds since 1970: the time of the file. Default: when it is begun. */
  readonly mtime?: number | undefined;
  /**
   * The bytes. Equal data gives equal bytes, or else the file is replaced by each run. It throws unless they are whole: what
   * it gave until then is thrown away. It may be called several times, once after the other, and not taken to its end.
   * @throws BackupError which costs this dump alone
   */
  produce(work: DumpWork): AsyncIterable<Uint8Array>;
}

export interface DumpWork {
  /** An empty private directory, 0700, for a program that writes files; removed when the bytes have been taken. */
  directory(): Promise<string>;
  readonly signal: AbortSignal;
}

/** A directory of dumps at the destination. With a fingerprint it is produced only when that is another one. */
export interface DumpCollection extends Collection {
  /**
   * All of its dumps, each name and extension once; one is begun when the one before it was dealt with.
   * @throws BackupError COLLECTION_UNAVAILABLE costs this collection alone
   */
  dumps(signal: AbortSignal): AsyncIterable<Dump | Unavailable> | Iterable<Dump | Unavailable>;
}

/** A dump as an item: its revision is its digest, or UNREAD. */
export interface DumpItem extends Item {
  readonly name: string;
  readonly extension: string;
}

/** What a file is of which the destination has none: only its bytes would tell. */
export const UNREAD = "";

/** Unique in its collection. */
export function dumpId({ name, extension }: Pick<Dump, "name" | "extension">): string {
  return `${name}${extension}`;
}

export function dumpKey(collection: Path, id: string): string {
  return `${collection}/${id}`;
}
