import type { Path } from "./model.js";

/**
 * A path below the top of a tree as the file system has it, each byte a character: names need be no UTF-8. `/` between
 * names; "" is the top.
 */
export type RawPath = string;

/** What a directory holds under one name. A symbolic link is itself, not what it points to. */
export interface TreeEntry {
  readonly path: RawPath;
  readonly type: "file" | "dir" | "link" | "other";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of a file; 0 of all else. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Of a link, each byte a character. */
  readonly target?: string | undefined;
  /** Numbers of its user and its group. */
  readonly owner: number;
  readonly group: number;
  /** How many names it has; undefined: that does not show. */
  readonly names?: number | undefined;
  /** Of its file system; undefined: that does not show. */
  readonly device?: bigint | undefined;
  /** A file that has holes. */
  readonly isSparse?: boolean | undefined;
}

/** What is kept of an entry beside its bytes. */
export type Attributes = Pick<TreeEntry, "path" | "type" | "mode" | "mtime">;

/** What a tree can hold. */
export interface TreeFacts {
  /** Times are whole seconds, from 1970 to 2106. Otherwise microseconds. */
  readonly wholeSeconds: boolean;
  /** A symbolic link has a time that can be set. */
  readonly linkTimes: boolean;
  /** Names may be any bytes; otherwise they are UTF-8, and what is none is listed with U+FFFD in it. */
  readonly rawNames: boolean;
  /** Calls that may be under way at the same time. */
  readonly lanes: number;
}

/**
 * The entries of a directory, here or on a host, one by one: for whoever copies a tree without a program that does it.
 *
 * Every method that waits takes an AbortSignal; once it fired nothing more is written and the method rejects. All but
 * `read` are idempotent. No method follows a symbolic link in the place of an entry; that no directory above it is one, the
 * caller has seen. What is written is durable after `finish`.
 */
export interface FileTree {
  /** @throws BackupError as connecting to it */
  facts(signal: AbortSignal): Promise<TreeFacts>;

  /**
   * What is directly in a directory, in any order; undefined: there is no such directory.
   * @throws BackupError ITEM_UNREADABLE
   */
  entries(directory: RawPath, signal: AbortSignal): Promise<readonly TreeEntry[] | undefined>;

  /** Of the top, which may be a link, what it is; undefined: there is no such entry. @throws BackupError ITEM_UNREADABLE */
  entry(path: RawPath, signal: AbortSignal): Promise<TreeEntry | undefined>;

  /** The bytes of a regular file. @throws BackupError NOT_FOUND, ITEM_UNREADABLE */
  read(path: RawPath, signal: AbortSignal): AsyncIterable<Uint8Array>;

  /**
   * Makes a file, or replaces one or a link, at one stroke when all of its bytes are there. What `bytes` throws passes.
   * @param file.bytes called again where a connection was lost
   * @throws BackupError DISK_FULL, DESTINATION_UNWRITABLE
   */
  write(
    file: Pick<Attributes, "path" | "mode" | "mtime"> & { readonly bytes: () => AsyncIterable<Uint8Array> },
    signal: AbortSignal,
  ): Promise<void>;

  /** Makes a symbolic link, or replaces one or a file. @throws BackupError as `write` */
  writeLink(link: Pick<TreeEntry, "path" | "target" | "mtime">, signal: AbortSignal): Promise<void>;

  /** Makes a directory, 0700; one that is there is left. The top is made with all above it. @throws BackupError as `write` */
  makeDirectory(path: RawPath, signal: AbortSignal): Promise<void>;

  /** Sets mode and time, of a link the time, where that can be. @throws BackupError as `write` */
  setAttributes(entry: Attributes, signal: AbortSignal): Promise<void>;

  /** Makes `to`, where nothing is, another name of the file `from`. False: it cannot have one. */
  link(from: RawPath, to: RawPath, signal: AbortSignal): Promise<boolean>;

  /** Removes an entry; a missing one is no error. False: a directory that is not empty, which stays. */
  remove(entry: Pick<TreeEntry, "path" | "type">, signal: AbortSignal): Promise<boolean>;

  /** Has on disk all that was done. */
  finish(signal: AbortSignal): Promise<void>;
}

export interface FileTreeOptions {
  /** Directory of the tree for what is not whole yet. Default: beside what it becomes. */
  readonly scratch?: Path | undefined;
}
