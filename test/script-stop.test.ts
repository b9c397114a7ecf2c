import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { busy } from "./support/busy.js";
import { type Result, startBackup } from "./support/command.js";
import { startHttpServer } from "./support/http-server.js";
import { isRunning } from "./support/is-running.js";
import { descendantsOf } from "./support/process-tree.js";
import { ALICE, BOB, MIDST, SLOW, expectNoSecret, summaryOf, useScripts } from "./support/scripts.js";

const scripts = useScripts();
const { at, writeScript, runScript, expectMirrored } = scripts;

describe("SIGTERM", () => {
  /** Starts it, waits until it is so far, and stops it. */
  const stopAt = async (
    text: string,
    isThere: (shown: string) => boolean,
    stop: (child: ChildProcess) => void = (child) => child.kill("SIGTERM"),
  ): Promise<Result & { readonly ms: number }> => {
    const { child, result } = startBackup(["run", await writeScript(`#!/bin/bash\n${text}`)], scripts.env);
    let shown = "";
    child.stdout?.on("data", (data: Buffer) => {
      shown += data.toString();
    });
    await expect.poll(() => isThere(shown), { interval: 10, timeout: 60_000 }).toBe(true);
    const processes = await descendantsOf(child.pid ?? 0);
    expect(processes.length).toBeGreaterThan(0);
    const sent = performance.now();
    stop(child);
    const ended = expectNoSecret(await result);
    const ms = performance.now() - sent;
    // What was killed with the process may need a moment more.
    await expect
      .poll(async () => (await Promise.all(processes.map(isRunning))).filter(Boolean), { interval: 10 })
      .toEqual([]);
    return { ...ended, ms };
  };
  beforeEach(() => {
    scripts.proxy.fault = { kind: "stall", afterBytes: MIDST };
  });

  it("in an action ends the script, lists the action, and the next run completes", async () => {
    const text = `${BOB}\n${SLOW}\necho not reached\n${ALICE}`;
    const before = scripts.proxy.struck;
    const result = await stopAt(text, () => scripts.proxy.struck > before);
    expect(result.code).toBe(130);
    expect(result.ms).toBeLessThan(busy(4000));
    expect(result.stdout).not.toContain("not reached");
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^OK {11}imap bob → /),
      expect.stringMatching(/^INTERRUPTED {2}imap alice → \S+\/slow /),
      expect.stringMatching(/^ {13}stopped by SIGTERM/),
      expect.stringMatching(/^2 actions: 1 OK, 1 INTERRUPTED in /),
    ]);
    scripts.proxy.fault = undefined;
    expect(await runScript(SLOW)).toMatchObject({ code: 0, stderr: "" });
    await expectMirrored("alice", "slow");
  });

  it("lets the script clean up", async () => {
    const before = scripts.proxy.struck;
    const result = await stopAt(
      `trap 'echo cleaned up; exit 0' TERM\n${SLOW}\necho not reached`,
      () => scripts.proxy.struck > before,
    );
    expect(result.code).toBe(130);
    expect(result.stdout).toContain("cleaned up\n");
    expect(result.stdout).not.toContain("not reached");
    expect(summaryOf(result).at(-1)).toMatch(/^1 action: 1 INTERRUPTED in /);
  });

  it("ends a script that ignores it", async () => {
    const before = scripts.proxy.struck;
    const result = await stopAt(`trap '' TERM\n${SLOW}\nsleep 60; sleep 60`, () => scripts.proxy.struck > before);
    expect(result.code).toBe(130);
    expect(result.ms).toBeLessThan(busy(9000));
    expect(summaryOf(result).at(-1)).toMatch(/^1 action: 1 INTERRUPTED in /);
  });

  it.each([
    ["timeout", `timeout 100 ${SLOW}`],
    ["job control", `set -m\n${SLOW} &\nwait`],
  ])("reaches an action in a process group of its own: %s", async (_name, text) => {
    const before = scripts.proxy.struck;
    const result = await stopAt(text, () => scripts.proxy.struck > before);
    expect(result.code).toBe(130);
    expect(result.ms).toBeLessThan(busy(4000));
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^INTERRUPTED {2}imap alice → \S+\/slow /),
      expect.stringMatching(/^ {13}stopped by SIGTERM/),
      expect.stringMatching(/^1 action: 1 INTERRUPTED in /),
    ]);
  });

  it("that comes again ends the run at once, and leaves nothing behind", async () => {
    const again = (child: ChildProcess): void => {
      const timer = setInterval(() => child.kill("SIGTERM"), 100);
      child.once("exit", () => clearInterval(timer));
    };
    const result = await stopAt(
      "trap '' TERM\necho now; sleep 60; sleep 60",
      (shown) => shown.includes("now\n"),
      again,
    );
    expect(result.code).toBe(130);
    expect(result.ms).toBeLessThan(busy(3000));
  });

  it("leaves time for the reports, whatever a script and a hook after it do", async () => {
    await using http = await startHttpServer();
    const stubborn = "trap '' TERM\necho now; sleep 60; sleep 60";
    const hook = await writeScript(`#!/bin/bash\n${stubborn}`, { name: "after" });
    scripts.env = { ...scripts.env, PING_URL: `${http.url}/KEY`, BACKUP_AFTER: hook };
    const result = await stopAt(stubborn, (shown) => shown.includes("now\n"));
    expect(result.code).toBe(130);
    expect(result.ms).toBeLessThan(busy(9000));
    expect(result.stderr).toMatch(/after the actions\) took too long and was stopped/);
    expect(http.requests.map(({ path }) => path)).toEqual(["/KEY/start", "/KEY/fail"]);
  });

  it("and the end of a terminal, SIGHUP, are the same", async () => {
    const result = await stopAt(
      "echo now; sleep 60",
      (shown) => shown.includes("now\n"),
      (child) => child.kill("SIGHUP"),
    );
    expect(result.code).toBe(130);
    expect(summaryOf(result)[1]).toMatch(/stopped by SIGHUP/);
  });

  it("between actions lists the script itself", async () => {
    const result = await stopAt(`${BOB}\necho now; sleep 60\n${ALICE}`, (shown) => shown.includes("now\n"));
    expect(result.code).toBe(130);
    expect(result.ms).toBeLessThan(busy(3000));
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^OK {11}imap bob /),
      expect.stringMatching(/^INTERRUPTED {2}script \S+\/nightly /),
      expect.stringMatching(/^ {13}stopped by SIGTERM/),
      expect.stringMatching(/^2 actions: 1 OK, 1 INTERRUPTED in /),
    ]);
  });

  it("reaches what a script that has ended left in the background, and a script in a script", async () => {
    const before = scripts.proxy.struck;
    await writeScript(`${SLOW} &`, { name: "inner" });
    scripts.env = { ...scripts.env, INNER: at("inner") };
    const result = await stopAt(`backup run "$INNER"`, () => scripts.proxy.struck > before);
    expect(result.code).toBe(130);
    expect(result.ms).toBeLessThan(busy(4000));
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^INTERRUPTED {2}imap alice → \S+\/slow /),
      expect.stringMatching(/^ {13}stopped by SIGTERM/),
      expect.stringMatching(/^1 action: 1 INTERRUPTED in /),
    ]);
  });

  it("is told to the hook after it", async () => {
    scripts.env = {
      ...scripts.env,
      BACKUP_AFTER: await writeScript(`#!/bin/sh\necho "$BACKUP_RESULT" > "$DEST/result"`, { name: "after" }),
    };
    const result = await stopAt("echo now; sleep 60", (shown) => shown.includes("now\n"));
    expect(result.code).toBe(130);
    expect(await readFile(at("dest/result"), "utf8")).toBe("interrupted\n");
  });
});
