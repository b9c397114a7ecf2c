import { ahead } from "./ahead.js";
import type { Day } from "./day.js";
import { readInventory } from "./inventory.js";
import type { Store } from "./store.js";
import { within } from "./within-store.js";

/** A snapshot as its report has it. */
export interface Snapshot {
  readonly day: Day;
  /** Undefined: it has no report that can be read. */
  readonly report: SnapshotReport | undefined;
}

export interface SnapshotReport {
  /** `Source.id` */
  readonly source: string;
  /** ISO 8601. */
  readonly finished: string;
  readonly result: "done" | "partial";
  readonly collections: number;
  readonly files: number;
  /** Of the files, those included that it shares with other snapshots. */
  readonly bytes: number;
}

/** Reports that are read at a time. */
const LANES = 8;

/** What the reports of these days' snapshots say, in their order. Writes nothing. */
export async function readSnapshots(
  store: Store,
  days: readonly Day[],
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const snapshots: Snapshot[] = [];
  const read = async (day: Day): Promise<SnapshotReport | undefined> => {
    const inventory = await readInventory(within(store, day), signal);
    if (!inventory) return undefined;
    const { source, finished, result, collections } = inventory;
    return {
      source,
      finished,
      result,
      collections: collections.length,
      files: collections.reduce((sum, { files }) => sum + files, 0),
      bytes: collections.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  };
  for await (const { item: day, result: report } of ahead(days, LANES, read)) snapshots.push({ day, report });
  return snapshots;
}
