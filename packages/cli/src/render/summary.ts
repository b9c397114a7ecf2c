import type { Report } from "@backup/core";
import prettyMs from "pretty-ms";
import { formatBytes, formatCount } from "./text.js";

/** The line that closes a run. */
export function formatSummary(report: Report): string {
  const { collections, unchanged, items, added, moved, renamed, removed, kept, postponed, bytes, failed, seconds } =
    report;
  const head = report.dryRun ? "dry run, nothing was written" : report.result === "partial" ? "PARTLY done" : "done";
  const parts =
    report.unit === "file"
      ? [formatCount(items, "file"), `${added} new or changed`, `${moved} moved`]
      : [
          `${formatCount(collections, "folder")} (${unchanged} unchanged) with ${formatCount(items, "message")}`,
          `${added} new`,
          `${moved} moved`,
          `${renamed} flags`,
        ];
  parts.push(`${removed} deleted`);
  if (kept > 0) parts.push(`${kept} deleted there and kept here`);
  if (failed > 0) parts.push(`${failed} FAILED`);
  if (postponed > 0) parts.push(`${postponed} deletions put off until a run without failures`);
  if (!report.dryRun) parts.push(`${formatBytes(bytes)} in ${prettyMs(seconds * 1000)}`);
  return `${head}: ${parts.join(", ")}`;
}
