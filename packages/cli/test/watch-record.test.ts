import { describe, expect, it } from "vitest";
import type { Plan } from "../src/plan/plan.js";
import type { Outcome } from "../src/result.js";
import { watchRecord } from "../src/watch-record.js";

function planOf(...names: readonly string[]): Pick<Plan, "actions"> {
  const run = () => Promise.reject(new Error("never run"));
  return {
    actions: names.map((name) => ({
      action: { name, type: "imap", destination: `/srv/${name}`, host: "mail.example.org", run },
      hooks: { before: [], after: [] },
    })),
  };
}

function end(outcome: Outcome, actions: Readonly<Record<string, Outcome>>) {
  return { outcome, actions: Object.entries(actions).map(([name, one]) => ({ name, outcome: one })) };
}

describe("what a watch remembers", () => {
  it("is nothing at first", () => {
    expect(watchRecord(planOf("a")).last()).toBeNull();
  });

  it("is each failure, until that action has run again", () => {
    const record = watchRecord(planOf("a", "b", "c"));
    record.note(end("failed", { a: "failed", b: "ok" }));
    record.note(end("ok", { b: "ok" }));
    expect(record.last()).toMatchObject({ outcome: "ok", failed: ["a"] });
    record.note(end("failed", { b: "interrupted", c: "partial" }));
    expect(record.last()).toMatchObject({ outcome: "failed", failed: ["a", "b"] });
    record.note(end("partial", { a: "partial", b: "ok" }));
    expect(record.last()).toMatchObject({ outcome: "partial", failed: [] });
  });

  it("is nothing of what the plan has no more, also if that still ran", () => {
    const record = watchRecord(planOf("a", "b"));
    record.note(end("failed", { a: "failed", b: "failed" }));
    record.follow(planOf("b", "c"));
    expect(record.last()).toMatchObject({ failed: ["b"] });
    record.note(end("failed", { a: "failed", b: "ok" }));
    expect(record.last()).toMatchObject({ outcome: "failed", failed: [] });
    record.follow(planOf("a", "b"));
    expect(record.last()).toMatchObject({ failed: [] });
  });
});
