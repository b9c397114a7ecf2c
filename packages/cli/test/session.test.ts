import { BackupError } from "@backup/core";
import { describe, expect, it } from "vitest";
import { actionResult } from "../../../test/support/session-result.js";
import { NO_HOOKS } from "../src/hooks.js";
import { pluginsWith } from "../src/plugins/built-in.js";
import type { ActionResult, SessionResult } from "../src/result.js";
import { type SessionOptions, type Work, exitOfSession, runSession } from "../src/session.js";

/** How a session ended, and what its reporter heard. */
async function run(work: Work | readonly ActionResult[], more: Partial<SessionOptions> = {}) {
  const told: SessionResult[] = [];
  const options: SessionOptions = {
    reporters: [{ name: "test", ended: async (result) => void told.push(result) }],
    hooks: NO_HOOKS,
    dryRun: false,
    env: { PATH: process.env.PATH },
    plugins: pluginsWith([]),
    signal: new AbortController().signal,
    planned: [],
    onProblem: () => {},
    ...more,
  };
  const end = await runSession(options, typeof work === "function" ? work : () => Promise.resolve(work));
  return { end, status: exitOfSession(end), told };
}

describe("a session", () => {
  it.each([
    [["ok", "partial"], "partial", 3],
    [["partial", "failed"], "failed", 1],
    // One that was ended alone.
    [["ok", "interrupted"], "failed", 1],
    [["failed", "interrupted"], "failed", 1],
  ] as const)("with %j is %s", async (outcomes, outcome, status) => {
    const { end, status: given, told } = await run(outcomes.map((one) => actionResult(one)));
    expect([end.result.outcome, given]).toEqual([outcome, status]);
    expect(end.result.actions.map((action) => action.outcome)).toEqual(outcomes);
    expect(told).toEqual([end.result]);
  });

  it.each([
    [["failed", "interrupted"], "interrupted", 130],
    [["ok", "failed"], "failed", 1],
    // The signal came too late to stop anything.
    [["ok"], "ok", 0],
  ] as const)("with %j that was told to stop is %s", async (outcomes, outcome, status) => {
    const signal = AbortSignal.abort(new BackupError("ABORTED", "stopped"));
    const { end, status: given } = await run(
      outcomes.map((one) => actionResult(one)),
      { signal },
    );
    expect([end.result.outcome, given]).toEqual([outcome, status]);
  });

  it("in which every action was a dry run was one", async () => {
    const ok = actionResult("ok");
    const dry = { ...ok, report: ok.report && { ...ok.report, dryRun: true } };
    expect((await run([dry, dry])).end.result.dryRun).toBe(true);
    expect((await run([dry, ok])).end.result.dryRun).toBe(false);
    expect((await run([])).end.result.dryRun).toBe(false);
  });

  it("that a hook keeps from beginning has failed in each of its actions", async () => {
    const hooks = { before: [["false"] as const], after: [] };
    const planned = ["a", "b"].map((name) => ({ name, type: "imap", destination: `/srv/${name}` }));
    let isBegun = false;
    const work: Work = async () => {
      isBegun = true;
      return [];
    };
    const { end, told } = await run(work, { hooks, planned });
    const error = { code: "HOOK_FAILED", message: expect.stringMatching(/the hook false .* ended with status 1/) };
    expect(end.result.actions).toMatchObject(planned.map((one) => ({ ...one, outcome: "failed", status: 1, error })));
    expect(told).toEqual([end.result]);
    const unknown = await run(work, { hooks });
    expect(unknown.end.result.actions).toMatchObject([{ name: "before the actions", type: "hook", error }]);
    expect(isBegun).toBe(false);
  });

  it("adds up problems that its actions have told", async () => {
    const work: Work = async (addProblems) => {
      addProblems(2);
      return [actionResult("ok")];
    };
    const { end, status } = await run(work);
    expect([end.problems, status]).toEqual([2, 4]);
  });
});
