import type { EventSink, Path, Store } from "@backup/core";
import type { Beside } from "./apply-snapshot.js";
import type { Itemized } from "./itemized.js";
import type { Look } from "./look.js";
import type { RawPath } from "./raw-path.js";
import type { Totals } from "./totals.js";

/** What makes a destination equal to a tree, always by the options of that tree. */
export interface Copier extends AsyncDisposable {
  /**
   * Called once, before the first copy of a run.
   * @param token of the destination's lease, see Lease; undefined: there is none
   * @throws BackupError USAGE where the destination is found in the source, or around it
   */
  begin(token: string | undefined, signal: AbortSignal): Promise<void>;
  /** Whether the source has this entry; undefined: whether it is there itself, and can be read. */
  has(path: RawPath | undefined, signal: AbortSignal): Promise<boolean>;
  /** @throws BackupError whatever ends the run */
  copy(onEvent: EventSink, copy: Copy): Promise<Copied>;
  /**
   * For one that shares nothing with what is beside, see Copy: makes a snapshot begin as a clone of the one before it, and
   * changes no file in its place from then on.
   */
  clone?(snapshot: Beside, signal: AbortSignal): Promise<void>;
  /** Whether times there are whole seconds. */
  isCoarse(store: Store, signal: AbortSignal): Promise<boolean>;
  /** The end that attributes, and digests of what was not seen on its way, are read from: this machine's, or the destination. */
  look(store: Store, signal: AbortSignal): Promise<Look>;
  /** Has on disk what was copied. */
  finish(store: Store, signal: AbortSignal): Promise<void>;
}

/** One pass over both trees. */
export interface Copy {
  /**
   * `compare` says what is to be done and does nothing; `transfer` does it, but for what the source has no more;
   * `delete` deletes that, and does nothing else.
   */
  readonly task: "compare" | "transfer" | "delete";
  /** Undefined: it is compared with nothing. */
  readonly to: Store | undefined;
  /** Only these files, as they are now. */
  readonly files?: readonly RawPath[];
  /** Nothing but these entries has to be looked at, directories without what is in them. More may be. */
  readonly entries?: readonly RawPath[] | undefined;
  /** Entries that are equal are told too. */
  readonly isAllTold?: boolean;
  /** A directory with all in it may be removed for something of another kind that is to be in its place. */
  readonly force?: boolean;
  /** No more than so many entries are deleted. */
  readonly most?: number | undefined;
  /** Directory of the destination for what is not whole yet. */
  readonly scratch?: Path | undefined;
  /** Directories of the destination as a whole: what is equal there gets another name instead of being sent. */
  readonly beside?: readonly string[];
  /** A lost connection is the end of it: what was begun must not be gone on with. */
  readonly isOnce?: boolean;
  /** Each entry that differs. What it does waits while a promise is pending. */
  readonly onItem: (item: Itemized) => void | Promise<void>;
  /** Called before it is done again: what was told so far may be told again. */
  readonly onAgain?: () => void;
  readonly signal: AbortSignal;
}

/** How it ended: all was done, something could not be, or less was deleted than there was. */
export interface Copied {
  readonly end: "done" | "partial" | "limited";
  readonly complaints: readonly Complaint[];
  /** Of what was compared; known with `compare` alone. */
  readonly totals: Totals;
}

export interface Complaint {
  /** `in the way`: a directory in the place of something else, which `force` removes. */
  readonly kind: "missing" | "vanished" | "in the way";
  /** For a person. */
  readonly text: string;
}
