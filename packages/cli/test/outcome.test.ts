import type { Report } from "@backup/core";
import { describe, expect, it } from "vitest";
import { formatOutcomes } from "../src/render/outcome.js";
import type { ActionResult, SessionResult } from "../src/result.js";

const REPORT: Report = {
  result: "done",
  dryRun: false,
  collections: 3,
  unchanged: 1,
  items: 200,
  added: 120,
  moved: 1,
  renamed: 2,
  removed: 3,
  kept: 0,
  postponed: 0,
  bytes: 14_200_000,
  failed: 0,
  seconds: 3,
};

const OK: ActionResult = {
  name: "alice",
  type: "imap",
  destination: "/srv/alice",
  outcome: "ok",
  startedAt: "2026-01-01T00:00:00.000Z",
  seconds: 3.21,
  status: 0,
  report: REPORT,
};
const PARTLY: ActionResult = { ...OK, name: "bob", outcome: "partial", status: 3, report: { ...REPORT, failed: 2 } };
const KO: ActionResult = {
  ...OK,
  name: "carol",
  outcome: "failed",
  status: 1,
  seconds: 0.4,
  report: undefined,
  error: { code: "AUTH_FAILED", message: "mail.example.org refused the login of carol" },
};
const STOPPED: ActionResult = {
  ...KO,
  name: "dave",
  outcome: "interrupted",
  status: 130,
  error: { code: "ABORTED", message: "stopped by SIGTERM" },
};

function session(...actions: readonly ActionResult[]): SessionResult {
  return { actions, outcome: "ok", dryRun: false, startedAt: OK.startedAt, seconds: 12.34 };
}

function linesOf(result: SessionResult): readonly string[] {
  return formatOutcomes(result).split("\n");
}

describe("the list of actions", () => {
  it("says how each ended, in columns, and counts them", () => {
    expect(linesOf(session(OK, PARTLY, KO, STOPPED))).toEqual([
      "OK           imap alice  120 new, 3 deleted, 14.2 MB, 3.2s",
      "PARTLY       imap bob    120 new, 3 deleted, 2 failed, 14.2 MB, 3.2s",
      "KO           imap carol  400ms",
      "             mail.example.org refused the login of carol",
      "INTERRUPTED  imap dave   400ms",
      "             stopped by SIGTERM",
      "4 actions: 1 OK, 1 PARTLY, 1 KO, 1 INTERRUPTED in 12.3s",
    ]);
  });

  it("is narrow where it may be", () => {
    expect(linesOf(session(OK))).toEqual([
      "OK  imap alice  120 new, 3 deleted, 14.2 MB, 3.2s",
      "1 action: 1 OK in 12.3s",
    ]);
  });

  it("does not cut a long name, and keeps the others where they are", () => {
    const long = { ...OK, name: `${"x".repeat(60)} → nas:mail` };
    expect(linesOf(session(OK, long))).toEqual([
      `OK  imap alice${" ".repeat(28)}120 new, 3 deleted, 14.2 MB, 3.2s`,
      `OK  imap ${long.name}  120 new, 3 deleted, 14.2 MB, 3.2s`,
      "2 actions: 2 OK in 12.3s",
    ]);
    expect(linesOf(session(OK))[0]?.length).toBeLessThanOrEqual(80);
  });

  it("says once what type it is", () => {
    expect(linesOf(session({ ...OK, name: "imap alice" }))[0]).toMatch(/^OK {2}imap alice {2}/);
    expect(linesOf(session({ ...KO, type: "run", name: "run" }))[0]).toMatch(/^KO {2}run {2}/);
    expect(linesOf(session({ ...OK, name: "imaps" }))[0]).toMatch(/^OK {2}imap imaps {2}/);
  });

  it("says of a dry run that it was one, and of nothing that it was nothing", () => {
    expect(linesOf({ ...session(OK), dryRun: true }).at(-1)).toBe(
      "1 action: 1 OK in 12.3s (dry run, nothing was written)",
    );
    const dry = { ...OK, report: { ...REPORT, dryRun: true } };
    expect(linesOf(session(OK, dry)).slice(0, 2)).toEqual([
      "OK  imap alice  120 new, 3 deleted, 14.2 MB, 3.2s",
      "OK  imap alice  120 new, 3 deleted, 14.2 MB, 3.2s (dry run)",
    ]);
    expect(linesOf(session())).toEqual(["no actions in 12.3s"]);
  });

  it("shows a terminal nothing that it would obey", () => {
    const evil = "\u001b[2J\nOK  imap all\u202e";
    const lines = linesOf(session({ ...KO, name: evil, error: { code: "PROTOCOL", message: evil } }));
    const shown = "\\u{1b}[2J\\u{a}OK  imap all\\u{202e}";
    expect(lines).toEqual([`KO  imap ${shown}  400ms`, `    ${shown}`, "1 action: 1 KO in 12.3s"]);
  });

  it("shows the first line of what was told before in many", () => {
    const error = { code: "SCRIPT_MISSING", message: "there is no script x.\n\nMount one." };
    expect(linesOf(session({ ...KO, error })).slice(1)).toEqual([
      "    there is no script x.",
      "1 action: 1 KO in 12.3s",
    ]);
  });
});
