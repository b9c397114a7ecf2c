import { type ActionResult, type SessionResult, isDryRun } from "../result.js";

/** Every metric of ours, and what it says. All are gauges of one action. */
export const METRICS = {
  backup_last_run_timestamp_seconds: "When the last run ended",
  backup_last_success_timestamp_seconds: "When the last run ended in which all was done",
  backup_last_duration_seconds: "How long the last run took",
  backup_last_status: "How the last run ended: 0 ok, 1 partly, 2 failed, 3 interrupted",
  backup_items: "Items at the source, in the last run that came to its end",
  backup_items_added: "New items that were stored in it",
  backup_items_removed: "Items that were deleted in it, since the source did so",
  backup_items_failed: "Items that are missing from the backup after it",
  backup_bytes_stored: "Bytes that were stored in it",
} as const;

export type MetricName = keyof typeof METRICS;

export interface Labels {
  readonly action: string;
  readonly type: string;
  readonly destination: string;
}

export const LABELS = ["action", "type", "destination"] as const;

/** One line of the file. */
export interface Row {
  readonly name: MetricName;
  readonly labels: Labels;
  readonly value: number;
}

const STATUS = { ok: 0, partial: 1, failed: 2, interrupted: 3 } as const;

/**
 * What a run tells. Counts only where an action came to its end, the time of success only where it was one: what an
 * earlier run said of them stays. What has no destination is a hook or a script: it would never turn good again. A dry run is no run.
 */
export function rowsOf({ actions }: SessionResult): readonly Row[] {
  return actions.filter((action) => action.destination !== "" && !isDryRun(action)).flatMap(rowsOfAction);
}

function rowsOfAction(result: ActionResult): readonly Row[] {
  const { name: action, type, destination, outcome, startedAt, seconds, report } = result;
  const labels: Labels = { action, type, destination };
  const row = (name: MetricName, value: number): Row => ({ name, labels, value });
  const ended = Math.round(Date.parse(startedAt) + seconds * 1000) / 1000;
  const rows = [
    row("backup_last_run_timestamp_seconds", ended),
    row("backup_last_duration_seconds", Math.round(seconds * 1000) / 1000),
    row("backup_last_status", STATUS[outcome]),
  ];
  if (outcome === "ok") rows.push(row("backup_last_success_timestamp_seconds", ended));
  if (report !== undefined)
    rows.push(
      row("backup_items", report.items),
      row("backup_items_added", report.added),
      row("backup_items_removed", report.removed),
      row("backup_items_failed", report.failed),
      row("backup_bytes_stored", report.bytes),
    );
  return rows;
}

/** Later rows take the place of earlier ones of the same metric and action. */
export function mergeRows(...lists: readonly (readonly Row[])[]): readonly Row[] {
  const key = ({ name, labels }: Row): string => JSON.stringify([name, ...LABELS.map((label) => labels[label])]);
  return [...new Map(lists.flat().map((row) => [key(row), row])).values()];
}
