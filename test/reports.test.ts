import { existsSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { busy } from "./support/busy.js";
import { fillAccount, readServer } from "./support/account.js";
import { makeCertificate } from "./support/certificate.js";
import { type Result, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { type FakeImap, makeFolder, startFakeImap } from "./support/fake-imap.js";
import { type HttpServer, startHttpServer } from "./support/http-server.js";
import type { MailServer } from "./support/mail-server.js";
import { startProxy } from "./support/proxy.js";
import { type SmtpServer, startSmtpServer } from "./support/smtp-server.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

/** A part of the ping's address that is secret, and the password of the mail server. */
const KEY = "9a7c-secret-uuid";
const MAIL_PASSWORD = "xq!mail-password";

let imap: MailServer;
let directory: TemporaryDirectory;
let secret: string;
let wrong: string;

beforeAll(async () => {
  imap = await startDovecot();
  await fillAccount(imap, { messages: 12 });
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  wrong = await writeSecret(directory.path, "wrong.password", "not the secret");
});
afterAll(async () => {
  await imap?.stop();
  await directory?.[Symbol.asyncDispose]();
});

let destination: string;
let metrics: string;
let count = 0;
beforeEach(() => {
  destination = join(directory.path, `backup ${++count}`);
  metrics = join(directory.path, `${count}.prom`);
});

const args = (file = secret): readonly string[] => [
  "imap",
  "alice",
  destination,
  `imaps://localhost:${imap.tlsPort}`,
  "--srcsecret",
  file,
  "--tls-ca",
  imap.caFile,
];

function everyReport(smtp: { readonly port: number }, http: HttpServer): NodeJS.ProcessEnv {
  return {
    MAIL_TO: "you@example.org",
    MAIL_URL: `smtp://127.0.0.1:${smtp.port}`,
    MAIL_HOSTNAME: "nas",
    PING_URL: `${http.url}/${KEY}`,
    METRICS_FILE: metrics,
  };
}

const pathsOf = ({ requests }: HttpServer): readonly string[] => requests.map(({ path }) => path.replace(KEY, "KEY"));
const subjectsOf = ({ mails }: SmtpServer): readonly (string | undefined)[] =>
  mails.map(({ headers }) => headers.find((line) => line.startsWith("Subject: "))?.slice(9));

/** The value of a metric of the only action. */
async function metric(name: string): Promise<number> {
  const line = (await readFile(metrics, "utf8")).split("\n").find((text) => text.startsWith(`${name}{`));
  return Number(line?.split(" ").at(-1));
}

function expectSilent({ stdout, stderr }: Result): void {
  for (const word of [KEY, MAIL_PASSWORD, Buffer.from(MAIL_PASSWORD).toString("base64")])
    expect((stdout + stderr).includes(word), `a secret is in ${stdout}${stderr}`).toBe(false);
}

describe("a run that is reported", () => {
  it("says that it begins, that it ended well, and what it did", async () => {
    await using smtp = await startSmtpServer();
    let wasThere: boolean | undefined;
    await using http = await startHttpServer(({ path }) => {
      if (path.endsWith("/start")) wasThere = existsSync(destination);
      return { status: 200 };
    });
    const done = await runBackup(args(), everyReport(smtp, http));
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(pathsOf(http)).toEqual(["/KEY/start", "/KEY"]);
    expect(wasThere, "the start came after the work had begun").toBe(false);
    expect(subjectsOf(smtp)).toEqual(["backup nas: OK, 1 action"]);
    expect(smtp.mails[0]?.text).toContain(`OK  imap alice → ${destination}`);
    expect(http.requests[1]?.body).toContain(`OK  imap alice → ${destination}`);
    expect(await metric("backup_last_status")).toBe(0);
    expect(await metric("backup_items")).toBe(16);
    expect(Math.abs(Date.now() / 1000 - (await metric("backup_last_success_timestamp_seconds")))).toBeLessThan(30);
    expectSilent(done);
  });

  it("stays done when the mail server refuses, and the exit status tells", async () => {
    await using smtp = await startSmtpServer({ recipient: () => ({ code: 550, text: "5.1.1 no such user" }) });
    await using http = await startHttpServer();
    const done = await runBackup(args(), everyReport(smtp, http));
    expect(done.code).toBe(4);
    expect(done.stdout).toMatch(/^done: /m);
    expect(done.stderr).toMatch(
      /^warning: the report could not be mailed to you@example\.org by smtp:\/\/127\.0\.0\.1:\d+: 550 5\.1\.1 no such user; the backup itself is not affected\n$/,
    );
    expect(await readTree(destination)).toEqual(expectedTree(await readServer(imap)));
    expect(await metric("backup_last_status")).toBe(0);
    expect(pathsOf(http)).toEqual(["/KEY/start", "/KEY"]);
  });

  it("stays done when nobody answers the pings or the file cannot be written, and --json tells", async () => {
    await using http = await startHttpServer(() => ({ status: 404 }));
    const env = { PING_URL: `${http.url}/${KEY}`, METRICS_FILE: join(directory.path, "missing", "backup.prom") };
    const done = await runBackup([...args(), "--json"], env);
    expect(done.code).toBe(4);
    const lines = done.stdout.trim().split("\n");
    const problems = lines.map((line): unknown => JSON.parse(line)).filter((event) => Object(event).type === "problem");
    expect(problems).toMatchObject([
      { code: "REPORT_FAILED", message: expect.stringContaining("could not be pinged: it answered 404") },
      { code: "REPORT_FAILED", message: expect.stringContaining("could not be pinged: it answered 404") },
      { code: "REPORT_FAILED", message: expect.stringContaining("(ENOENT)") },
    ]);
    expectSilent(done);
  });

  it("says that it failed, and when it last ended well", async () => {
    await using smtp = await startSmtpServer();
    await using http = await startHttpServer();
    const env = { ...everyReport(smtp, http), MAIL_ON: "failure" };
    expect(await runBackup(args(), env)).toExit(0);
    const success = await metric("backup_last_success_timestamp_seconds");
    const done = await runBackup(args(wrong), env);
    expect(done.code).toBe(1);
    expect(subjectsOf(smtp)).toEqual(["backup nas: KO: 1 of 1 failed"]);
    expect(smtp.mails[0]?.text).toContain("refused the login of alice");
    expect(pathsOf(http)).toEqual(["/KEY/start", "/KEY", "/KEY/start", "/KEY/fail"]);
    expect(http.requests[3]?.body).toContain("refused the login of alice");
    expect(await metric("backup_last_status")).toBe(2);
    expect(await metric("backup_last_success_timestamp_seconds")).toBe(success);
    expect(await metric("backup_last_run_timestamp_seconds")).toBeGreaterThan(success);
    expect(await metric("backup_items")).toBe(16);
  });

  it("that failed stays failed when the report fails too", async () => {
    await using smtp = await startSmtpServer({ recipient: () => ({ code: 550, text: "no" }) });
    await using http = await startHttpServer();
    const done = await runBackup(args(wrong), everyReport(smtp, http));
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/^backup: .*refused the login of alice/m);
    expect(done.stderr).toMatch(/^warning: the report could not be mailed/m);
  });

  it("says what is not complete", async () => {
    await using smtp = await startSmtpServer();
    await using http = await startHttpServer();
    const done = await runBackup([...args(), "--folder", "INBOX", "--folder", "Nowhere"], everyReport(smtp, http));
    expect(done.code).toBe(3);
    expect(subjectsOf(smtp)).toEqual(["backup nas: PARTLY: 1 of 1 not complete"]);
    expect(pathsOf(http)).toEqual(["/KEY/start", "/KEY/fail"]);
    expect(await metric("backup_last_status")).toBe(1);
    expect(await metric("backup_last_success_timestamp_seconds")).toBeNaN();
  });

  it.each([
    ["--dry-run", ["--dry-run"], {}],
    ["DRY_RUN=1", [], { DRY_RUN: "1" }],
  ])("is not reported with %s", async (_name, more, env) => {
    await using smtp = await startSmtpServer();
    await using http = await startHttpServer();
    const done = await runBackup([...args(), ...more], { ...everyReport(smtp, http), ...env });
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(smtp.connections()).toBe(0);
    expect(http.requests).toEqual([]);
    expect(existsSync(metrics)).toBe(false);
  });

  it.each([
    [{ MAIL_TO: "nobody" }, /^backup: MAIL_TO takes mail addresses/],
    [{ MAIL_TO: "a@example.org", MAIL_URL: "smtp://carol@mail.invalid" }, /^backup: no password found for carol/],
    [{ PING_URL: `htp://${KEY}` }, /^backup: PING_URL takes an address/],
    [{ BACKUP_BEFORE: "hook" }, /^backup: BACKUP_BEFORE must be an absolute path/],
  ])("does not begin with settings that are wrong: %o", async (env, message) => {
    const done = await runBackup(args(), { BACKUP_DIR: directory.path, ...env });
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(message);
    expect(existsSync(destination)).toBe(false);
    expectSilent(done);
  });

  it("is told once for all actions of a script", async () => {
    await using smtp = await startSmtpServer();
    await using http = await startHttpServer();
    const script = join(directory.path, "a script");
    const line = (name: string, file: string): string =>
      ["backup", ...args(file), "--name", name]
        .map((word) => `'${word.replace(destination, join(destination, name))}'`)
        .join(" ");
    await writeFile(script, `#!/bin/sh\n${line("good", secret)}\n${line("bad", wrong)}\nexit 0\n`, { mode: 0o700 });
    const done = await runBackup(["run", script], everyReport(smtp, http));
    expect(done.code).toBe(1);
    expect(subjectsOf(smtp)).toEqual(["backup nas: KO: 1 of 2 failed"]);
    expect(smtp.mails[0]?.text).toMatch(/\nOK +imap good .*\nKO +imap bad .*\n.*refused the login of alice/);
    expect(pathsOf(http)).toEqual(["/KEY/start", "/KEY/fail"]);
    const text = await readFile(metrics, "utf8");
    expect(text).toMatch(/^backup_last_status\{action="good".*\} 0$/m);
    expect(text).toMatch(/^backup_last_status\{action="bad".*\} 2$/m);
    expectSilent(done);
  });

  it("has the programs run that the environment names", async () => {
    const hook = join(directory.path, "a hook");
    const log = join(directory.path, "hook.log");
    await writeFile(hook, `#!/bin/sh\necho "$BACKUP_RESULT" >> ${log}\ncat > /dev/null\n`);
    await chmod(hook, 0o700);
    expect(await runBackup(args(), { BACKUP_BEFORE: hook, BACKUP_AFTER: hook })).toExit(0);
    expect(await readFile(log, "utf8")).toBe("\nok\n");
  });
});

describe("a run that is reported and stopped", () => {
  let fake: FakeImap;
  const stalled = () =>
    startFakeImap({
      password: "secret",
      folders: new Map([["INBOX", makeFolder(20)]]),
      fault: ({ command, args: what }) =>
        command === "UID FETCH" && what.includes("BODY") ? { type: "stall", rows: 10 } : undefined,
    });

  /** Stops a run in the middle of a message; how long it took to end. */
  async function stop(env: NodeJS.ProcessEnv): Promise<{ readonly done: Result; readonly ms: number }> {
    await using server = await stalled();
    fake = server;
    const to = `imaps://localhost:${fake.tlsPort}`;
    const { child, result } = startBackup(
      ["imap", "alice", destination, to, "--srcsecret", secret, "--tls-ca", fake.caFile],
      env,
    );
    while (!fake.commands.some((line) => line.startsWith("UID FETCH") && line.includes("BODY"))) await setTimeout(20);
    await setTimeout(200);
    const stopped = performance.now();
    child.kill("SIGTERM");
    return { done: await result, ms: performance.now() - stopped };
  }

  it("says so within five seconds", async () => {
    await using smtp = await startSmtpServer();
    await using http = await startHttpServer();
    const { done, ms } = await stop(everyReport(smtp, http));
    expect(done.code).toBe(130);
    expect(ms).toBeLessThan(busy(5000));
    expect(subjectsOf(smtp)).toEqual(["backup nas: INTERRUPTED: 1 of 1 stopped"]);
    expect(pathsOf(http)).toEqual(["/KEY/start", "/KEY/fail"]);
    expect(await metric("backup_last_status")).toBe(3);
  });

  it("does not wait for a mail server that hangs", async () => {
    await using smtp = await startSmtpServer();
    await using proxy = await startProxy({ target: smtp.port, fault: { kind: "stall", afterBytes: 3 } });
    await using http = await startHttpServer();
    const { done, ms } = await stop(everyReport(proxy, http));
    expect(done.code).toBe(130);
    expect(ms).toBeLessThan(busy(6500));
    expect(done.stderr).toMatch(/^warning: the report could not be mailed to .*: there was no answer in time; /m);
    expect(pathsOf(http)).toEqual(["/KEY/start", "/KEY/fail"]);
  });
});

describe("the secrets of reports", () => {
  it("are in no output, no command line and no mail, also with DEBUG=1", async () => {
    const certificate = await makeCertificate();
    const ca = join(directory.path, "smtp.pem");
    await writeFile(ca, certificate.cert);
    const passwordFile = await writeSecret(directory.path, "smtp.password", MAIL_PASSWORD);
    for (const isRefused of [false, true]) {
      await using smtp = await startSmtpServer({
        certificate,
        users: { carol: isRefused ? "another" : MAIL_PASSWORD },
        wrongPassword: (password) => `5.7.8 not '${password}', ${Buffer.from(password).toString("base64")}`,
      });
      await using http = await startHttpServer(() => ({ status: isRefused ? 404 : 200 }));
      const env = {
        ...everyReport(smtp, http),
        MAIL_URL: `smtp://carol@localhost:${smtp.port}`,
        MAIL_PASSWORD_FILE: passwordFile,
        MAIL_TLS_CA: ca,
        DEBUG: "1",
      };
      const { child, result } = startBackup([...args(), "--json"], env);
      let seen = 0;
      while (child.exitCode === null && child.signalCode === null) {
        const line = await readFile(`/proc/${child.pid}/cmdline`, "utf8").catch(() => "");
        expect(line.includes(KEY) || line.includes(MAIL_PASSWORD), "a secret is in the command line").toBe(false);
        if (line !== "") seen++;
        await setTimeout(10);
      }
      const done = await result;
      expect(seen).toBeGreaterThan(3);
      expect(done.code, done.stderr).toBe(isRefused ? 4 : 0);
      expectSilent(done);
      if (isRefused) expect(done.stderr).toContain("it refused the login of carol: 535 5.7.8 not '[secret]', [secret]");
      for (const { raw, text, user } of smtp.mails) {
        expect(user).toBe("carol");
        for (const word of [KEY, MAIL_PASSWORD, "secret"]) expect((raw + text).includes(word)).toBe(false);
      }
      expect(smtp.mails).toHaveLength(isRefused ? 0 : 1);
      const written = await readFile(metrics, "utf8");
      expect(written.includes(KEY) || written.includes(MAIL_PASSWORD)).toBe(false);
    }
  });
});
