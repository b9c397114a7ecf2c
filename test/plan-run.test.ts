import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { busy } from "./support/busy.js";
import type { CommandContext } from "../packages/cli/src/commands/subcommand.js";
import { NO_HOOKS } from "../packages/cli/src/hooks.js";
import { readJournal } from "../packages/cli/src/journal.js";
import { runPlanSession } from "../packages/cli/src/plan-session.js";
import type { Plan } from "../packages/cli/src/plan/plan.js";
import { manyRenderer } from "../packages/cli/src/render/many.js";
import { Turns } from "../packages/cli/src/turns.js";
import { PLUGINS, imapType } from "../packages/cli/test/support/types.js";
import { fillAccount, readServer } from "./support/account.js";
import { type Result, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { makeFolder, startFakeImap } from "./support/fake-imap.js";
import type { MailServer } from "./support/mail-server.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const USERS = ["alice", "bob", "carol"];

let server: MailServer;
let directory: TemporaryDirectory;

beforeAll(async () => {
  server = await startDovecot({ users: Object.fromEntries(USERS.map((user) => [user, "secret"])) });
  for (const [index, user] of USERS.entries()) await fillAccount(server, { user, messages: 20 + 10 * index });
});
afterAll(async () => await server?.stop());
beforeEach(async () => {
  directory = await temporaryDirectory();
  await writeSecret(directory.path, "good", "secret");
  await writeSecret(directory.path, "wrong", "never");
  return () => directory[Symbol.asyncDispose]();
});

function at(name: string): string {
  return join(directory.path, name);
}

/** An action of a plan file. */
function action(user: string, more: object = {}) {
  const where = { server: `imaps://localhost:${server.tlsPort}`, "tls-ca": server.caFile };
  return { name: user, type: "imap", user, destination: at(user), srcsecret: at("good"), ...where, ...more };
}

/** Writes a plan file; JSON is YAML. */
async function planOf(actions: readonly object[], more: object = {}): Promise<string> {
  const file = at("plan.yaml");
  await writeFile(file, JSON.stringify({ concurrency: 2, ...more, actions }));
  return file;
}

type Event = { readonly type: string; readonly action?: string };

function eventsOf({ stdout }: Result): readonly Event[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
}

/** How many of them ran at once, at most. */
function overlap(events: readonly Event[]): number {
  const running = new Set<string | undefined>();
  let most = 0;
  for (const { type, action: name } of events) {
    if (type === "start") running.add(name);
    if (type === "end" || type === "error") running.delete(name);
    most = Math.max(most, running.size);
  }
  return most;
}

async function expectBackedUp(user: string): Promise<void> {
  expect(await readTree(at(user))).toEqual(expectedTree(await readServer(server, user)));
}

describe("backup run plan.yaml", () => {
  it("runs all actions; one that fails stops no other", async () => {
    const actions = [action("alice"), action("bob", { srcsecret: at("wrong") }), action("carol")];
    const file = await planOf(actions, { reports: { metrics: at("metrics") } });
    const { code, stdout, stderr } = await runBackup(["run", file]);
    expect(code).toBe(1);
    const metrics = await readFile(at("metrics"), "utf8");
    for (const user of USERS) expect(metrics).toContain(`action="${user}"`);
    await expectBackedUp("alice");
    await expectBackedUp("carol");
    expect(await readdir(directory.path)).not.toContain("bob");
    expect(stderr).toMatch(/^\[bob\] KO: .*password.*\n$/);
    const lines = stdout.trimEnd().split("\n");
    const summary = lines.findIndex((line) => /^(OK|KO) /.test(line));
    for (const line of lines.slice(0, summary)) expect(line).toMatch(/^\[(alice|bob|carol)\] \S/);
    expect(lines.slice(summary).join("\n")).toMatch(
      /^OK .*alice.*\nKO .*bob.*\n.*password.*\nOK .*carol.*\n3 actions: 2 OK, 1 KO in .*s$/,
    );
    // Nothing changed: quiet is silent but for what is wrong, and says it once.
    const again = await runBackup(["run", file, "-q"]);
    expect(again).toMatchObject({ code: 1, stderr: "" });
    expect(again.stdout).toMatch(/^KO .*bob.*\n.*password.*\n$/);
    expect(again.stdout).not.toMatch(/alice|carol/);
  });

  it("runs so many at once, and no more; --json says of every event whose it is", async () => {
    const file = await planOf(USERS.map((user) => action(user)));
    const result = await runBackup(["run", file, "--json"]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const events = eventsOf(result);
    expect(overlap(events)).toBe(2);
    const last = events.at(-1);
    expect(last).toMatchObject({ type: "summary", outcome: "ok", status: 0 });
    for (const event of events.slice(0, -1)) expect(USERS).toContain(event.action);
    for (const user of USERS) {
      const own = events.filter((event) => event.action === user).map(({ type }) => type);
      expect([own[0], own.at(-1)]).toEqual(["start", "end"]);
      await expectBackedUp(user);
    }
    const one = await runBackup([
      "run",
      await planOf(
        USERS.map((user) => action(user)),
        { concurrency: 1 },
      ),
      "--json",
    ]);
    expect(one.code).toBe(0);
    expect(overlap(eventsOf(one))).toBe(1);
    const host = { concurrency: 3, "connections-per-host": 1 };
    const kind = await runBackup([
      "run",
      await planOf(
        USERS.map((user) => action(user)),
        host,
      ),
      "--json",
    ]);
    expect(kind.code).toBe(0);
    expect(overlap(eventsOf(kind))).toBe(1);
  });

  it("SIGTERM ends it with 130: what runs and what waits is listed, and the next run has it all", async () => {
    await using silent = await startFakeImap({ folders: new Map([["INBOX", makeFolder(3)]]) });
    silent.fault = ({ command }) => (command === "LIST" ? { type: "stall" } : undefined);
    const stalling = action("alice", { server: `imaps://localhost:${silent.tlsPort}`, "tls-ca": silent.caFile });
    const file = await planOf([stalling, action("bob"), action("carol")], { concurrency: 1 });
    const { child, result } = startBackup(["run", file]);
    await expect.poll(() => silent.commands.join("\n"), { interval: 10, timeout: 60_000 }).toContain("LIST");
    const sent = performance.now();
    child.kill("SIGTERM");
    const { code, stdout, stderr } = await result;
    expect(performance.now() - sent).toBeLessThan(busy(4000));
    expect(code).toBe(130);
    expect(stderr).toMatch(/^backup: stopped by SIGTERM; what was copied is kept, .*\n$/);
    for (const user of USERS) expect(stdout).toMatch(new RegExp(`^INTERRUPTED +imap ${user} `, "m"));
    expect((await readdir(directory.path)).toSorted()).toEqual(["good", "plan.yaml", "wrong"]);
    const next = await runBackup(["run", await planOf(USERS.map((user) => action(user)))]);
    expect(next).toMatchObject({ code: 0, stderr: "" });
    for (const user of USERS) await expectBackedUp(user);
  });

  it("runs more at once than Node warns of listeners for", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `alice-${index}`);
    const limits = { concurrency: names.length, "connections-per-host": names.length };
    const actions = names.map((name) => action(name, { user: "alice", folder: ["Sent Items"] }));
    const { code, stdout, stderr } = await runBackup(["run", await planOf(actions, limits)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("12 actions: 12 OK in ");
  });

  it("writes nothing in a dry run, and runs no hook", async () => {
    const hooks = { before: [["touch", at("hooked")]], after: [["touch", at("hooked")]] };
    const file = await planOf([action("alice", hooks), action("bob")], hooks);
    const runs = [await runBackup(["run", "--dry-run", file]), await runBackup(["run", file], { DRY_RUN: "1" })];
    for (const { code, stdout, stderr } of runs) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^\[alice\] dry run, nothing was written: .* [1-9]\d* new/m);
      expect(stdout.trimEnd().split("\n").at(-1)).toContain("dry run");
    }
    const quiet = await runBackup(["run", "--dry-run", "-q", file]);
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
    expect(quiet.stdout).toMatch(/^(?:OK {2}imap \w+ .* \d+ new.* \(dry run\)\n){2}2 actions: 2 OK .*dry run.*\n$/);
    expect((await readdir(directory.path)).toSorted()).toEqual(["good", "plan.yaml", "wrong"]);
  });

  it("does not count as a backup what its defaults make a dry run", async () => {
    const file = await planOf([action("alice"), action("bob", { "dry-run": false })], {
      defaults: { "dry-run": true },
      reports: { metrics: at("metrics") },
    });
    const { code, stdout } = await runBackup(["run", file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^OK {2}imap alice .* \(dry run\)\nOK {2}imap bob .*[^)]\n2 actions: 2 OK in \S+\n$/m);
    const metrics = await readFile(at("metrics"), "utf8");
    expect(metrics).toMatch(/^backup_last_success_timestamp_seconds\{action="bob"/m);
    expect(metrics).not.toContain('action="alice"');
  });

  it("has failed in each of its actions when its hook before them fails", async () => {
    const file = await planOf([action("alice"), action("bob")], {
      before: [["false"]],
      reports: { metrics: at("metrics") },
    });
    const { code, stdout } = await runBackup(["run", file]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^KO {2}imap alice .*\n.*the hook false .*\nKO {2}imap bob .*\n.*the hook false .*\n2 actions: 2 KO in /,
    );
    const metrics = await readFile(at("metrics"), "utf8");
    for (const user of ["alice", "bob"])
      expect(metrics).toMatch(new RegExp(`^backup_last_status\\{action="${user}".* 2$`, "m"));
  });

  it("runs the hooks of an action around it; a failed one before is its end, one after is told", async () => {
    const note = (word: string) => ["sh", "-c", `echo ${word} >> ${at("log")}`];
    const keep = ["sh", "-c", `cat > ${at("result.json")}`];
    const file = await planOf(
      [
        action("alice", { before: [note("before-alice")], after: [keep, note("after-alice")] }),
        action("bob", { before: [["false"]], after: [note("after-bob")] }),
      ],
      { concurrency: 1, before: [note("before-all")], after: [note("after-all")] },
    );
    const failed = await runBackup(["run", file]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/^\[bob\] KO: .*false.*\n$/);
    expect((await readFile(at("log"), "utf8")).split("\n")).toEqual([
      "before-all",
      "before-alice",
      "after-alice",
      "after-bob",
      "after-all",
      "",
    ]);
    expect(JSON.parse(await readFile(at("result.json"), "utf8"))).toMatchObject({
      outcome: "ok",
      actions: [{ name: "alice", outcome: "ok" }],
    });
    await expectBackedUp("alice");
    expect(await readdir(directory.path)).not.toContain("bob");

    const after = await planOf([action("alice", { after: [["false"]] }), action("bob")]);
    const problem = await runBackup(["run", after]);
    expect(problem.code).toBe(4);
    expect(problem.stderr).toMatch(/^warning: .*false.*\n$/);
    expect(problem.stdout).toMatch(/2 actions: 2 OK in /);
    await expectBackedUp("bob");
  });

  it("inside of a script leaves the list to whoever runs that, and sends its own reports alone", async () => {
    const journal = at("journal");
    const actions = [action("alice"), action("bob", { srcsecret: at("wrong") })];
    const file = await planOf(actions, { reports: { metrics: at("metrics") } });
    const { code, stdout } = await runBackup(["run", file], {
      BACKUP_JOURNAL: journal,
      METRICS_FILE: at("other metrics"),
    });
    expect(code).toBe(1);
    expect(stdout).not.toContain("2 actions");
    const there = await readdir(directory.path);
    expect(there).toContain("metrics");
    expect(there).not.toContain("other metrics");
    const noted = readJournal(journal).actions;
    expect(noted.map(({ name, outcome }) => [name, outcome])).toEqual([
      ["alice", "ok"],
      ["bob", "failed"],
    ]);
  });
});

describe("on a terminal", () => {
  const MAIN = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));

  /** By script(1): stdout and stderr are one. */
  function startOnTerminal(file: string) {
    const words = [process.execPath, MAIN, "run", file].map((word) => `'${word}'`);
    const child = spawn("script", ["-qec", `stty cols 100; exec ${words.join(" ")}`, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let screen = "";
    child.stdout.on("data", (data: Buffer) => {
      screen += data.toString();
    });
    const ended = once(child, "close") as Promise<[number | null]>;
    return { child, ended, screen: () => screen };
  }

  it("each action has a bar while it runs, and nothing of that stays", async () => {
    const { ended, screen } = startOnTerminal(await planOf(USERS.map((user) => action(user))));
    const [code] = await ended;
    expect(code).toBe(0);
    // Of one that is quick it does not show.
    expect(screen()).toMatch(new RegExp(`(?:${USERS.join("|")}) *░{8} 0% {2}looking for changes`));
    const left = screen().slice(screen().lastIndexOf("\x1b[?25h"));
    expect(left).toMatch(/3 actions: 3 OK in .*\r\n$/);
    expect(left.replace("\x1b[?25h", "").replaceAll(/\x1b\[(\?7h|1G|0J|\d+A)/g, "")).not.toMatch(/[█░\x1b]/);
  });

  it.each([1, 2])("gives the cursor back when it is stopped (%d times)", async (times) => {
    await using silent = await startFakeImap({ folders: new Map([["INBOX", makeFolder(3)]]) });
    silent.fault = ({ command }) => (command === "LIST" ? { type: "stall" } : undefined);
    const stalling = { server: `imaps://localhost:${silent.tlsPort}`, "tls-ca": silent.caFile, user: "alice" };
    const { child, ended, screen } = startOnTerminal(await planOf(USERS.map((user) => action(user, stalling))));
    await expect.poll(screen, { timeout: 60_000 }).toMatch(/looking for changes[^]*looking for changes/);
    expect(screen()).toContain("\x1b[?25l");
    for (let press = 0; press < times; press++) child.stdin.write("\x03");
    const [code] = await ended;
    expect(code).toBe(130);
    expect(screen().lastIndexOf("\x1b[?25h")).toBeGreaterThan(screen().lastIndexOf("\x1b[?25l"));
    expect(screen().lastIndexOf("\x1b[?7h")).toBeGreaterThan(screen().lastIndexOf("\x1b[?7l"));
  });
});

describe("actions on one destination", () => {
  it("wait for each other", async () => {
    const more = { server: `imaps://localhost:${server.tlsPort}`, tlsCa: server.caFile, srcsecret: at("good") };
    const flags = {
      folder: [],
      excludeFolder: [],
      namespace: [],
      timeout: 60,
      connections: 4,
      full: false,
      hist: false,
      histkeep: false,
      watch: false,
      watchFolder: [],
      keepDeleted: false,
      allowDeletes: false,
      dryRun: false,
    };
    const create = (name: string, dest: string) => {
      const args = { ...more, ...flags, name, dest, user: "alice" };
      return { action: imapType.create(args), hooks: NO_HOOKS };
    };
    const plan: Plan = {
      file: "plan.yaml",
      plugins: PLUGINS,
      limits: { concurrency: 4, perHost: 4 },
      reports: {},
      hooks: NO_HOOKS,
      actions: [create("one", at("alice")), create("two", `${at("alice")}/`), create("other", at("other"))],
    };
    const lines: string[] = [];
    const out = { write: (text: string) => lines.push(text) };
    const options = { json: true, quiet: true, verbose: false, debug: false };
    const { signal } = new AbortController();
    const context: CommandContext = {
      ...options,
      signal,
      secrets: directory.path,
      // Part of a script's run: it prints no list.
      env: { BACKUP_JOURNAL: at("journal") },
      plugins: PLUGINS,
      allowToEnd: () => {},
      onLeave: () => {},
    };
    const view = manyRenderer(out, out, options);
    const input = { plan, actions: plan.actions, turns: new Turns(plan.limits), view, dryRun: false };
    const { result, status } = await runPlanSession(input, context);
    expect({ status, outcome: result.outcome }).toEqual({ status: 0, outcome: "ok" });
    const events = eventsOf({ code: 0, signal: null, stdout: lines.join(""), stderr: "" });
    expect(overlap(events.filter(({ action: name }) => name !== "other"))).toBe(1);
    expect(overlap(events)).toBe(2);
    await expectBackedUp("alice");
    // A watch has one signal for months.
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
