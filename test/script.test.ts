import { readFile, readdir, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { runBackup } from "./support/command.js";
import { ALICE, BOB, KO, MIDST, SLOW, summaryOf, useScripts } from "./support/scripts.js";

const scripts = useScripts();
const { at, writeScript, runScript, expectMirrored } = scripts;

describe("a script", () => {
  it("goes on after an action that fails, lists all of them, and is KO", async () => {
    const result = await runScript([ALICE, KO, BOB].join("\n"));
    expect(result.code).toBe(1);
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^OK {2}imap alice → \S+\/dest\/alice {2}24 new, 0 deleted, \d+(\.\d)? kB, [\d.]+m?s$/),
      expect.stringMatching(/^KO {2}imap alice → \S+\/dest\/ko {2,}[\d.]+m?s$/),
      expect.stringMatching(/^ {4}\S+ refused the login of alice/),
      expect.stringMatching(/^OK {2}imap bob → \S+\/dest\/bob {2,}14 new, 0 deleted, \d+(\.\d)? kB, [\d.]+m?s$/),
      expect.stringMatching(/^3 actions: 2 OK, 1 KO in [\d.]+s$/),
    ]);
    await expectMirrored("alice");
    await expectMirrored("bob");
  });

  it("is OK when all is", async () => {
    const result = await runScript(`${ALICE}\n${BOB}`);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(summaryOf(result).at(-1)).toMatch(/^2 actions: 2 OK in /);
  });

  it("that says it went well after one failed is KO", async () => {
    const result = await runScript(`${KO} || true\nexit 0`);
    expect(result.code).toBe(1);
    expect(summaryOf(result).at(-1)).toMatch(/^1 action: 1 KO in /);
  });

  it("whose actions are partly done at worst is partly done", async () => {
    const result = await runScript(`${ALICE} --folder INBOX --folder none\n${BOB}`);
    expect(result.code).toBe(3);
    expect(summaryOf(result)[0]).toMatch(/^PARTLY {2}imap alice .* 1 failed, /);
    expect(summaryOf(result).at(-1)).toMatch(/^2 actions: 1 OK, 1 PARTLY in /);
  });

  it("lists an action that never began for its arguments", async () => {
    const result = await runScript(`backup imap alice\nbackup\nbackup pop3 x\n${BOB}`);
    expect(result.code).toBe(1);
    const summary = summaryOf(result);
    expect(summary[0]).toMatch(/^KO {2}imap alice /);
    expect(summary[1]).toMatch(/^ +DEST, SERVER missing/);
    expect(summary.at(-1)).toMatch(/^4 actions: 1 OK, 3 KO in /);
  });

  it("lists an action that was killed", async () => {
    scripts.proxy.fault = { kind: "stall", afterBytes: MIDST };
    const result = await runScript(`
      ${SLOW} & until grep -q begin "$BACKUP_JOURNAL"; do sleep 0.05; done
      kill -KILL $!; wait`);
    expect(result.code).toBe(1);
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^KO {2}imap alice → /),
      expect.stringMatching(/^ +was ended from outside before it could say how it went/),
      expect.stringMatching(/^1 action: 1 KO in /),
    ]);
  });

  it("may name its actions, whatever the names do to a terminal", async () => {
    const result = await runScript(`${ALICE} --name $'evil\\e[2J\\nOK  all'\n${BOB} --name 'Bob'"'"'s mail'`);
    expect(result.code).toBe(0);
    const summary = summaryOf(result);
    expect(summary).toHaveLength(3);
    expect(summary[0]).toContain("imap evil\\u{1b}[2J\\u{a}OK  all");
    expect(summary[1]).toMatch(/^OK {2}imap Bob's mail {2,}14 new/);
  });

  it("that fails by itself is KO, whatever its actions say", async () => {
    const failed = await runScript(`${BOB}\nexit 5`);
    expect(failed.code).toBe(1);
    expect(summaryOf(failed).slice(1)).toEqual([
      expect.stringMatching(/^KO {2}script \S+\/nightly /),
      expect.stringMatching(
        /^ +\S+\/nightly ended with status 5 although each action in it went well; look at its own commands$/,
      ),
      expect.stringMatching(/^2 actions: 1 OK, 1 KO in /),
    ]);
    const killed = await runScript("kill -SEGV $$");
    expect(killed.code).toBe(1);
    expect(killed.stdout).toMatch(/nightly was ended by SIGSEGV before it started any action/);
    const both = await runScript(`${KO}\nexit 7`);
    expect(summaryOf(both).at(-2)).toMatch(/ended with status 7, which is that of none of its actions/);
  });

  it("that stops at the first error is listed with that action alone", async () => {
    const result = await runScript(`set -e\n${KO}\n${BOB}`);
    expect(result.code).toBe(1);
    expect(summaryOf(result).at(-1)).toMatch(/^1 action: 1 KO in /);
    expect(await readdir(at("dest"))).toEqual([]);
  });

  it.each([
    ["that does something else", "echo nothing", []],
    ["that only looks", `backup check-destination "$DEST/alice" >/dev/null`, []],
    ["in a dry run", "echo nothing", ["--dry-run"]],
  ])("without an action, %s, is KO", async (_name, text, more) => {
    const result = await runScript(text, ...more);
    expect(result).toMatchObject({ code: 1, stderr: "" });
    expect(summaryOf(result).join("\n")).toMatch(
      /^KO {2}script \S+\/nightly .*\n +\S+\/nightly has ended and started no action, so nothing was backed up; write one into it: backup imap .*\n1 action: 1 KO in /,
    );
  });

  it("that leaves work in the background is KO, and the work is named", async () => {
    const result = await runScript(`${BOB}\nsleep 13 >/dev/null 2>&1 &`);
    expect(result).toMatchObject({ code: 1, stderr: "" });
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^OK {2}imap bob /),
      expect.stringMatching(/^KO {2}script \S+\/nightly /),
      expect.stringMatching(
        /^ +\S+\/nightly has ended and left something running .*: sleep \(\d+\); let the script wait/,
      ),
      expect.stringMatching(/^2 actions: 1 OK, 1 KO in /),
    ]);
  });

  it("one action of which is stopped alone is KO, not interrupted", async () => {
    scripts.proxy.fault = { kind: "stall", afterBytes: MIDST };
    const result = await runScript(`
      ${SLOW} & until grep -q begin "$BACKUP_JOURNAL"; do sleep 0.05; done
      kill -TERM $!; wait; ${KO}; exit 0`);
    expect(result.code).toBe(1);
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^INTERRUPTED {2}imap alice → /),
      expect.stringMatching(/^ +stopped by SIGTERM/),
      expect.stringMatching(/^KO {11}imap alice → /),
      expect.stringMatching(/^ +\S+ refused the login/),
      expect.stringMatching(/^2 actions: 1 KO, 1 INTERRUPTED in /),
    ]);
  });

  it("shows no option of an action that never began: it may be a password", async () => {
    const result = await runScript(`backup imap alice --password Xq-hidden\nbackup --password Xq-hidden imap alice`);
    expect(result.code).toBe(1);
    expect(summaryOf(result).join("\n")).toMatch(/^KO {2}imap alice .*\n.*\nKO {2}imap .*\n.*\n2 actions: 2 KO /);
    expect(result.stdout).not.toContain("Xq-hidden");
  });

  it("knows the status of a plan in it, sends the reports of that, and not those of the environment", async () => {
    const { SERVER, CA } = scripts.env;
    const common = { type: "imap", server: SERVER, "tls-ca": CA, folder: "INBOX" };
    const actions = [
      { ...common, name: "good", user: "bob", destination: at("dest/good") },
      { ...common, name: "bad", user: "bob", destination: at("dest/bad"), srcsecret: at("none") },
    ];
    const plan = at("plan.yaml");
    await writeFile(plan, JSON.stringify({ reports: { metrics: at("plan.prom") }, actions }));
    scripts.env = { ...scripts.env, PLAN: plan, METRICS_FILE: at("all.prom") };
    const result = await runScript(`${BOB}\nbackup run "$PLAN"`);
    expect(result.code).toBe(1);
    expect(summaryOf(result).at(-1)).toMatch(/^3 actions: 2 OK, 1 KO in /);
    expect(result.stdout).not.toContain("ended with status");
    const [ofPlan, ofAll] = await Promise.all(["plan.prom", "all.prom"].map((name) => readFile(at(name), "utf8")));
    expect(ofPlan?.match(/^backup_last_status.*/gm)).toHaveLength(2);
    expect(ofAll?.match(/^backup_last_status.*/gm)).toHaveLength(3);
    // A report that fails is told by the script's status too, and is no failure of it.
    await writeFile(plan, JSON.stringify({ reports: { metrics: at("none/plan.prom") }, actions: actions.slice(0, 1) }));
    const unreported = await runScript(`backup run "$PLAN"`);
    expect(unreported.code).toBe(4);
    expect(summaryOf(unreported).at(-1)).toMatch(/^1 action: 1 OK in /);
  });

  it("with a dry run in it says which, and does not count it as a backup", async () => {
    scripts.env = { ...scripts.env, METRICS_FILE: at("metrics") };
    const result = await runScript(`${ALICE} --dry-run\n${BOB}`);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^OK {2}imap alice .* \(dry run\)$/),
      expect.stringMatching(/^OK {2}imap bob .*[^)]$/),
      expect.stringMatching(/^2 actions: 2 OK in [\d.]+m?s$/),
    ]);
    const metrics = await readFile(at("metrics"), "utf8");
    expect(metrics).toContain('action="bob');
    expect(metrics).not.toContain('action="alice');
  });

  it("is not over before its actions in the background are", async () => {
    const result = await runScript(`(sleep 0.5; ${ALICE}; ${KO}) &\n${BOB} &`);
    expect(result.code).toBe(1);
    expect(summaryOf(result).at(-1)).toMatch(/^3 actions: 2 OK, 1 KO in /);
    await expectMirrored("alice");
    await expectMirrored("bob");
  });

  it("may run others: their actions are listed once, at the end", async () => {
    await writeScript(`${ALICE}\n${KO}`, { name: "inner" });
    const after = await writeScript(`#!/bin/sh\ncat >> "$DEST/hooked"`, { name: "after" });
    scripts.env = { ...scripts.env, INNER: at("inner"), BACKUP_AFTER: after };
    const result = await runScript(`backup run "$INNER"; echo "status $?"\n${BOB}\nbackup run "$INNER.none"`);
    expect(result.code).toBe(1);
    expect(result.stdout).toContain("status 1\n");
    expect(result.stdout.match(/^\d+ actions?: /gm)).toEqual(["4 actions: "]);
    expect(result.stdout).toMatch(/^KO +run \S+inner\.none /m);
    const hooked = (await readFile(at("dest/hooked"), "utf8")).trimEnd().split("\n");
    expect(hooked).toHaveLength(1);
    expect(JSON.parse(hooked[0] ?? "")).toMatchObject({
      outcome: "failed",
      actions: [{ outcome: "ok" }, { outcome: "failed" }, { outcome: "ok" }, { outcome: "failed", type: "run" }],
    });
  });

  it("is told where to note what it did, and nothing there is a problem that is said", async () => {
    const result = await runScript(`BACKUP_JOURNAL=/nowhere/journal ${BOB}; echo "status $?"`);
    expect(result.stdout).toContain("status 2\n");
    expect(result.stderr).toMatch(/BACKUP_JOURNAL names \/nowhere\/journal, which cannot be written \(ENOENT\)/);
    expect(result.stderr).not.toMatch(/^ {4}at /m);
  });

  it("has the caller's environment, directory and arguments to `backup`, and no stdin", async () => {
    scripts.env = { ...scripts.env, MINE: "a 'b' \"c\" $d" };
    const result = await runScript(`echo "$MINE"; pwd; cat; backup --version; type -p backup`);
    const version = (await runBackup(["--version"])).stdout.trim();
    const [mine, cwd, shown, program] = result.stdout.split("\n");
    expect([mine, cwd, shown]).toEqual([scripts.env.MINE, process.cwd(), version]);
    expect(program).toMatch(/\/packages\/cli\/bin\/backup$/);
  });
});

describe("hooks", () => {
  it("run once, around the script", async () => {
    scripts.env = {
      ...scripts.env,
      BACKUP_BEFORE: await writeScript(`#!/bin/sh\necho "$BACKUP_HOOK" >> "$DEST/hooks"`, { name: "before" }),
      BACKUP_AFTER: await writeScript(`#!/bin/sh\necho "$BACKUP_HOOK $BACKUP_RESULT" >> "$DEST/hooks"`, {
        name: "after",
      }),
    };
    expect((await runScript(`echo script >> "$DEST/hooks"\n${BOB}\n${KO}`)).code).toBe(1);
    expect(await readFile(at("dest/hooks"), "utf8")).toBe("before\nscript\nafter failed\n");
  });

  it("before it that fail keep it from beginning", async () => {
    scripts.env = { ...scripts.env, BACKUP_BEFORE: await writeScript("#!/bin/sh\nexit 7", { name: "before" }) };
    const result = await runScript(BOB);
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(
      /^KO {2}hook before the actions {2}[^\n]*\n +the hook \S+\/before .* ended with status 7/,
    );
    expect(await readdir(at("dest"))).toEqual([]);
    const one = await runBackup(
      ["imap", "bob", at("dest/bob"), scripts.env.SERVER ?? "", "--tls-ca", scripts.server.caFile],
      scripts.env,
    );
    expect(one).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^backup: the hook \S+\/before .* status 7[^\n]*\n$/),
    });
  });

  it("after it that fail are told, and leave the backup as it is", async () => {
    scripts.env = { ...scripts.env, BACKUP_AFTER: at("none") };
    const result = await runScript(BOB);
    expect(result.code).toBe(4);
    expect(result.stderr).toMatch(/^warning: the hook \S+\/none \(after the actions\) cannot be started \(ENOENT\)/);
    await expectMirrored("bob");
  });
});
