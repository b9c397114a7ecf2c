import type { Report } from "@backup/core";
import type { ActionResult, Outcome, SessionResult } from "../../packages/cli/src/result.js";

const REPORT: Report = {
  result: "done",
  dryRun: false,
  collections: 7,
  unchanged: 3,
  items: 60,
  added: 5,
  moved: 0,
  renamed: 1,
  removed: 2,
  kept: 0,
  postponed: 0,
  bytes: 123_456,
  failed: 0,
  seconds: 1.5,
};

const STATUS: Readonly<Record<Outcome, number>> = { ok: 0, failed: 1, partial: 3, interrupted: 130 };

/** How an action may have ended. */
export function actionResult(outcome: Outcome, more: Partial<ActionResult> = {}): ActionResult {
  const isWhole = outcome === "ok" || outcome === "partial";
  return {
    name: "alice → /srv/alice",
    type: "imap",
    destination: "/srv/alice",
    outcome,
    startedAt: "2026-01-02T03:04:05.678Z",
    seconds: 1.5,
    status: STATUS[outcome],
    report: isWhole ? { ...REPORT, result: outcome === "ok" ? "done" : "partial" } : undefined,
    error: isWhole ? undefined : { code: "AUTH_FAILED", message: "imaps://mail.example.org:993 refused the login" },
    ...more,
  };
}

/** How a run with these actions ended. */
export function sessionResult(...actions: readonly ActionResult[]): SessionResult {
  const order: readonly Outcome[] = ["interrupted", "failed", "partial", "ok"];
  return {
    actions,
    outcome: order.find((outcome) => actions.some((action) => action.outcome === outcome)) ?? "ok",
    dryRun: false,
    startedAt: "2026-01-02T03:04:05.678Z",
    seconds: 12.3,
  };
}
