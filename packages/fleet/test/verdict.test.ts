import { describe, expect, it } from "vitest";
import { isAccountJob } from "../src/account.js";
import { around, nextDay } from "../src/pauses.js";
import { parseQueue } from "../src/redis.js";
import { type Ended, verdictOf } from "../src/verdict.js";

const ENDED: Ended = { status: 0, signal: null, isStopped: false };

describe("what becomes of a job", () => {
  it.each<[string, Partial<Ended>, object]>([
    ["all done", { status: 0 }, { is: "done" }],
    ["backed up, not reported", { status: 4 }, { is: "done", note: "backed up, but not reported" }],
    ["something is missing", { status: 3 }, { is: "later", why: "partly" }],
    ["the day's bytes are used up", { status: 3, code: "BUDGET_SPENT" }, { is: "later", why: "budget" }],
    ["another run writes there", { status: 1, code: "LEASE_HELD", message: "held" }, { is: "later", why: "busy" }],
    ["another run has taken over", { status: 1, code: "LEASE_LOST" }, { is: "later", why: "busy" }],
    ["wrong usage", { status: 2, code: "USAGE", message: "no" }, { is: "failed", reason: "USAGE: no" }],
    ["a wrong password", { status: 1, code: "AUTH_FAILED" }, { is: "failed" }],
    ["a changed host key", { status: 1, code: "HOST_KEY_CHANGED" }, { is: "failed" }],
    ["a lost connection", { status: 1, code: "CONNECTION_LOST" }, { is: "again" }],
    ["an unknown error", { status: 1 }, { is: "again", reason: "exit status 1" }],
    ["killed", { status: null, signal: "SIGKILL" }, { is: "again", reason: "the command was ended by SIGKILL" }],
    ["interrupted", { status: 130 }, { is: "back" }],
    ["stopped by the worker", { status: null, signal: "SIGKILL", isStopped: true }, { is: "back" }],
    ["done while it was stopped", { status: 0, isStopped: true }, { is: "done" }],
  ])("%s", (_name, ended, verdict) => {
    expect(verdictOf({ ...ENDED, ...ended })).toMatchObject(verdict);
  });
});

it("pauses are random around what they are, and a day begins after midnight, UTC", () => {
  expect(around(1000, () => 0)).toBe(500);
  expect(around(1000, () => 0.999)).toBe(1499);
  const noon = Date.UTC(2026, 10, 30, 12);
  expect(nextDay(noon, () => 0)).toBe(Date.UTC(2026, 11, 1));
  expect(nextDay(noon, () => 1)).toBe(Date.UTC(2026, 11, 1, 1));
});

describe("where the queue is", () => {
  it.each<[string, object]>([
    ["redis://q.example", { host: "q.example", port: 6379, isTls: false, database: 0, user: undefined }],
    ["rediss://me@q.example:7000/3", { host: "q.example", port: 7000, isTls: true, database: 3, user: "me" }],
    ["redis://[::1]:6380", { host: "::1", port: 6380 }],
  ])("%s", (text, place) => {
    expect(parseQueue(text)).toMatchObject(place);
  });

  it.each(["q.example", "http://q.example", "redis://", "redis://q.example/x", "redis://q.example?a=b", ""])(
    "%j is refused",
    (text) => {
      expect(() => parseQueue(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
    },
  );

  it("holds no password, which is not repeated either", () => {
    expect(() => parseQueue("redis://me:hidden@q.example")).toThrow(/file for --queue-secret/);
    expect(() => parseQueue("redis://me:hidden@q.example")).not.toThrow(/hidden/);
  });
});

it("whatever else a queue holds is no job", () => {
  const account = { name: "a", type: "imap", host: "h", place: "p", subject: "s", plan: {} };
  expect(isAccountJob({ id: "1", account })).toBe(true);
  for (const other of [
    undefined,
    null,
    "x",
    7,
    {},
    { id: 1, account },
    { id: "1", account: { ...account, plan: "x" } },
  ])
    expect(isAccountJob(other)).toBe(false);
});
