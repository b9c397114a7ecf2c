import { CHECKPOINT_FILE, readCheckpoint } from "./checkpoint.js";
import { type Day, formatDay, parseDay, timeOfDay } from "./day.js";
import { BackupError } from "./errors.js";
import type { Path } from "./model.js";
import { PRIVATE } from "./paths.js";
import type { Store } from "./store.js";

/** A destination whose backups are snapshots, a directory each; see docs/history.md. */
export interface History extends Days {
  /** `Source.id`; undefined: the file that says so is lost. */
  readonly source: string | undefined;
}

/** All the oldest first. */
export interface Days {
  /** Days of which there is a snapshot. */
  readonly days: readonly Day[];
  /** Days of snapshots that a run has begun and not ended. */
  readonly begun: readonly Day[];
  /** Days of which a run has left a directory that holds nothing to go on from. */
  readonly stale: readonly Day[];
  /** Days of which there is a directory that is no backup: somebody else's. */
  readonly foreign: readonly Day[];
}

const BEGUN = ".in-progress";
/** Days in a message. */
const SHOWN = 3;

/** Where the snapshot of a day is made. */
export function begunAt(day: Day): Path {
  return `${day}${BEGUN}`;
}

/**
 * What history there is at a destination; undefined: none, it is a mirror or nothing at all. Writes nothing.
 * @throws BackupError DESTINATION_NEWER
 */
export async function readHistory(store: Store, signal: AbortSignal): Promise<History | undefined> {
  const checkpoint = await readCheckpoint(store, signal);
  if (checkpoint && !checkpoint.history) return undefined;
  const found = await listDays(store, signal);
  // Where what is in .backup was deleted, the snapshots say what they are themselves.
  return checkpoint || found.days.length > 0 ? { source: checkpoint?.source, ...found } : undefined;
}

/** Directories named as days: those that are backups, those that will be, and somebody else's. */
export async function listDays(store: Store, signal: AbortSignal): Promise<Days> {
  const years = await matching(store, { at: [""], name: /^\d{4}$/, signal });
  const months = await matching(store, { at: years, name: /\/\d{2}$/, signal });
  const named = await matching(store, { at: months, name: /\/\d{2}(?:\.in-progress)?$/, signal });
  const paths = named.filter((path) => parseDay(path.replace(BEGUN, "")) !== undefined);
  const complete = paths.filter((path) => !path.endsWith(BEGUN));
  const begun = paths.filter((path) => path.endsWith(BEGUN));
  const files = await store.list(
    paths.map((path) => `${path}/${PRIVATE}`),
    signal,
  );
  const there = new Set(files.map(({ path }) => path));
  const isBackup = (path: Path): boolean => there.has(`${path}/${CHECKPOINT_FILE}`);
  return {
    days: complete.filter(isBackup).toSorted(),
    // Where one is being made, it may be what an account that cannot rename has of it already.
    foreign: complete.filter((path) => !isBackup(path) && !paths.includes(begunAt(path))).toSorted(),
    begun: begun.filter(isBackup).map(dayOf).toSorted(),
    stale: begun
      .filter((path) => !isBackup(path))
      .map(dayOf)
      .toSorted(),
  };
}

function dayOf(path: Path): Day {
  return path.slice(0, -BEGUN.length);
}

async function matching(
  store: Store,
  { at, name, signal }: { readonly at: readonly Path[]; readonly name: RegExp; readonly signal: AbortSignal },
): Promise<readonly Path[]> {
  if (at.length === 0) return [];
  return (await store.subdirectories(at, signal)).filter((path) => name.test(path));
}

/**
 * The day whose snapshot is meant: the newest one, unless another is asked for.
 * @throws BackupError NOT_FOUND where there is none, with those that are near
 */
export function chooseDay({ days }: Pick<Days, "days">, wanted: Day | undefined, where: string): Day {
  const newest = days.at(-1);
  if (newest === undefined)
    throw new BackupError(
      "NOT_FOUND",
      `${where} has no snapshot yet: no run with --hist has ended there; run the backup again`,
    );
  if (wanted === undefined) return newest;
  if (days.includes(wanted)) return wanted;
  const distance = (day: Day): number => Math.abs(timeOfDay(day) - timeOfDay(wanted));
  const near = days.toSorted((a, b) => distance(a) - distance(b)).slice(0, SHOWN);
  const names = near.toSorted().map(formatDay).join(", ");
  throw new BackupError(
    "NOT_FOUND",
    `${where} has no snapshot of ${formatDay(wanted)}; those nearest to it are of ${names}`,
  );
}
