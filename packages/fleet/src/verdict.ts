/** How a run of the command ended, as its parent saw it. */
export interface Ended {
  /** Its exit status; null: a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  /** Code of the error that ended the action, as AUTH_FAILED. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** The worker itself had it end. */
  readonly isStopped: boolean;
}

/** What becomes of a job; see docs/fleet.md. */
export type Verdict =
  | { readonly is: "done"; readonly note?: string }
  /** Something is missing, or the destination is busy: another time, and no failure. */
  | { readonly is: "later"; readonly reason: string; readonly why: "partly" | "busy" | "budget" }
  /** Trying again helps nothing. */
  | { readonly is: "failed"; readonly reason: string }
  /** Trying again may help: after a pause that grows. */
  | { readonly is: "again"; readonly reason: string }
  /** It goes back to the queue as it was. */
  | { readonly is: "back" };

/** Until somebody changes something, these end in the same way: a server is not hammered with a wrong password. */
const HOPELESS: ReadonlySet<string> = new Set([
  "AUTH_FAILED",
  "DELETION_LIMIT",
  "DESTINATION_NEWER",
  "DESTINATION_OTHER",
  "HOST_KEY_CHANGED",
  "HOST_KEY_UNKNOWN",
  "NOTHING_SELECTED",
  "PLAN_INVALID",
  "SECRET_MISSING",
  "SECRET_UNREADABLE",
  "SECRET_UNWRITABLE",
  "SNAPSHOT_NEWER",
  "SOURCE_EMPTY",
  "TLS_REQUIRED",
  "TLS_UNTRUSTED",
  "USAGE",
]);

/** Pure. */
export function verdictOf({ status, signal, code, message, isStopped }: Ended): Verdict {
  const reason = [code, message].filter(Boolean).join(": ");
  if (status === 0) return { is: "done" };
  if (status === 4) return { is: "done", note: "backed up, but not reported" };
  if (isStopped || status === 130) return { is: "back" };
  if (status === null) return { is: "again", reason: `the command was ended by ${signal ?? "a signal"}` };
  if (code === "LEASE_HELD" || code === "LEASE_LOST") return { is: "later", why: "busy", reason };
  if (status === 3 && code === "BUDGET_SPENT") return { is: "later", why: "budget", reason };
  if (status === 3) return { is: "later", why: "partly", reason: reason || "something is missing from the backup" };
  if (status === 2 || (code !== undefined && HOPELESS.has(code)))
    return { is: "failed", reason: reason || `exit status ${status}` };
  return { is: "again", reason: reason || `exit status ${status}` };
}
