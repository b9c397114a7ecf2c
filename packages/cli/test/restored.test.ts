import type { RestoreReport } from "@backup/core";
import { describe, expect, it } from "vitest";
import { plainRenderer } from "../src/render/plain.js";
import { formatRestored } from "../src/render/restored.js";

const REPORT: RestoreReport = {
  result: "done",
  dryRun: false,
  collections: 2,
  items: 1200,
  restored: 1000,
  present: 200,
  failed: 0,
  left: 0,
  bytes: 48_000_000,
  seconds: 12.3,
};

describe("a restore", () => {
  it("ends with what became of every message", () => {
    expect(formatRestored(REPORT)).toBe(
      "done: 2 folders with 1,200 messages, 1000 restored, 200 were there, 48 MB in 12.3s",
    );
    expect(formatRestored({ ...REPORT, result: "partial", restored: 700, failed: 1, left: 299 })).toBe(
      "PARTLY done: 2 folders with 1,200 messages, 700 restored, 200 were there, 1 left out (FAILED), 299 not tried, 48 MB in 12.3s",
    );
    expect(formatRestored({ ...REPORT, dryRun: true })).toBe(
      "dry run, nothing was written: 2 folders with 1,200 messages, 1000 to restore, 200 were there, 48 MB",
    );
  });

  it("tells a person where it goes, what it will do, and each folder with -v", () => {
    const printed = (verbose: boolean): string => {
      let text = "";
      const out = { write: (part: string) => (text += part) };
      const { event } = plainRenderer(out, out, { quiet: false, verbose, debug: false });
      event({ type: "start", source: "nas:mail", destination: "alice at imaps://b:993", dryRun: true });
      event({ type: "restoring", name: "a.b", target: "a_b", items: 3, present: 1, missing: 2 });
      event({ type: "restore-plan", collections: 1, items: 3, present: 1, missing: 2, bytes: 2000 });
      event({ type: "restored", report: { ...REPORT, dryRun: true } });
      return text;
    };
    expect(printed(true)).toMatch(
      /^nas:mail → alice at imaps:\/\/b:993 \(dry run\)\n {2}a\.b → a_b: 3 messages, 2 to restore, 1 are there\n1 folder: 2 to restore \(2 kB\), 1 are there\ndry run/,
    );
    expect(printed(false)).not.toContain("a_b");
  });
});
