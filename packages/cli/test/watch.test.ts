import { execFile } from "node:child_process";
import { lstat, readFile, readdir, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { type Result, type Running, runBackup, startBackup, writeSecret } from "../../../test/support/command.js";
import { type FakeImap, makeFolder, startFakeImap } from "../../../test/support/fake-imap.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { type Health, illness, readHealth as readHealthOf } from "../src/health.js";

const EVERY_SECOND = "* * * * * *";
const MS = 10_000;

let server: FakeImap;
let directory: TemporaryDirectory;
let file: string;
let health: string;
let secret: string;
let running: (Running & { readonly output: () => string }) | undefined;

beforeEach(async () => {
  server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(3)]]) });
  directory = await temporaryDirectory();
  file = join(directory.path, "plan.yaml");
  health = join(directory.path, "health.json");
  secret = await writeSecret(directory.path, "alice.password", "secret");
});
afterEach(async () => {
  if (running?.child.exitCode === null) running.child.kill("SIGKILL");
  await running?.result;
  running = undefined;
  await server?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** An action of a plan file; JSON is YAML. */
function action(name: string, more: object = {}) {
  const at = { server: `imaps://localhost:${server.tlsPort}`, "tls-ca": server.caFile, srcsecret: secret };
  return { name, type: "imap", user: "alice", destination: join(directory.path, name), ...at, ...more };
}

async function writePlan(...actions: readonly object[]): Promise<void> {
  await writeFile(file, JSON.stringify({ actions }, undefined, 2));
}

/** Starts a watch of the plan. */
function watch(more: readonly string[] = []) {
  const started = startBackup(["run", "--watch", file, ...more], { BACKUP_HEALTH_FILE: health });
  let seen = "";
  for (const stream of [started.child.stdout, started.child.stderr])
    stream?.on("data", (data: Buffer) => {
      seen += data.toString();
    });
  running = { ...started, output: () => seen };
  return running;
}

/** Waits until it has said this, so many times. */
async function said({ output }: { readonly output: () => string }, what: string, times = 1): Promise<void> {
  await expect.poll(() => output().split(what).length - 1, { timeout: MS, interval: 20 }).toBeGreaterThanOrEqual(times);
}

/** Ends it; resolves to what it was, and to how long that took, milliseconds. */
async function terminate({ child, result }: Running): Promise<Result & { readonly took: number }> {
  const sent = performance.now();
  child.kill("SIGTERM");
  const ended = await result;
  return { ...ended, took: performance.now() - sent };
}

async function readHealth(): Promise<Health> {
  return JSON.parse(await readFile(health, "utf8")) as Health;
}

function askHealth(): Promise<Result> {
  return runBackup(["health"], { BACKUP_HEALTH_FILE: health });
}

describe("backup run --watch", () => {
  it("runs what is due again and again, says when, and ends with 0 when nothing runs", async () => {
    await writePlan(
      action("often", { schedule: EVERY_SECOND, "time-zone": "Asia/Tokyo" }),
      action("rarely", { schedule: "0 0 1 1 *", "time-zone": "Europe/Berlin" }),
      action("once"),
    );
    const watching = watch();
    await said(watching, "\n[often] done: ", 2);
    await said(watching, "next: often, ", 2);
    const { next, last, pid } = await readHealth();
    expect({ last: last?.outcome, pid }).toEqual({ last: "ok", pid: watching.child.pid });
    expect(Math.abs(Date.parse(next ?? "") - Date.now())).toBeLessThan(5000);
    expect((await lstat(health)).mode & 0o777).toBe(0o600);
    expect(await askHealth()).toMatchObject({ code: 0, stdout: "alive and well\n", stderr: "" });
    const { code, stdout, stderr, took } = await quietly(watching);
    // On a busy machine a run may take longer than a second.
    const wrong = stderr.replace(/^warning: often was due at .* and still runs; .*\n/gm, "");
    expect({ code, wrong }).toEqual({ code: 0, wrong: "" });
    expect(took).toBeLessThan(busy(2000));
    const newYear = `${new Date().getFullYear() + 1}-01-01 00:00:00 Europe/Berlin`;
    expect(stdout.split("\n").slice(0, 4)).toEqual([
      `watching ${file}: 3 actions`,
      expect.stringMatching(/^ {2}often: 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d Asia\/Tokyo$/),
      `  rarely: ${newYear}`,
      "  once: now, and not again",
    ]);
    expect(stdout.split("\n[once] done: ")).toHaveLength(2);
    expect(stdout).not.toContain("[rarely]");
    expect(stdout).toMatch(/\n(?:OK .*\n)+\d actions?: \d OK in .*\nnext: often, /);
    // Nothing is left, neither the file nor one on its way.
    expect((await readdir(directory.path)).filter((name) => name.startsWith("health"))).toEqual([]);
    expect(await askHealth()).toMatchObject({ code: 0, stdout: "not in watch mode\n" });
  });

  /** SIGTERM in a moment in which nothing runs: what waits for its time is all there is. */
  async function quietly(watching: Running & { readonly output: () => string }) {
    await writePlan(action("rarely", { schedule: "0 0 1 1 *" }));
    watching.child.kill("SIGHUP");
    await said(watching, "1 action\n");
    await setTimeout(1500);
    return terminate(watching);
  }

  it("leaves out what still runs; SIGTERM interrupts it, with 130", async () => {
    await writePlan(
      action("slow", { schedule: EVERY_SECOND }),
      action("fast", { schedule: EVERY_SECOND, user: "bob" }),
    );
    server.fault = ({ command }) => (command === "LIST" ? { type: "stall" } : undefined);
    const watching = watch();
    await said(watching, "warning: slow was due at ", 2);
    // What is due beside it does not wait for it.
    await said(watching, "[fast] KO: ", 2);
    const { code, stderr, stdout, took } = await terminate(watching);
    expect(code).toBe(130);
    expect(took).toBeLessThan(busy(4000));
    expect(stderr).toMatch(/\nwarning: slow was due at 20\d\d-.* and still runs; it is left out this time\n/);
    expect(stderr.match(/backup: stopped by SIGTERM; .*\n/g)).toHaveLength(1);
    expect(stdout).toMatch(/^INTERRUPTED\s+imap slow/m);
    expect(await readdir(directory.path)).not.toContain("health.json");
  });

  it("goes on after a failed run, and backup health names what failed", async () => {
    await writePlan(action("wrong", { schedule: EVERY_SECOND, user: "bob" }));
    const watching = watch();
    await said(watching, "[wrong] KO: ", 2);
    await expect.poll(async () => (await readHealth()).last?.failed, { timeout: MS }).toEqual(["wrong"]);
    const ill = await askHealth();
    expect(ill).toMatchObject({ code: 1, stdout: "" });
    expect(ill.stderr).toMatch(
      /^backup: what failed when it last ran \(the last run ended at 20\S+\): wrong; its log says why\n$/,
    );
    const { code } = await terminate(watching);
    // Depends on whether it ran at that moment.
    expect([0, 130]).toContain(code);
  });

  it("does not forget a failed action when another one ends well, but when the plan has it no more", async () => {
    const good = action("good", { schedule: EVERY_SECOND });
    await writePlan(good, action("wrong", { user: "bob" }));
    const watching = watch();
    await said(watching, "[wrong] KO: ");
    await said(watching, "[good] done: ", 3);
    expect(await askHealth()).toMatchObject({ code: 1, stderr: expect.stringContaining("): wrong; ") });
    await writePlan(good);
    watching.child.kill("SIGHUP");
    await said(watching, "1 action\n");
    await expect.poll(async () => (await askHealth()).code, { timeout: MS }).toBe(0);
    await terminate(watching);
  });

  it("reads the plan again on SIGHUP; a broken one changes nothing", async () => {
    await writePlan(action("old", { schedule: EVERY_SECOND }));
    const watching = watch(["--json"]);
    await said(watching, '"type":"summary"');
    await writeFile(file, "actions: [nonsense\n");
    watching.child.kill("SIGHUP");
    await said(watching, `${file}:`);
    await said(watching, "the plan as it was goes on");
    const before = watching.output().split('"type":"summary"').length;
    await said(watching, '"type":"summary"', before + 1);
    await writePlan(action("new", { schedule: EVERY_SECOND }));
    watching.child.kill("SIGHUP");
    await said(watching, '"type":"schedule","action":"new"');
    await said(watching, '"type":"end"', 1);
    await expect.poll(() => readdir(directory.path), { timeout: MS }).toContain("new");
    const { code, stdout } = await terminate(watching);
    expect([0, 130]).toContain(code);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; code?: string });
    expect(events.filter(({ type }) => type === "error")[0]).toMatchObject({ code: "PLAN_INVALID" });
    expect(events).toContainEqual({ type: "watch", file, actions: 1 });
  });

  it("refuses a plan without any schedule", async () => {
    await writePlan(action("a"), action("b"));
    const { code, stdout, stderr } = await runBackup(["run", "--watch", file], { BACKUP_HEALTH_FILE: health });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(
      /no action has a schedule, so there is nothing to wait for; write schedule: "17 3 \* \* \*"/,
    );
    expect(await readdir(directory.path)).not.toContain("a");
  });

  it("refuses what it could not report later", async () => {
    await writePlan(action("a", { schedule: "@daily" }));
    const { code, stdout, stderr } = await runBackup(["run", "--watch", file], { BACKUP_AFTER: "relative" });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("BACKUP_AFTER");
  });

  it("goes on without a health file that cannot be written, and says so once", async () => {
    await writePlan(action("a", { schedule: EVERY_SECOND }));
    health = join(directory.path, "missing/health.json");
    const watching = watch();
    await said(watching, "[a] done: ", 2);
    const { stderr } = await terminate(watching);
    expect(stderr.match(/the health file .* cannot be written \(ENOENT\)/g)).toHaveLength(1);
  });

  it("puts its health file in the place of a symbolic link, and leaves alone what that points to", async () => {
    const other = join(directory.path, "other");
    await writeFile(other, "mine");
    await symlink(other, health);
    await writePlan(action("a", { schedule: EVERY_SECOND }));
    const watching = watch();
    await said(watching, "[a] done: ");
    expect((await lstat(health)).isFile()).toBe(true);
    expect((await readHealth()).pid).toBe(watching.child.pid);
    await terminate(watching);
    expect(await readFile(other, "utf8")).toBe("mine");
  });
});

describe("backup health", () => {
  const well: Health = { at: new Date().toISOString(), pid: 1, next: null, last: null };
  const ask = async (content: Health | string): Promise<Result> => {
    await writeFile(health, typeof content === "string" ? content : JSON.stringify(content));
    return askHealth();
  };

  it("is well outside of watch mode", async () => {
    expect(await askHealth()).toMatchObject({ code: 0, stdout: "not in watch mode\n", stderr: "" });
  });

  it("says what it needs where it is not told of a file", async () => {
    for (const env of [{}, { BACKUP_HEALTH_FILE: "" }]) {
      const { code, stdout, stderr } = await runBackup(["health"], env);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(/^backup: .*BACKUP_HEALTH_FILE names, which is not set; set it to .*\n$/);
    }
  });

  it("is ill when the file is from the future", () => {
    const after = (seconds: number) => ({ ...well, at: new Date(Date.parse(well.at) + seconds * 1000).toISOString() });
    expect(illness(after(55), Date.parse(well.at))).toBeUndefined();
    expect(illness(after(65), Date.parse(well.at))).toMatch(
      /^the watch says that it is 65 s later than it is; set the clock/,
    );
  });

  it("is ill when the watch has not been heard of for two minutes", async () => {
    const before = (seconds: number) => ({ ...well, at: new Date(Date.now() - seconds * 1000).toISOString() });
    expect(illness(before(115), Date.now())).toBeUndefined();
    const { code, stderr } = await ask(before(125));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^backup: the watch has not been heard of for 12\d s; .*start it again\n$/);
  });

  it("is ill after a failure only", async () => {
    const last = (outcome: "ok" | "partial" | "failed" | "interrupted"): Health => ({
      ...well,
      last: { outcome, at: well.at, failed: outcome === "failed" ? ["alice", "b\x1b[2J"] : [] },
    });
    for (const outcome of ["ok", "partial", "interrupted"] as const)
      expect(illness(last(outcome), Date.now())).toBeUndefined();
    const { code, stderr } = await ask(last("failed"));
    expect(code).toBe(1);
    expect(stderr).toContain("): alice, b\\u{1b}[2J; its log says why");
  });

  it("is ill when the file is none of a watch", async () => {
    expect(await ask("{")).toMatchObject({ code: 1, stderr: expect.stringContaining("backup did not write") });
    for (const content of ["", "null", "7", "{}", '{"at":"never","last":null}', '{"at":"2026-01-01","last":{}}']) {
      await writeFile(health, content);
      await expect(readHealthOf(health)).rejects.toMatchObject({ code: "UNSAFE_PATH" });
    }
    await unlink(health);
    await promisify(execFile)("mkfifo", [health]);
    await expect(readHealthOf(health)).rejects.toMatchObject({ code: "UNSAFE_PATH" });
    await unlink(health);
    const other = join(directory.path, "other");
    await writeFile(other, JSON.stringify(well));
    await symlink(other, health);
    expect(await askHealth()).toMatchObject({ code: 1, stderr: expect.stringContaining("is a symbolic link") });
  });

  it("prints an object with --json", async () => {
    await writeFile(health, JSON.stringify(well));
    const { stdout } = await runBackup(["health", "--json"], { BACKUP_HEALTH_FILE: health });
    expect(JSON.parse(stdout)).toEqual({ type: "health", healthy: true, message: "alive and well", ...well });
  });
});
