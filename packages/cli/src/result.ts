import { type ActionResult, type SessionOutcome, type SessionResult, isBackupError } from "@backup/core";
import { EXIT, exitOfError } from "./exit-code.js";

export type { ActionResult, SessionResult };
export type Outcome = SessionOutcome;

/**
 * The outcome of all: the worst. An interruption hides what the rest would have been if the run itself was told to stop; an
 * action that was ended alone has failed.
 */
export function worst(actions: readonly ActionResult[], { isStopped }: { readonly isStopped: boolean }): Outcome {
  const outcomes = actions.map(({ outcome }) => (outcome === "interrupted" && !isStopped ? "failed" : outcome));
  const order: readonly Outcome[] = ["interrupted", "failed", "partial"];
  return order.find((outcome) => outcomes.includes(outcome)) ?? "ok";
}

/** Whether it wrote nothing because that was asked for, by whoever: such an action is no backup. */
export function isDryRun({ report }: ActionResult): boolean {
  return report?.dryRun === true;
}

export function exitOfOutcome(outcome: Outcome): number {
  return { ok: EXIT.done, partial: EXIT.partial, failed: EXIT.failed, interrupted: EXIT.interrupted }[outcome];
}

/** What is told of an error: its code and its text. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  return { code: isBackupError(error) ? error.code : "INTERNAL", message };
}

/** How an action that ended with this error ended. */
export function failedWith(error: unknown): Pick<ActionResult, "outcome" | "status" | "error"> {
  const status = exitOfError(error);
  return { outcome: status === EXIT.interrupted ? "interrupted" : "failed", status, error: describeError(error) };
}
