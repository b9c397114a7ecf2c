import type { BackupEvent, RestoreReport } from "@backup/core";
import prettyMs from "pretty-ms";
import { formatBytes, formatCount } from "./text.js";

/** The line that closes a restore. */
export function formatRestored(report: RestoreReport): string {
  const { result, dryRun, collections, items, restored, present, failed, left, bytes, seconds } = report;
  const head = dryRun ? "dry run, nothing was written" : result === "partial" ? "PARTLY done" : "done";
  const all = `${formatCount(collections, "folder")} with ${formatCount(items, "message")}`;
  const parts = [
    report.unit === "file" ? formatCount(items, "file") : all,
    `${restored} ${dryRun ? "to restore" : "restored"}`,
    `${present} were there`,
  ];
  if (failed > 0) parts.push(`${failed} left out (FAILED)`);
  if (left > 0) parts.push(`${left} not tried`);
  parts.push(dryRun ? formatBytes(bytes) : `${formatBytes(bytes)} in ${prettyMs(seconds * 1000)}`);
  return `${head}: ${parts.join(", ")}`;
}

/** What a restore will do. */
export function formatRestorePlan(event: BackupEvent & { readonly type: "restore-plan" }): string {
  const { collections, missing, present, bytes } = event;
  const what = missing === 0 ? "nothing to restore" : `${missing} to restore (${formatBytes(bytes)})`;
  const all = event.unit === "file" ? formatCount(event.items, "file") : formatCount(collections, "folder");
  return `${all}: ${what}, ${present} are there`;
}

export function formatRestoring(event: BackupEvent & { readonly type: "restoring" }): string {
  const { name, target, items, present, missing } = event;
  const where = target === name ? name : `${name} → ${target}`;
  return `  ${where}: ${formatCount(items, "message")}, ${missing} to restore, ${present} are there`;
}
