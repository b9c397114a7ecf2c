import { setTimeout } from "node:timers/promises";
import { BackupError, type BackupEvent, type Report } from "@backup/core";
import { describe, expect, it } from "vitest";
import { type ManyOptions, manyRenderer } from "../src/render/many.js";
import { formatSummary } from "../src/render/summary.js";
import { Screen } from "./support/screen.js";

const REPORT: Report = {
  result: "done",
  dryRun: false,
  collections: 2,
  unchanged: 0,
  items: 1000,
  added: 1000,
  moved: 0,
  renamed: 0,
  removed: 0,
  kept: 0,
  postponed: 0,
  bytes: 2_000_000,
  failed: 0,
  seconds: 9,
};
const START: BackupEvent = { type: "start", source: "imap:alice", destination: "/backup/alice", dryRun: false };
const PLAN: BackupEvent = { type: "plan", collections: 2, add: 1000, bytes: 2_000_000, move: 0, rename: 0, remove: 0 };
const END: BackupEvent = { type: "end", report: REPORT };
const FAILED: BackupEvent = { type: "failed", collection: "INBOX", code: "ITEM_UNREADABLE", message: "message 7" };
const PLAIN: ManyOptions = { quiet: false, verbose: false, debug: false, json: false, names: ["alice", "bo"] };

function progress(items: number): BackupEvent {
  return { type: "progress", items, bytes: items * 2000, totalItems: 1000, totalBytes: 2_000_000 };
}

/** Where lines go that nobody draws over. */
function log() {
  const texts: string[] = [];
  return { write: (text: string) => texts.push(text), lines: () => texts.join("").split("\n").slice(0, -1) };
}

describe("in a log", () => {
  it("each line says whose it is", () => {
    const [out, err] = [log(), log()];
    const view = manyRenderer(out, err, PLAIN);
    const [alice, bo] = [view.begin("alice"), view.begin("bo")];
    alice.event(START);
    bo.event({ ...START, source: "imap:bo" });
    alice.event(PLAN);
    bo.event(FAILED);
    alice.event(END);
    alice.close();
    bo.failed(new BackupError("AUTH_FAILED", "the server refuses the password of bo"));
    bo.close();
    view.problem(new BackupError("REPORT_FAILED", "no mail"));
    view.say("3 actions", { type: "watch" });
    view.close();
    expect(out.lines()).toEqual([
      "[alice] imap:alice → /backup/alice",
      "[bo] imap:bo → /backup/alice",
      "[alice] 2 folders: 1000 new (2 MB), 0 moved, 0 flags, 0 deleted",
      `[alice] ${formatSummary(REPORT)}`,
      "3 actions",
    ]);
    expect(err.lines()).toEqual([
      "[bo] FAILED: message 7",
      "[bo] KO: the server refuses the password of bo",
      "warning: no mail",
    ]);
  });

  it("-q leaves what is wrong", () => {
    const [out, err] = [log(), log()];
    const view = manyRenderer(out, err, { ...PLAIN, quiet: true });
    const alice = view.begin("alice");
    for (const event of [START, PLAN, FAILED, END]) alice.event(event);
    alice.failed(new BackupError("DISK_FULL", "the disk is full"));
    alice.close();
    view.say("3 actions", { type: "watch" });
    view.event({ type: "warning", code: "X", message: "careful" });
    expect(out.lines()).toEqual([]);
    expect(err.lines()).toEqual(["[alice] FAILED: message 7", "[alice] KO: the disk is full", "warning: careful"]);
  });

  it("debug says where an error came from, and each line of that whose it is", () => {
    const [out, err] = [log(), log()];
    const view = manyRenderer(out, err, { ...PLAIN, debug: true });
    view.begin("alice").failed(new Error("oops"));
    const [first, ...more] = err.lines();
    expect(first).toBe("[alice] KO: oops");
    expect(more.length).toBeGreaterThan(2);
    for (const line of more) expect(line).toMatch(/^\[alice\] /);
  });

  it("says of what is no error of ours that it is one", () => {
    const [out, err] = [log(), log()];
    manyRenderer(out, err, PLAIN).begin("alice").failed(new TypeError("x is undefined"));
    expect(err.lines()).toEqual(["[alice] KO: x is undefined", "[alice] this is a bug in backup; DEBUG=1 shows where"]);
  });

  it("no name breaks out of its line", () => {
    const [out, err] = [log(), log()];
    const name = "a\x1b[2J\nb $& $1 \u202e";
    const view = manyRenderer(out, err, { ...PLAIN, names: [name] });
    const action = view.begin(name);
    action.event(START);
    action.failed(new BackupError("DISK_FULL", name));
    const shown = "a\\u{1b}[2J\\u{a}b $& $1 \\u{202e}";
    expect(out.lines()).toEqual([`[${shown}] imap:alice → /backup/alice`]);
    expect(err.lines()).toEqual([`[${shown}] KO: ${shown}`]);
  });
});

describe("JSON", () => {
  it("is the events as they are, with the action's name", () => {
    const [out, err] = [log(), log()];
    const view = manyRenderer(out, err, { ...PLAIN, json: true });
    const alice = view.begin("alice");
    for (const event of [START, PLAN, { type: "debug", message: "no" } as const, FAILED, END]) alice.event(event);
    alice.failed(new BackupError("DISK_FULL", "the disk is full"));
    alice.close();
    view.event({ type: "warning", code: "X", message: "careful" });
    view.say("3 actions", { type: "watch" });
    view.problem(new BackupError("REPORT_FAILED", "no mail"));
    view.close();
    expect(out.lines().map((line): unknown => JSON.parse(line))).toEqual([
      ...[START, PLAN, FAILED, END].map((event) => ({ ...event, action: "alice" })),
      { type: "error", action: "alice", code: "DISK_FULL", message: "the disk is full" },
      { type: "warning", code: "X", message: "careful" },
      { type: "watch" },
      { type: "problem", code: "REPORT_FAILED", message: "no mail" },
    ]);
    // What is wrong, for a person too.
    expect(err.lines()).toEqual(["[alice] KO: the disk is full", "warning: no mail"]);
  });
});

/** Longer than it takes until bars are drawn again. */
const DRAWN = 260;

describe("on a terminal", () => {
  it("each action has a bar, names are aligned, lines go above", async () => {
    const screen = new Screen(120);
    const view = manyRenderer(screen, screen, PLAIN);
    const [alice, bo] = [view.begin("alice"), view.begin("bo")];
    expect(screen.cursor).toBe(false);
    alice.event(START);
    await setTimeout(DRAWN);
    expect(screen.lines).toEqual([
      "[alice] imap:alice → /backup/alice",
      "alice ░░░░░░░░ 0%  looking for changes",
      "bo    ░░░░░░░░ 0%  looking for changes",
    ]);
    alice.event(PLAN);
    bo.event(PLAN);
    bo.event(progress(500));
    await setTimeout(DRAWN);
    const plan = "2 folders: 1000 new (2 MB), 0 moved, 0 flags, 0 deleted";
    expect(screen.lines.slice(0, 3)).toEqual(["[alice] imap:alice → /backup/alice", `[alice] ${plan}`, `[bo] ${plan}`]);
    expect(screen.lines[3]).toMatch(/^alice ░{8} 0% {2}0 of 1,000 messages, 0 B of 2 MB, /);
    expect(screen.lines[4]).toMatch(/^bo {4}█{4}░{4} 50% {2}500 of 1,000 messages, 1 MB of 2 MB, .* left$/);
    expect(screen.lines).toHaveLength(5);
    alice.event(FAILED);
    alice.event(END);
    alice.close();
    bo.event(progress(750));
    await setTimeout(DRAWN);
    expect(screen.lines.slice(3, 5)).toEqual(["[alice] FAILED: message 7", `[alice] ${formatSummary(REPORT)}`]);
    expect(screen.lines[5]).toMatch(/^bo {4}█{6}░{2} 75% {2}750 of 1,000 messages, /);
    expect(screen.lines.slice(6).join("")).toBe("");
    bo.failed(new BackupError("DISK_FULL", "the disk is full"));
    bo.close();
    // At once, not when bars would be drawn again.
    expect(screen.lines.slice(5).filter((line) => line !== "")).toEqual(["[bo] KO: the disk is full"]);
    expect(screen.cursor).toBe(true);
    view.say("all done", { type: "x" });
    view.close();
    expect(screen.lines.filter((line) => line !== "").at(-1)).toBe("all done");
  });

  it("lines that are too long are wrapped, bars are cut", async () => {
    const screen = new Screen(40);
    const view = manyRenderer(screen, screen, { ...PLAIN, names: ["alice", "x".repeat(50)] });
    const [alice, long] = [view.begin("alice"), view.begin("x".repeat(50))];
    alice.event(PLAN);
    alice.event({ type: "warning", code: "X", message: "w".repeat(60) });
    await setTimeout(DRAWN);
    const bars = screen.lines.slice(4);
    expect(screen.lines.slice(2, 4)).toEqual([`[alice] warning: ${"w".repeat(23)}`, "w".repeat(37)]);
    expect(bars).toEqual([
      expect.stringMatching(/^alice {20}░{8} 0% {2}0$/),
      expect.stringMatching(/^x{23}… ░{8} 0% {2}lo$/),
    ]);
    alice.close();
    long.close();
    view.close();
    expect(screen.lines.join("\n")).not.toMatch(/[░█]/);
  });

  it("what another one ends beside them goes, and bars come again", async () => {
    const screen = new Screen(100);
    const view = manyRenderer(screen, screen, PLAIN);
    for (const name of ["alice", "bo"]) {
      const action = view.begin(name);
      action.event(PLAN);
      await setTimeout(DRAWN);
      expect(screen.lines.filter((line) => /[░█]/.test(line))).toHaveLength(1);
      action.close();
      expect(screen.cursor).toBe(true);
      expect(screen.lines.filter((line) => /[░█]/.test(line))).toHaveLength(0);
    }
  });

  it("gives the cursor back when it is closed with bars", async () => {
    const screen = new Screen(100);
    const view = manyRenderer(screen, screen, PLAIN);
    const alice = view.begin("alice");
    const bo = view.begin("bo");
    alice.event(PLAN);
    view.close();
    expect(screen.cursor).toBe(true);
    const before = screen.lines;
    alice.event(progress(10));
    bo.close();
    alice.close();
    await setTimeout(DRAWN);
    expect(screen.lines).toEqual(before);
  });

  it("what goes to a file instead has no place above the bars", async () => {
    const [out, screen] = [log(), new Screen(100)];
    const view = manyRenderer(out, screen, PLAIN);
    const alice = view.begin("alice");
    alice.event(START);
    alice.event(FAILED);
    await setTimeout(DRAWN);
    expect(out.lines()).toEqual(["[alice] imap:alice → /backup/alice"]);
    expect(screen.lines).toEqual(["[alice] FAILED: message 7", "alice ░░░░░░░░ 0%  looking for changes"]);
    alice.close();
    view.close();
  });

  it.each([{ quiet: true }, { json: true }, { names: undefined }])("there are no bars with %o", async (options) => {
    const screen = new Screen(100);
    const view = manyRenderer(screen, screen, { ...PLAIN, ...options });
    const alice = view.begin("alice");
    alice.event(PLAN);
    alice.event(progress(10));
    await setTimeout(DRAWN);
    expect(screen.cursor).toBe(true);
    expect(screen.lines.join("\n")).not.toMatch(/[░█]/);
    alice.close();
    view.close();
  });
});
