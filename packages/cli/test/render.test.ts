import type { BackupEvent, Report } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { jsonRenderer } from "../src/render/json.js";
import { plainRenderer } from "../src/render/plain.js";
import { formatProgress, progressLines } from "../src/render/progress.js";
import { formatSummary } from "../src/render/summary.js";

const REPORT: Report = {
  result: "done",
  dryRun: false,
  collections: 55,
  unchanged: 12,
  items: 20_391,
  added: 3,
  moved: 2,
  renamed: 1,
  removed: 4,
  kept: 0,
  postponed: 0,
  bytes: 891_000_000,
  failed: 0,
  seconds: 9.81,
};
const START: BackupEvent = { type: "start", source: "imap:alice", destination: "/backup/alice", dryRun: false };
const PLAN: BackupEvent = { type: "plan", collections: 2, add: 1000, bytes: 2_000_000, move: 0, rename: 0, remove: 0 };

describe("the summary", () => {
  it("says all that was done in one line", () => {
    expect(formatSummary(REPORT)).toBe(
      "done: 55 folders (12 unchanged) with 20,391 messages, 3 new, 2 moved, 1 flags, 4 deleted, 891 MB in 9.8s",
    );
  });

  it("says PARTLY where something is missing, and what was put off", () => {
    const text = formatSummary({ ...REPORT, result: "partial", failed: 2, postponed: 7, removed: 0 });
    expect(text).toMatch(/^PARTLY done: .*, 2 FAILED, 7 deletions put off until a run without failures, /);
  });

  it("says what was kept", () => {
    expect(formatSummary({ ...REPORT, kept: 5 })).toContain(", 5 deleted there and kept here, ");
  });

  it("says of a dry run that nothing was written, without bytes and time", () => {
    const text = formatSummary({ ...REPORT, dryRun: true });
    expect(text).toMatch(/^dry run, nothing was written: /);
    expect(text).not.toMatch(/MB| in /);
  });

  it("counts one of each in the singular", () => {
    expect(formatSummary({ ...REPORT, collections: 1, items: 1 })).toContain("1 folder (12 unchanged) with 1 message,");
  });
});

describe("progress", () => {
  const half = { items: 500, bytes: 1_000_000, totalItems: 1000, totalBytes: 2_000_000 };

  it("says messages, bytes, rate and time left", () => {
    expect(formatProgress(half, 10_000)).toBe("500 of 1,000 messages, 1 MB of 2 MB, 100 kB/s, 10s left");
    expect(formatProgress({ ...half, totalBytes: 1_000_000_000 }, 10_000)).toContain("2h 46m 30s left");
  });

  it("knows no time left before the first byte, and none at the end", () => {
    expect(formatProgress({ ...half, items: 0, bytes: 0 }, 0)).toContain("0 B/s, ? left");
    expect(formatProgress({ ...half, items: 0, bytes: 0 }, 5000)).toContain("0 B/s, ? left");
    expect(formatProgress({ ...half, bytes: 2_000_000 }, 5000)).toMatch(/, 0s left$/);
    // The announced sizes are estimates.
    expect(formatProgress({ ...half, bytes: 2_100_000 }, 5000)).toMatch(/, 0s left$/);
  });

  describe("in a log", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
    afterEach(() => void vi.useRealTimers());

    it("is a line every ten seconds", () => {
      const lines: string[] = [];
      const view = progressLines((line) => lines.push(line));
      for (let second = 0; second <= 35; second++) {
        view.update(half);
        vi.advanceTimersByTime(1000);
      }
      view.close();
      expect(lines).toHaveLength(3);
      expect(lines[0]).toMatch(/^500 of 1,000 messages/);
    });
  });
});

/** What a renderer prints of these events. */
function printed(events: readonly BackupEvent[], options: Partial<Parameters<typeof plainRenderer>[2]> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const renderer = plainRenderer(
    { write: (text: string) => out.push(text) },
    { write: (text: string) => err.push(text) },
    { quiet: false, verbose: false, debug: false, ...options },
  );
  for (const event of events) renderer.event(event);
  renderer.close();
  return { out: out.join(""), err: err.join("") };
}

describe("plain text", () => {
  const failed = (index: number): BackupEvent => ({
    type: "failed",
    collection: "INBOX",
    code: "ITEM_UNREADABLE",
    message: `message ${index}`,
  });

  it("says from where to where, what will be done and what was", () => {
    expect(printed([START, PLAN, { type: "end", report: REPORT }])).toEqual({
      out: `imap:alice → /backup/alice\n2 folders: 1000 new (2 MB), 0 moved, 0 flags, 0 deleted\n${formatSummary(REPORT)}\n`,
      err: "",
    });
    expect(printed([{ ...START, dryRun: true }]).out).toBe("imap:alice → /backup/alice (dry run)\n");
    expect(printed([{ ...PLAN, add: 0 }]).out).toBe("2 folders: nothing to do\n");
  });

  it("is silent when quiet, but for what is wrong", () => {
    const warning: BackupEvent = { type: "warning", code: "SECRET_EXPOSED", message: "chmod 600 it" };
    expect(printed([START, PLAN, warning, failed(1), { type: "end", report: REPORT }], { quiet: true })).toEqual({
      out: "",
      err: "warning: chmod 600 it\nFAILED: message 1\n",
    });
  });

  it("names twenty failures and says that there are more; -v names all", () => {
    const many = Array.from({ length: 50 }, (_, index) => failed(index));
    expect(printed(many).err.trimEnd().split("\n")).toHaveLength(21);
    expect(printed(many).err).toMatch(/FAILED: message 19\nFAILED: … and more; -v or --json names all\n$/);
    expect(printed(many, { verbose: true }).err).toContain("FAILED: message 49\n");
  });

  it("names every failure once with -v", () => {
    const many = Array.from({ length: 50 }, (_, index) => failed(index));
    const lines = printed(many, { verbose: true }).err.trimEnd().split("\n");
    expect(lines).toEqual(many.map((_event, index) => `FAILED: message ${index}`));
  });

  it("says of every folder what changed, with -v", () => {
    const folder = { type: "collection", items: 9, added: 0, moved: 0, renamed: 0, removed: 0 } as const;
    const { out } = printed(
      [
        { ...folder, name: "INBOX", state: "compared", added: 3, renamed: 2 },
        { ...folder, name: "Archive", state: "unchanged" },
        { ...folder, name: "Old", state: "vanished", items: 0, removed: 4 },
        { ...folder, name: "Same", state: "compared", items: 1 },
      ],
      { verbose: true },
    );
    expect(out).toBe(
      "  INBOX: 9 messages, 3 new, 2 flags\n  Archive: unchanged\n" +
        "  Old: gone at the source, 0 messages, 4 deleted\n  Same: 1 message, nothing to do\n",
    );
  });

  it("shows debug events only when asked to", () => {
    const event: BackupEvent = { type: "debug", message: "imap c A1 NOOP" };
    expect(printed([event])).toEqual({ out: "", err: "" });
    expect(printed([event], { debug: true })).toEqual({ out: "", err: "debug: imap c A1 NOOP\n" });
  });

  it("hands no control character on, in whatever event it comes", () => {
    const evil = "a\x1b[2J\u009bm\nb\u202e";
    const { out, err } = printed(
      [
        { ...START, source: evil, destination: evil },
        { type: "collection", name: evil, state: "compared", items: 1, added: 1, moved: 0, renamed: 0, removed: 0 },
        { type: "warning", code: "X", message: evil },
        { type: "failed", collection: evil, code: "X", message: evil },
        { type: "debug", message: evil },
      ],
      { verbose: true, debug: true },
    );
    expect(out.trimEnd().split("\n")).toHaveLength(2);
    expect(err.trimEnd().split("\n")).toHaveLength(3);
    expect((out + err).replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
  });
});

describe("JSON", () => {
  it("is one event a line; debug events only when asked to", () => {
    const events: BackupEvent[] = [START, { type: "debug", message: "line\nbreak" }, { type: "end", report: REPORT }];
    for (const debug of [false, true]) {
      const out: string[] = [];
      const renderer = jsonRenderer({ write: (text: string) => out.push(text) }, { debug });
      for (const event of events) renderer.event(event);
      renderer.close();
      const lines = out.join("").split("\n");
      expect(lines.pop()).toBe("");
      expect(lines.map((line): unknown => JSON.parse(line))).toEqual(debug ? events : [events[0], events[2]]);
    }
  });
});
