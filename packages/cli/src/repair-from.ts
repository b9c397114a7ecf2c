import {
  type Damage,
  type EventSink,
  type Report,
  type Source,
  type Store,
  backup,
  backupToHistory,
  isDamagedFile,
  localDay,
  within,
} from "@backup/core";
import type { OpenBackup } from "./open-backup.js";

/** What a backup is repaired from, and how that is told. */
export interface RepairMeans extends Pick<OpenBackup, "history"> {
  readonly source: Source;
  readonly store: Store;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
}

/**
 * A run that takes damaged files for missing ones, and deletes nothing. Of a history it makes a new snapshot: those that
 * there are stay as they are.
 * @returns with the store that is repaired
 */
export async function repairFrom(
  { source, store, onEvent, signal, history }: RepairMeans,
  found: readonly Damage[],
): Promise<{ readonly report: Report; readonly store: Store }> {
  const damaged = new Set(found.filter(isDamagedFile).map(({ path = "" }) => path));
  const options = { source, signal, onEvent, damaged, full: true, keepDeleted: true };
  if (!history) return { report: await backup({ ...options, store }), store };
  const day = localDay(new Date());
  const report = await backupToHistory({ ...options, store: history.store, day });
  return { report, store: within(history.store, day) };
}
