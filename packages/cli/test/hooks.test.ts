import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { isRunning } from "../../../test/support/is-running.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { type HookContext, runHooks } from "../src/hooks.js";
import { pluginsWith } from "../src/plugins/built-in.js";
import type { SessionResult } from "../src/result.js";

let directory: TemporaryDirectory;
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

const RESULT: SessionResult = {
  actions: [],
  outcome: "partial",
  dryRun: false,
  startedAt: "2026-01-01T00:00:00.000Z",
  seconds: 1,
};

const ACTION = {
  name: "a",
  type: "imap",
  destination: "d",
  outcome: "ok",
  status: 0,
  startedAt: RESULT.startedAt,
  seconds: 1,
} as const;

const at = (name: string): string => join(directory.path, name);

async function writeHook(text: string, mode = 0o755): Promise<string> {
  await writeFile(at("hook"), text);
  await chmod(at("hook"), mode);
  return at("hook");
}

function context(more: Partial<HookContext> = {}): HookContext {
  const env = { PATH: process.env.PATH, OUT: at("out") };
  return { env, plugins: pluginsWith([]), signal: new AbortController().signal, ...more };
}

/** A hook's error: which one, and why. */
async function expectFailed(running: Promise<void>, message: RegExp): Promise<void> {
  const error: unknown = await running.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BackupError);
  expect(error).toMatchObject({ code: "HOOK_FAILED", message: expect.stringMatching(message) });
}

describe("a hook", () => {
  it("runs without a shell, with its arguments, and an empty input before the actions", async () => {
    const hook = await writeHook(
      `#!/bin/sh\nprintf '%s|' "$@" "$BACKUP_HOOK" "\${BACKUP_RESULT-none}" "$(cat)" > "$OUT"`,
    );
    await runHooks([[hook, "a b", "$HOME", "'q\"", ";"]], context());
    expect(await readFile(at("out"), "utf8")).toBe(`a b|$HOME|'q"|;|before|none||`);
  });

  it("gets the result after the actions, as JSON, and its outcome", async () => {
    const hook = await writeHook(`#!/bin/sh\necho "$BACKUP_HOOK $BACKUP_RESULT" > "$OUT"; cat >> "$OUT"`);
    await runHooks([[hook]], context({ result: RESULT }));
    const [head, json = "", ...rest] = (await readFile(at("out"), "utf8")).split("\n");
    expect([head, JSON.parse(json), rest]).toEqual(["after partial", RESULT, [""]]);
  });

  it("need not read its input, however long that is", async () => {
    const name = "x".repeat(1000);
    const action = { ...RESULT, name, type: "imap", destination: name, outcome: "ok", status: 0 } as const;
    const result = { ...RESULT, actions: Array.from({ length: 1000 }, () => action) };
    await runHooks([["true"]], context({ result }));
    await runHooks([["sh", "-c", "exec 0<&-; sleep 0.1"]], context({ result }));
    const hook = await writeHook(`#!/bin/sh\nsleep 0.1; cat > "$OUT"`);
    await runHooks([[hook]], context({ result }));
    expect(JSON.parse(await readFile(at("out"), "utf8"))).toEqual(result);
  });

  it("is over when its program has ended, though what it left holds its input and never reads", async () => {
    const result = { ...RESULT, actions: [{ ...ACTION, name: "x".repeat(1_000_000) }] };
    await runHooks([["sh", "-c", 'sleep 60 <&0 & echo $! > "$OUT"']], context({ result }));
    const pid = Number(await readFile(at("out"), "utf8"));
    expect(await isRunning(pid)).toBe(true);
    process.kill(pid);
  });

  it("gets no address of mail or pings, and what else there is", async () => {
    const reports = { MAIL_TO: "a@b", MAIL_URL: "smtp://u:p@h", PING_URL: "http://h/1", PING_FAIL_URL: "http://h/2" };
    const env = { PATH: process.env.PATH, OUT: at("out"), METRICS_FILE: "/m", PING_HOST: "h", ...reports };
    await runHooks([["sh", "-c", 'env | grep -E "^(MAIL|PING|METRICS)_" | sort > "$OUT"']], context({ env }));
    expect(await readFile(at("out"), "utf8")).toBe("METRICS_FILE=/m\nPING_HOST=h\n");
  });

  it("does not start itself again by a `backup` that it runs", async () => {
    const env = { PATH: process.env.PATH, OUT: at("out"), BACKUP_BEFORE: "/x", BACKUP_AFTER: "/y", BACKUP_DIR: "/z" };
    await runHooks([["sh", "-c", 'env | grep ^BACKUP_ | sort > "$OUT"']], context({ env }));
    expect(await readFile(at("out"), "utf8")).toBe("BACKUP_DIR=/z\nBACKUP_HOOK=before\n");
  });

  it("that fails says which and how, and no other runs after it", async () => {
    const last = ["touch", at("out")] as const;
    await expectFailed(
      runHooks([["sh", "-c", "exit 7"], last], context()),
      /^the hook sh \(before the actions\) ended with status 7; what it printed may say why$/,
    );
    await expectFailed(
      runHooks([["sh", "-c", "kill -KILL $$"], last], context({ result: RESULT })),
      /^the hook sh \(after the actions\) was ended by SIGKILL;/,
    );
    await expect(readFile(at("out"))).rejects.toThrow("ENOENT");
  });

  it("that cannot be started says why", async () => {
    await expectFailed(runHooks([[at("none")]], context()), /hook \S+\/none .*\(ENOENT\): there is no such program/);
    const hook = await writeHook("#!/bin/sh\n", 0o644);
    await expectFailed(runHooks([[hook]], context()), /hook \S+\/hook .*\(EACCES\): it is not executable/);
    await mkdir(at("d"));
    await expectFailed(runHooks([[at("d")]], context({ result: RESULT })), /hook \S+\/d .*after.*\(EACCES\)/);
    await expectFailed(runHooks([["bad\0name"]], context()), /cannot be started/);
  });

  it("is stopped with all that it started, and killed when it does not mind", async () => {
    const hook = await writeHook(`#!/bin/sh\ntrap '' TERM\nsleep 60 & echo $! > "$OUT"\nwait; sleep 60`);
    const stop = new AbortController();
    const reason = new BackupError("ABORTED", "stopped by SIGTERM");
    const running = runHooks([[hook]], context({ signal: stop.signal }));
    await expect
      .poll(() => readFile(at("out"), "utf8").catch(() => ""), { interval: 10, timeout: 60_000 })
      .toMatch(/\n/);
    const began = performance.now();
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(performance.now() - began).toBeGreaterThan(1900);
    expect(performance.now() - began).toBeLessThan(busy(4000));
    const pid = Number(await readFile(at("out"), "utf8"));
    expect(await isRunning(pid)).toBe(false);
  });

  it("that takes longer than its time is said to have failed", async () => {
    const signal = AbortSignal.timeout(200);
    const began = performance.now();
    await expectFailed(
      runHooks([["sleep", "60"]], context({ signal, result: RESULT })),
      /sleep \(after .* took too long/,
    );
    expect(performance.now() - began).toBeLessThan(busy(1500));
    await expectFailed(runHooks([["touch", at("out")]], context({ signal, result: RESULT })), /was not started/);
    await expect(readFile(at("out"))).rejects.toThrow("ENOENT");
  });
});
