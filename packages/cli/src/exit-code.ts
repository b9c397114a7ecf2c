import { type BackupError, type Report, isBackupError } from "@backup/core";

/** Exit statuses; documented in the README. */
export const EXIT = { done: 0, failed: 1, usage: 2, partial: 3, unreported: 4, interrupted: 130 } as const;

const USAGE: ReadonlySet<BackupError["code"]> = new Set([
  "NOTHING_SELECTED",
  "PLAN_INVALID",
  "PLUGIN_INVALID",
  "PLUGIN_MISSING",
  "PLUGIN_UNKNOWN",
  "SCRIPT_MISSING",
  "SECRET_MISSING",
  "SECRET_UNREADABLE",
  "SECRET_UNWRITABLE",
  "USAGE",
]);

export function exitOfReport({ result }: Report): number {
  return result === "partial" ? EXIT.partial : EXIT.done;
}

export function exitOfError(error: unknown): number {
  if (!isBackupError(error)) return EXIT.failed;
  if (error.code === "ABORTED") return EXIT.interrupted;
  return USAGE.has(error.code) ? EXIT.usage : EXIT.failed;
}
