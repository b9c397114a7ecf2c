import type { BackupError } from "./errors.js";
import type { Body, Content, Directory, Item, Outcome, Path, Stored } from "./model.js";
import type { Lease } from "./lease.js";
import type { FileTree, FileTreeOptions } from "./file-tree.js";
import type { Reach } from "./reach.js";

export interface Move {
  readonly from: Path;
  readonly to: Path;
}

/** Where the bytes of a body go. */
export interface Place {
  readonly path: Path;
  /**
   * A file that the store holds with these bytes and this time: the store may make `path` another name of it, a hard
   * link, instead of writing the bytes again. Where it cannot, it writes them.
   */
  readonly same?: Path | undefined;
}

/** What the bytes of a file were found to be: `digest` as in Content. Or why they cannot be had: `NOT_FOUND` or `ITEM_UNREADABLE`. */
export type Digested =
  | { readonly path: Path; readonly digest: string }
  | { readonly path: Path; readonly error: BackupError };

/** A whole file, or why it cannot be had: `NOT_FOUND` or `ITEM_UNREADABLE`. */
export type FileContent =
  | { readonly path: Path; readonly bytes: Uint8Array }
  | { readonly path: Path; readonly error: BackupError };

/** What a clone is made of. */
export interface Cloned {
  /** Files that could not have another name, and were copied. */
  readonly copied: number;
}

/** What a store is and can do, for a person who wonders whether to trust it. */
export interface Description {
  /** How it is reached: `this machine`, `rsync 3.5.0 and SFTP, by OpenSSH`. */
  readonly transport: string;
  /** A file is replaced at one stroke, and renamed without being sent again. */
  readonly rename: boolean;
  /** One file may have several names. */
  readonly link: boolean;
  /** Files are made durable before they count. */
  readonly fsync: boolean;
  /** Names may hold `:`. */
  readonly colon: boolean;
  /** Bytes that may still be written; undefined: it cannot tell. */
  readonly freeBytes?: number | undefined;
  /** How far its clock is ahead of this machine's, milliseconds; undefined: it cannot tell. */
  readonly clockSkewMs?: number | undefined;
}

/**
 * A place that holds files. Only stores write.
 *
 * Every method that waits takes an AbortSignal; once it fired nothing more is written and the method rejects.
 * A method that has returned has its effect on disk: power may fail. All are idempotent.
 * A path that would leave the root is refused with `UNSAFE_PATH`.
 */
export interface Store extends AsyncDisposable {
  /** What a person calls it: the destination as it was given. */
  readonly name: string;
  /**
   * Abilities that differ: whether a name may hold `:`; and, which is so by default, whether what is there can be renamed,
   * whether a file is listed with the time that it was given, and whether a directory can be cloned.
   */
  readonly can: {
    readonly colon: boolean;
    readonly rename?: boolean;
    readonly times?: boolean;
    readonly clone?: boolean;
  };

  /**
   * One writer at a time: makes the destination if it is missing, takes the lease, clears what an interrupted run left.
   * @throws BackupError LEASE_HELD, DESTINATION_UNWRITABLE
   */
  lease(signal: AbortSignal): Promise<Lease>;

  /**
   * Every directory below the root, or below `at`, whatever its depth; those named in `leaves` are listed and not
   * entered, names that begin with a dot are left out, and so is a directory with what is in it that is another
   * destination (it has a `.backup`). Where there is no such directory there are none in it.
   */
  directories(leaves: readonly string[], signal: AbortSignal, at?: Path): Promise<readonly Directory[]>;

  /**
   * Directories directly in these, other destinations too; `""` is the root. Names that begin with a dot are left out.
   * A missing one holds none. Symbolic links are not directories.
   */
  subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]>;

  /** Regular files directly in these directories; a missing one holds none. Symbolic links are not files. */
  list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]>;

  /** @throws BackupError NOT_FOUND */
  read(path: Path, signal: AbortSignal): Promise<Uint8Array>;

  /**
   * Whole files, in this order; the next ones are read while the caller works on one, and what stands ready is bounded. A
   * file that cannot be read is its own error; one of the store itself ends the call.
   * @param files as `list` gave them: their sizes say how many are read at once
   */
  contents(files: readonly Stored[], signal: AbortSignal): AsyncIterable<FileContent>;

  /** The first bytes of files, so many at most. A file that is missing, or cannot be read in part, is left out. */
  heads(paths: readonly Path[], bytes: number, signal: AbortSignal): Promise<ReadonlyMap<Path, Uint8Array>>;

  /**
   * Reads whole files, many at a time and none of them kept in memory, and says what their bytes are: once for each path,
   * in any order. A file that cannot be read costs no other.
   */
  digests(paths: readonly Path[], signal: AbortSignal): AsyncIterable<Digested>;

  /** Makes directories, 0700, with their parents. A symbolic link in the place of one is DESTINATION_UNWRITABLE. */
  makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void>;

  /** Renames, in this order. What is already moved is left; a missing `from` without a `to` is NOT_FOUND. */
  move(moves: readonly Move[], signal: AbortSignal): Promise<void>;

  /**
   * Makes each `to` another name of the file `from`, a hard link. Says of each whether it is: not where `from` is gone or
   * has too many names, nor where there are no hard links.
   */
  link(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]>;

  /**
   * Writes files, 0600: each to a temporary name, synced, then renamed to where `place` says, replacing what is there.
   * Yields, in batches, what became of each body. A body whose bytes throw is reported as its outcome and leaves no file;
   * an error of the store itself ends the call after what was complete is published.
   */
  put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncIterable<readonly Outcome<I>[]>;

  /** Replaces one small file as a whole. */
  write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void>;

  /** Removes files; a missing one is no error. */
  remove(paths: readonly Path[], signal: AbortSignal): Promise<void>;

  /**
   * Makes the directory `to` hold what `from` holds: directories of its own, 0700, and other names of the same files,
   * hard links. Where a file cannot have one it is copied, with its time. The parent of `to` is there; what an
   * interrupted call left at `to` is removed first. Symbolic links may be left out.
   * @throws BackupError NOT_FOUND
   */
  clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned>;

  /** Renames a directory; the parent of `to` is there, and `to` is not. Stamps in it stay. Already moved is left. */
  moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void>;

  /** Removes a directory with all that is in it; a missing one is no error. Symbolic links are not followed. */
  removeTree(path: Path, signal: AbortSignal): Promise<void>;

  /**
   * How programs of this machine get to its directory, for one that copies whole trees. Asked for before each program is
   * started. Undefined, as without it: they cannot.
   */
  reach?(signal: AbortSignal): Promise<Reach | undefined>;

  /**
   * The entries of its directory, or of one in it, one by one, for one that copies whole trees where no program does.
   * Undefined, as without it: they cannot be had so.
   */
  tree?(at: Path, options: FileTreeOptions, signal: AbortSignal): Promise<FileTree | undefined>;

  /** What it can do, tried out where that cannot be asked; takes the lease. Leaves nothing behind. */
  describe(signal: AbortSignal): Promise<Description>;

  /** Removes these directories and parents that this leaves empty, but the root; one that is not empty stays. */
  removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void>;
}
