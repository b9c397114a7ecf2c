import type { Report } from "./report.js";

/** `partial`: something is missing from the backup. `failed` is what is shown as KO. */
export type SessionOutcome = "ok" | "partial" | "failed" | "interrupted";

/** How an action ended: plain data, and no secret in it. */
export interface ActionResult {
  readonly name: string;
  readonly type: string;
  readonly destination: string;
  readonly outcome: SessionOutcome;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  /** Its exit status as a command of its own. */
  readonly status: number;
  readonly report?: Report | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** How a run of any number of actions ended. */
export interface SessionResult {
  readonly actions: readonly ActionResult[];
  readonly outcome: SessionOutcome;
  /** It was asked for, or every single action was one. */
  readonly dryRun: boolean;
  readonly startedAt: string;
  readonly seconds: number;
}

/** Tells somebody else of a run: by mail, by a request, in a file. */
export interface Notifier {
  /** For messages: `mail to you@example.org`. Never with a secret in it. */
  readonly name: string;
  /** Before the first action. @throws BackupError REPORT_FAILED; a transient one is tried again */
  started?(signal: AbortSignal): Promise<void>;
  /** After the last one. @throws BackupError REPORT_FAILED; after a transient one it is called again, with the same result */
  ended(result: SessionResult, signal: AbortSignal): Promise<void>;
}
