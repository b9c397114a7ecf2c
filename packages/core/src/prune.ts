import { ahead } from "./ahead.js";
import { CHECKPOINT_FILE, readCheckpoint } from "./checkpoint.js";
import type { Day } from "./day.js";
import { BackupError } from "./errors.js";
import { type History, readHistory } from "./history.js";
import { clearLeftovers, removingAt } from "./history-leftovers.js";
import { parentOf } from "./paths.js";
import { type Retention, type Verdict, retain } from "./retention.js";
import { readSnapshots } from "./snapshots.js";
import type { Store } from "./store.js";
import { within } from "./within-store.js";

/** Checkpoints that are read at a time. */
const LANES = 8;

export interface PruneOptions {
  readonly store: Store;
  /** At least one of them is above 0. */
  readonly retention: Retention;
  /** Says what would be done; writes nothing. */
  readonly dryRun?: boolean | undefined;
  readonly signal: AbortSignal;
}

/**
 * Removes the snapshots of a history that a retention does not keep. Each is taken out of the way first, by a rename: one
 * that is half removed never looks like a snapshot. What is not ours is not touched.
 * @returns what became of each snapshot, the newest first
 * @throws BackupError NOT_FOUND where there is no history, USAGE where nothing would be kept
 */
export async function prune({ store, retention, dryRun, signal: caller }: PruneOptions): Promise<readonly Verdict[]> {
  if (Object.values(retention).every((count: number) => count === 0))
    throw new BackupError("USAGE", "nothing says what to keep; give --keep-last, --keep-daily or another of them");
  const history = await historyAt(store, caller);
  if (dryRun) return judge(store, history, { retention, signal: caller });
  await using lease = await store.lease(caller);
  const signal = AbortSignal.any([caller, lease.lost]);
  await clearLeftovers(store, signal);
  const verdicts = await judge(store, await historyAt(store, signal), { retention, signal });
  for (const { day, reasons } of verdicts) {
    if (reasons.length > 0) continue;
    const aside = removingAt(day);
    await store.makeDirectories([parentOf(aside)], signal);
    await store.moveTree(day, aside, signal);
    await store.removeDirectories([parentOf(day)], signal);
    await store.removeTree(aside, signal);
  }
  return verdicts;
}

async function historyAt(store: Store, signal: AbortSignal): Promise<History> {
  const history = await readHistory(store, signal);
  if (history) return history;
  throw new BackupError("NOT_FOUND", `${store.name} has no snapshots; name a directory that runs with --hist wrote to`);
}

async function judge(
  store: Store,
  history: History,
  { retention, signal }: Pick<PruneOptions, "retention" | "signal">,
): Promise<readonly Verdict[]> {
  const snapshots = await readSnapshots(store, await ownDays(store, history, signal), signal);
  const judged = snapshots.map(({ day, report }) => ({ day, isComplete: report?.result === "done" }));
  return retain(judged, retention);
}

/**
 * Days whose snapshots runs of one source have made: neither a backup of something else nor a mirror that has the name of a
 * day.
 * @throws BackupError DESTINATION_OTHER where nothing says whose history it is
 */
async function ownDays(store: Store, { source, days }: History, signal: AbortSignal): Promise<readonly Day[]> {
  const made: { readonly day: Day; readonly source: string }[] = [];
  for await (const { item: day, result } of ahead(days, LANES, (at) => readCheckpoint(within(store, at), signal)))
    if (result?.snapshot) made.push({ day, source: result.source });
  const sources = new Set(made.map((snapshot) => snapshot.source));
  if (source === undefined && sources.size > 1)
    throw new BackupError(
      "DESTINATION_OTHER",
      `${store.name} has snapshots of ${[...sources].toSorted().join(" and ")}, and ${CHECKPOINT_FILE}, which says whose ` +
        "history it is, is missing; back up once more to it with --hist, then prune",
    );
  return made.filter((snapshot) => source === undefined || snapshot.source === source).map(({ day }) => day);
}
