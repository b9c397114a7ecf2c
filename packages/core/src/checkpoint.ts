import { isDeepStrictEqual } from "node:util";
import { BackupError, isBackupError } from "./errors.js";
import type { Path } from "./model.js";
import { PRIVATE } from "./paths.js";
import type { Store } from "./store.js";

/**
 * What the last run saw, at the destination. It only saves work: without it every collection is compared again.
 * Written when all that it speaks of is on disk.
 */
export interface Checkpoint {
  readonly format: 1;
  /** `Source.id`. */
  readonly source: string;
  /** Whether names hold `:`; the same for the whole destination. */
  readonly colon: boolean;
  readonly collections: Readonly<Record<Path, Seen>>;
  /** This is no backup itself: its snapshots are, in directories below. */
  readonly history?: true;
  /** This is a snapshot of a history: nothing may change it. */
  readonly snapshot?: true;
}

export interface Seen {
  /** `Collection.fingerprint` before it was listed; empty: it has to be compared again. */
  readonly fingerprint: string;
  /** Stamps of the collection's directories after the run, in their order, joined by a space. */
  readonly stamp: string;
  /** Items, sidecars left out. */
  readonly items: number;
  /** Listings in a row for which the source was told `since`; absent: none. */
  readonly deltas?: number;
}

/** A collection whose directories are ours and that the next run has to compare. */
export const OPEN: Seen = { fingerprint: "", stamp: "", items: 0 };

const FORMAT = 1;
/** Where it is: a directory that has one is a backup. */
export const CHECKPOINT_FILE: Path = `${PRIVATE}/checkpoint.json`;

/**
 * The checkpoint of the last run; undefined where there is none, or none that can be read.
 * @throws BackupError DESTINATION_NEWER
 */
export async function readCheckpoint(store: Store, signal: AbortSignal): Promise<Checkpoint | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(await store.read(CHECKPOINT_FILE, signal)).toString());
  } catch (error) {
    // A cache that a crash cut short is worth no more than a missing one.
    if (isBackupError(error, "NOT_FOUND") || error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null || !("format" in value)) return undefined;
  if (typeof value.format === "number" && value.format > FORMAT)
    throw new BackupError(
      "DESTINATION_NEWER",
      `${store.name} was written by a newer version of backup (format ${value.format}, this one knows ${FORMAT}); update backup`,
    );
  return isCheckpoint(value) ? value : undefined;
}

/** @throws BackupError DESTINATION_OTHER where a destination is not this source's, or one for the other kind of backup */
export function checkOwner(
  checkpoint: Checkpoint | undefined,
  {
    source,
    store,
    isHistory,
  }: { readonly source: { readonly id: string }; readonly store: Store; readonly isHistory: boolean },
): void {
  if (checkpoint === undefined) return;
  if (checkpoint.source !== source.id)
    throw new BackupError(
      "DESTINATION_OTHER",
      `${store.name} holds a backup of ${checkpoint.source}, not of ${source.id}; choose another directory` +
        " (or, if it is the same account under a new name, delete .backup/checkpoint.json there)",
    );
  if ((checkpoint.history ?? false) === isHistory) return;
  throw new BackupError(
    "DESTINATION_OTHER",
    isHistory
      ? `${store.name} holds a backup without history, and --hist would put snapshots among its folders; choose another directory, or leave --hist out`
      : `${store.name} holds snapshots, a directory for each day; choose another directory, or back up with --hist`,
  );
}

/** @throws BackupError DESTINATION_OTHER where a destination is a snapshot of a history, which nothing may change */
export function checkNoSnapshot(checkpoint: Checkpoint | undefined, store: Store): void {
  if (!checkpoint?.snapshot) return;
  throw new BackupError(
    "DESTINATION_OTHER",
    `${store.name} is a snapshot, and those are never changed; back up with --hist to the directory that the years are in`,
  );
}

/** Writes the checkpoint, unless the one at the destination, `previous`, already says the same. */
export async function writeCheckpoint(
  store: Store,
  checkpoint: Checkpoint,
  previous: Checkpoint | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (isDeepStrictEqual(checkpoint, previous)) return;
  await store.write(CHECKPOINT_FILE, Buffer.from(`${JSON.stringify(checkpoint, undefined, 1)}\n`), signal);
}

function isCheckpoint(value: object): value is Checkpoint {
  return (
    "format" in value &&
    value.format === FORMAT &&
    "source" in value &&
    typeof value.source === "string" &&
    "colon" in value &&
    typeof value.colon === "boolean" &&
    "collections" in value &&
    typeof value.collections === "object" &&
    value.collections !== null &&
    Object.values(value.collections).every(isSeen)
  );
}

function isSeen(value: unknown): value is Seen {
  return (
    typeof value === "object" &&
    value !== null &&
    "fingerprint" in value &&
    typeof value.fingerprint === "string" &&
    "stamp" in value &&
    typeof value.stamp === "string" &&
    "items" in value &&
    typeof value.items === "number" &&
    (!("deltas" in value) || typeof value.deltas === "number")
  );
}
