import { BackupError, type BackupErrorOptions } from "@backup/core";

/** A report that did not reach whom it was for. What the actions did stays as it is, and the message says so. */
export function reportFailed(what: string, options: BackupErrorOptions = {}): BackupError {
  return new BackupError("REPORT_FAILED", `${what}; the backup itself is not affected`, options);
}
