import { type Snapshot, formatDay } from "@backup/core";
import { align, formatTime } from "./table.js";
import { formatBytes } from "./text.js";

const NUMBER = new Intl.NumberFormat("en");

/** A row for each snapshot, the oldest first. */
export function formatSnapshots(snapshots: readonly Snapshot[]): readonly string[] {
  const rows = snapshots.map(({ day, report }) =>
    report
      ? [
          formatDay(day),
          NUMBER.format(report.collections),
          NUMBER.format(report.files),
          formatBytes(report.bytes),
          report.result === "done" ? "all" : "PARTLY",
          formatTime(report.finished),
        ]
      : [formatDay(day), "?", "?", "?", "?", "no report that can be read"],
  );
  return align([["snapshot", "folders", "files", "size", "done", "at"], ...rows]);
}

export function snapshotJson({ day, report }: Snapshot): object {
  if (!report) return { day: formatDay(day), report: null };
  const { finished, result, collections, files, bytes } = report;
  return { day: formatDay(day), report: { finished, result, collections, files, bytes } };
}
