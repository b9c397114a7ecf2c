import { BackupError, type ErrorCode, type Report } from "@backup/core";
import { describe, expect, it } from "vitest";
import { EXIT, exitOfError, exitOfReport } from "../src/exit-code.js";

/** Every code, so that a new one makes somebody think of its status. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  ABORTED: 130,
  AUTH_FAILED: 1,
  BUDGET_SPENT: 1,
  COLLECTION_UNAVAILABLE: 1,
  CONNECTION_LOST: 1,
  CONNECTION_REFUSED: 1,
  DELETION_LIMIT: 1,
  DESTINATION_NEWER: 1,
  DESTINATION_OTHER: 1,
  DESTINATION_UNWRITABLE: 1,
  DISK_FULL: 1,
  HOOK_FAILED: 1,
  HOST_KEY_CHANGED: 1,
  HOST_KEY_UNKNOWN: 1,
  HOST_UNKNOWN: 1,
  ITEM_REFUSED: 1,
  OVER_QUOTA: 1,
  ITEM_MISSING: 1,
  ITEM_UNREADABLE: 1,
  LEASE_HELD: 1,
  LEASE_LOST: 1,
  NOT_FOUND: 1,
  NOTHING_SELECTED: 2,
  PLAN_INVALID: 2,
  PLUGIN_INVALID: 2,
  PLUGIN_MISSING: 2,
  PLUGIN_UNKNOWN: 2,
  PROGRAM_FAILED: 1,
  PROGRAM_MISSING: 1,
  PROTOCOL: 1,
  REPORT_FAILED: 1,
  SCRIPT_FAILED: 1,
  SCRIPT_MISSING: 2,
  SECRET_MISSING: 2,
  SECRET_UNREADABLE: 2,
  SECRET_UNWRITABLE: 2,
  SNAPSHOT_NEWER: 1,
  SOURCE_EMPTY: 1,
  SPOOL_UNWRITABLE: 1,
  THROTTLED: 1,
  TIMEOUT: 1,
  TLS_REQUIRED: 1,
  TLS_UNTRUSTED: 1,
  TRANSPORT_MISSING: 1,
  UNSAFE_PATH: 1,
  USAGE: 2,
};

describe("exit status", () => {
  it("is what the command line promises", () => {
    expect(EXIT).toEqual({ done: 0, failed: 1, usage: 2, partial: 3, unreported: 4, interrupted: 130 });
  });

  it.each(Object.entries(STATUS))("of %s is %i", (code, status) => {
    expect(exitOfError(new BackupError(code as ErrorCode, "text"))).toBe(status);
  });

  it("of anything else that is thrown is 1", () => {
    for (const error of [new Error("bug"), new TypeError("bug"), "text", undefined, { code: "USAGE" }])
      expect(exitOfError(error)).toBe(1);
  });

  it("of a report is 0 or 3, and 3 when something is missing", () => {
    const report = { dryRun: false } as Report;
    expect(exitOfReport({ ...report, result: "done" })).toBe(0);
    expect(exitOfReport({ ...report, result: "partial" })).toBe(3);
    expect(exitOfReport({ ...report, dryRun: true, result: "partial" })).toBe(3);
  });
});
