import { CHECKPOINT_FILE, readCheckpoint } from "./checkpoint.js";
import { type Day, formatDay, parseDay, timeOfDay } from "./day.js";
import { BackupError } from "./errors.js";
import type { Path } from "./model.js";
import { PRIVATE } from "./paths.js";
import type { Store } from "./store.js";

/** A destination whose backups are snapshots, a directory each; see docs/history.md. */
export interface History {
  /** `Source.id`; undefined: the file that says so is lost. */
  readonly source: string | undefined;
  /** Days of which there is a snapshot, the oldest first. */
  readonly days: readonly Day[];
  /** Days of snapshots that a run has begun and not ended, the oldest first. */
  readonly begun: readonly Day[];
}

const BEGUN = ".in-progress";
/** Days in a message. */
const SHOWN = 3;

/**
 * What history there is at a destination; undefined: none, it is a mirror or nothing at all. Writes nothing.
 * @throws BackupError DESTINATION_NEWER
 */
export async function readHistory(store: Store, signal: AbortSignal): Promise<History | undefined> {
  const checkpoint = await readCheckpoint(store, signal);
  if (checkpoint && !checkpoint.history) return undefined;
  const { days, begun } = await listDays(store, signal);
  // Where what is in .backup was deleted, the snapshots say what they are themselves.
  return checkpoint || days.length > 0 ? { source: checkpoint?.source, days, begun } : undefined;
}

/** Directories named as days that are backups; what else is there is somebody else's. */
async function listDays(store: Store, signal: AbortSignal): Promise<Pick<History, "days" | "begun">> {
  const years = await matching(store, { at: [""], name: /^\d{4}$/, signal });
  const months = await matching(store, { at: years, name: /\/\d{2}$/, signal });
  const named = await matching(store, { at: months, name: /\/\d{2}(?:\.in-progress)?$/, signal });
  const paths = named.filter((path) => parseDay(path.replace(BEGUN, "")) !== undefined);
  const complete = paths.filter((path) => !path.endsWith(BEGUN));
  const files = await store.list(
    complete.map((path) => `${path}/${PRIVATE}`),
    signal,
  );
  const there = new Set(files.map(({ path }) => path));
  return {
    days: complete.filter((path) => there.has(`${path}/${CHECKPOINT_FILE}`)).toSorted(),
    begun: paths.flatMap((path) => (path.endsWith(BEGUN) ? [path.slice(0, -BEGUN.length)] : [])).toSorted(),
  };
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
export function chooseDay({ days }: History, wanted: Day | undefined, where: string): Day {
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
