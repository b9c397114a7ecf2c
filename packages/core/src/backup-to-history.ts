import type { Day } from "./day.js";
import { makeSnapshot } from "./make-snapshot.js";
import type { Item } from "./model.js";
import type { Report } from "./report.js";
import { type BackupOptions, backup } from "./run.js";

export interface HistoryOptions<I extends Item = Item> extends BackupOptions<I> {
  /** Whose snapshot this run makes. */
  readonly day: Day;
  /** What an earlier run of this day stored stays in its snapshot, though it was deleted at the source since. */
  readonly keepDay?: boolean | undefined;
}

/**
 * Makes a snapshot of the source: the newest one is cloned, by hard links, the clone made equal to the source as
 * `backup` does that, and given the name of the day. A snapshot that has its name is never changed. One of the same day
 * is replaced as a whole; what an interrupted run has begun, of whatever day, is gone on with.
 *
 * A partial run makes a snapshot too, whose report says so: an account of which one message cannot be had would have
 * none otherwise.
 * @throws BackupError SNAPSHOT_NEWER, DESTINATION_OTHER, and as `backup`
 */
export function backupToHistory<I extends Item>(options: HistoryOptions<I>): Promise<Report> {
  return makeSnapshot({
    ...options,
    clones: options.source,
    run: (snapshot) =>
      backup({
        ...options,
        isSnapshot: true,
        store: snapshot.store,
        onEvent: snapshot.onEvent,
        get keepDeleted(): boolean | undefined {
          return snapshot.keepDeleted;
        },
      }),
  });
}
