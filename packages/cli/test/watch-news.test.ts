import type { BackupEvent, Report } from "@backup/core";
import { describe, expect, it } from "vitest";
import { RunNews } from "../src/render/run-news.js";
import { ReportNews } from "../src/reports/report-news.js";
import type { Outcome, SessionResult } from "../src/result.js";

const MINUTE = 60_000;
const REPORT: Report = {
  result: "done",
  dryRun: false,
  collections: 1,
  unchanged: 1,
  items: 3,
  added: 0,
  moved: 0,
  renamed: 0,
  removed: 0,
  kept: 0,
  postponed: 0,
  bytes: 0,
  failed: 0,
  seconds: 1,
};

describe("what runs that follow one another say", () => {
  const start: BackupEvent = { type: "start", source: "s", destination: "d", dryRun: false };
  const end = (changes: Partial<Report> = {}): BackupEvent => ({ type: "end", report: { ...REPORT, ...changes } });
  const warning = (message: string): BackupEvent => ({ type: "warning", code: "X", message });
  /** Which events of each run are shown. */
  const shown = (...runs: readonly (readonly BackupEvent[])[]): readonly (readonly BackupEvent[])[] => {
    const news = new RunNews();
    return runs.map((events) => {
      const seen: BackupEvent[] = [];
      const sink = news.begin((event) => seen.push(event));
      for (const event of events) sink(event);
      return seen;
    });
  };

  it("is all of the first one, and later the end of those that did something", () => {
    const quiet = [start, end()];
    const busy = [start, end({ renamed: 1 })];
    expect(shown(quiet, quiet, busy, quiet)).toEqual([quiet, [], [busy[1]], []]);
  });

  it("is what is wrong, unless the run before said so too", () => {
    const bad = [start, warning("a"), end({ result: "partial", failed: 1 })];
    const worse = [start, warning("a"), warning("b"), end({ result: "partial", failed: 2 })];
    expect(shown(bad, bad, worse, [start, end()], bad)).toEqual([bad, [], worse.slice(2), [], bad.slice(1)]);
  });
});

describe("which of them are reported", () => {
  const reported = async (...runs: readonly (readonly [at: number, outcome: Outcome, added?: number])[]) => {
    let now = 0;
    const news = new ReportNews(() => now);
    const told: number[] = [];
    for (const [at, outcome, added = 0] of runs) {
      now = at;
      const action = { name: "a", type: "imap", destination: "d", outcome, startedAt: "", seconds: 0, status: 0 };
      const actions = [{ ...action, report: { ...REPORT, added } }];
      const result: SessionResult = { actions, outcome, dryRun: false, startedAt: "", seconds: 0 };
      const reporter = { name: "r", started: () => Promise.reject(new Error()), ended: async () => void told.push(at) };
      for (const each of news.select([reporter, reporter])) {
        await each.started?.(AbortSignal.timeout(1));
        await each.ended(result, AbortSignal.timeout(1));
      }
      news.note(result);
    }
    return told.filter((_at, index) => index % 2 === 0);
  };

  it("are the first, those that did something or ended otherwise, and one an hour; all reporters hear of the same", async () => {
    expect(
      await reported(
        [0, "ok"],
        [MINUTE, "ok"],
        [2 * MINUTE, "ok", 1],
        [3 * MINUTE, "failed"],
        [4 * MINUTE, "failed"],
        [62 * MINUTE, "failed"],
        [63 * MINUTE, "ok"],
      ),
    ).toEqual([0, 2 * MINUTE, 3 * MINUTE, 62 * MINUTE, 63 * MINUTE]);
  });
});
