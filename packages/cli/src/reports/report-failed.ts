import { BackupError, type BackupErrorOptions, isBackupError } from "@backup/core";

/** A report that did not reach whom it was for. What the actions did stays as it is, and the message says so. */
export function reportFailed(what: string, options: BackupErrorOptions = {}): BackupError {
  return new BackupError("REPORT_FAILED", `${what}; the backup itself is not affected`, options);
}

/** One that the signal ended before anything else could be said of it. */
export function givenUp(what: string, { reason }: AbortSignal, cause: unknown): BackupError {
  const why = isBackupError(reason, "ABORTED") ? "the run was stopped" : "there was no answer in time";
  return reportFailed(`${what}: ${why}`, { cause });
}
