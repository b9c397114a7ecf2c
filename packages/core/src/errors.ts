/** Every way in which a run can fail, as a word that a program can test for. */
export type ErrorCode =
  | "ABORTED"
  | "AUTH_FAILED"
  | "BUDGET_SPENT"
  | "COLLECTION_UNAVAILABLE"
  | "CONNECTION_LOST"
  | "CONNECTION_REFUSED"
  | "DELETION_LIMIT"
  | "DESTINATION_NEWER"
  | "DESTINATION_OTHER"
  | "DESTINATION_UNWRITABLE"
  | "DISK_FULL"
  | "HOOK_FAILED"
  | "HOST_KEY_CHANGED"
  | "HOST_KEY_UNKNOWN"
  | "HOST_UNKNOWN"
  | "ITEM_MISSING"
  | "ITEM_REFUSED"
  | "ITEM_UNREADABLE"
  | "LEASE_HELD"
  | "LEASE_LOST"
  | "NOT_FOUND"
  | "NOTHING_SELECTED"
  | "OVER_QUOTA"
  | "PLAN_INVALID"
  | "PLUGIN_INVALID"
  | "PLUGIN_MISSING"
  | "PLUGIN_UNKNOWN"
  | "PROGRAM_FAILED"
  | "PROGRAM_MISSING"
  | "PROTOCOL"
  | "REPORT_FAILED"
  | "SCRIPT_FAILED"
  | "SCRIPT_MISSING"
  | "SECRET_MISSING"
  | "SECRET_UNREADABLE"
  | "SECRET_UNWRITABLE"
  | "SNAPSHOT_NEWER"
  | "SOURCE_EMPTY"
  | "SPOOL_UNWRITABLE"
  | "THROTTLED"
  | "TIMEOUT"
  | "TLS_REQUIRED"
  | "TLS_UNTRUSTED"
  | "TRANSPORT_MISSING"
  | "UNSAFE_PATH"
  | "USAGE";

export interface BackupErrorOptions {
  /** May go away by itself: trying again later makes sense. Default false. */
  readonly transient?: boolean;
  readonly cause?: unknown;
}

/**
 * An error for a person: the message says what happened, where, and what to do, in one line.
 * It never holds a secret. `cause` is for DEBUG only.
 */
export class BackupError extends Error {
  override readonly name = "BackupError";
  readonly code: ErrorCode;
  readonly transient: boolean;

  constructor(code: ErrorCode, message: string, { transient = false, cause }: BackupErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.transient = transient;
  }
}

/** Also of another copy of this package: a plugin may have its own. */
export function isBackupError(error: unknown, code?: ErrorCode): error is BackupError {
  const isOne = error instanceof Error && error.name === "BackupError" && typeof systemCode(error) === "string";
  return isOne && (code === undefined || systemCode(error) === code);
}

/** The system's error code (`ENOENT`), if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** @throws BackupError ABORTED once the signal fired */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (isBackupError(signal.reason)) throw signal.reason;
  throw new BackupError("ABORTED", "interrupted; what was copied is kept, and the next run goes on from there", {
    cause: signal.reason,
  });
}
