import type { BackupError } from "./errors.js";

/**
 * The words that everything else is written in. Plain readonly data: no behaviour, no I/O.
 */

/** POSIX path below a store's root: relative, `/` between names, no empty name, no `.` or `..`. */
export type Path = string;

/** A file that a store holds. */
export interface Stored {
  readonly path: Path;
  /** Bytes. */
  readonly size: number;
  /** Modification time, milliseconds since 1970. */
  readonly mtime: number;
}

/** A directory that a store holds. */
export interface Directory {
  readonly path: Path;
  /** Changes when an entry of the directory is added, renamed or removed; compared, never interpreted. */
  readonly stamp: string;
}

/** What the bytes of a file are. */
export interface Content {
  /** 128 bits of SHA-256 over the bytes, base32 in lower case (RFC 4648), 26 characters. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * Same `id`: the same thing. Same `id` and `rev`: the same bytes.
 * An id is unique within its collection, not across collections.
 */
export interface Identity {
  readonly id: string;
  /** Empty, of an item: its source does not know before it is read; no file has such a revision. */
  readonly rev: string;
  /**
   * A small file that belongs to the collection (a table of keywords), not one of the things that a person counts.
   * Left out of counts and of the deletion limit.
   */
  readonly sidecar?: boolean;
}

/** Something that should exist in the store, as a source lists it: no bytes yet. */
export interface Item extends Identity {
  /** Path of the collection that it belongs to. */
  readonly collection: Path;
  /** Bytes, as the source announces them: an estimate, never a reason to refuse. */
  readonly size: number;
  /** Modification time that the file gets, milliseconds since 1970. */
  readonly mtime: number;
  /** Items with the same one hold the same bytes, wherever they are: the source says so. Undefined: it does not tell. */
  readonly twin?: string | undefined;
  /**
   * Once it is stored, its older revisions are removed, also in a run in which something else fails: where every revision is
   * a whole copy, and something may fail at each run, they would fill the destination.
   */
  readonly replaces?: boolean;
}

/** A stored file with the identity that its name says. */
export interface Known {
  readonly file: Stored;
  readonly identity: Identity;
  /** From the name; absent where the name says nothing of the bytes. */
  readonly content?: Content;
  /** Milliseconds since 1970, from the name; absent where the name says nothing of the time. */
  readonly mtime?: number;
}

/** A part of a source that is listed, compared and reported as one: a folder of a mail account. */
export interface Collection {
  /** Directory of the collection in the store, unique in its source. Its files are in it and in its leaves. */
  readonly path: Path;
  /** What a person calls it. */
  readonly name: string;
  /**
   * Equal fingerprints at two times: nothing changed between them. Undefined: the source cannot tell cheaply.
   */
  readonly fingerprint?: string;
}

/** Something that was asked for and cannot be listed: the run goes on without it, as a partial one. */
export interface Unavailable {
  readonly name: string;
  readonly error: BackupError;
}

export function isUnavailable(entry: object): entry is Unavailable {
  return "error" in entry;
}

/**
 * An item with its bytes. `bytes` is read once, to its end, before the next body is asked for. Where it `isApart` it is
 * enough that it was begun by then: its iterator was made. The source says how many there are at the same time.
 */
export type Body<I extends Item = Item> =
  | { readonly item: I; readonly bytes: Uint8Array | AsyncIterable<Uint8Array>; readonly isApart?: boolean }
  | { readonly item: I; readonly error: Error };

/** What became of one body: it is durably in the store under `path`, or it is not and `error` says why. */
export type Outcome<I extends Item = Item> =
  | { readonly item: I; readonly path: Path; readonly content: Content }
  | { readonly item: I; readonly error: Error };

/** Where an item goes, and what a file is: inverse to each other, pure. */
export interface Naming<I extends Item = Item> {
  /** What the file is; undefined: not ours, never touched. */
  identify(file: Stored): Omit<Known, "file"> | undefined;
  path(item: I, content: Content): Path;
}

/** A file at the destination, with the digest that its name says. */
export interface Copy {
  readonly path: Path;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** `Item.twin` of what it holds, where the source listed that in this run. */
  readonly twin?: string | undefined;
}

/** An item that is to come, and files that may hold its bytes: all of its size and time, each with other bytes. */
export interface Candidate<I extends Item = Item> {
  readonly item: I;
  readonly files: readonly Copy[];
}

/** A file that is proven to hold the bytes of an item. */
export interface Proof<I extends Item = Item> {
  readonly item: I;
  readonly file: Copy;
}
