import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { BackupError, type BackupEvent } from "@backup/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { type Certificate, makeCertificate } from "../../../test/support/certificate.js";
import { writeSecret } from "../../../test/support/command.js";
import { freePorts } from "../../../test/support/free-port.js";
import { startProxy } from "../../../test/support/proxy.js";
import { actionResult, sessionResult } from "../../../test/support/session-result.js";
import { type ReceivedMail, startSmtpServer } from "../../../test/support/smtp-server.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import type { MailSettings } from "../src/reports/mail.js";
import type { Reporter } from "../src/reports/reporter.js";
import { openReport } from "./support/open-report.js";

const PASSWORD = 'hun"ter\\2 ü$';
const OK = sessionResult(actionResult("ok"));
const KO = sessionResult(actionResult("ok"), actionResult("failed", { name: "bob → nas:bob" }));

let directory: TemporaryDirectory;
let certificate: Certificate;
let caFile: string;
let events: BackupEvent[] = [];

beforeAll(async () => {
  directory = await temporaryDirectory();
  certificate = await makeCertificate();
  caFile = join(directory.path, "ca.pem");
  await writeFile(caFile, certificate.cert);
});
afterAll(() => directory?.[Symbol.asyncDispose]());

async function open(mail: Partial<MailSettings>, secrets = directory.path): Promise<Reporter> {
  events = [];
  const { tlsCa, ...given } = { to: ["you@example.org"], ...mail };
  return openReport("mail", { ...given, "tls-ca": tlsCa }, { secrets, onEvent: (event) => void events.push(event) });
}

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

/** What it fails with, and how long that took. */
async function failure(mail: Partial<MailSettings>, signal = soon()): Promise<{ error: BackupError; ms: number }> {
  const started = performance.now();
  const error: unknown = await open(mail)
    .then((reporter) => reporter.ended(KO, signal))
    .then(
      () => new Error("it was sent"),
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(BackupError);
  return { error: error as BackupError, ms: performance.now() - started };
}

function headerOf({ headers }: ReceivedMail, name: string): string | undefined {
  return headers.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}

describe("a mailed report", () => {
  it("says which actions there were, and what went wrong", async () => {
    await using server = await startSmtpServer();
    const reporter = await open({
      to: ["you@example.org", "Some One <one@example.org>"],
      from: "Backup <backup@example.org>",
      url: `smtp://127.0.0.1:${server.port}`,
      hostname: "nas.example.org",
    });
    expect(reporter.name).toBe("mail to you@example.org, one@example.org");
    await reporter.ended(KO, soon());
    expect(server.mails).toHaveLength(1);
    const [mail] = server.mails as [ReceivedMail];
    expect(mail).toMatchObject({
      from: "backup@example.org",
      to: ["you@example.org", "one@example.org"],
      hello: "nas.example.org",
      user: undefined,
    });
    expect(headerOf(mail, "Subject")).toBe("backup nas.example.org: KO: 1 of 2 failed");
    expect(headerOf(mail, "From")).toBe("Backup <backup@example.org>");
    expect(headerOf(mail, "To")).toBe("you@example.org, Some One <one@example.org>");
    expect(headerOf(mail, "Auto-Submitted")).toBe("auto-generated");
    expect(headerOf(mail, "Content-Type")).toBe("text/plain; charset=utf-8");
    expect(mail.text).toMatch(/^KO: 1 of 2 failed\n\n/);
    expect(mail.text).toMatch(/\nOK +imap alice → \/srv\/alice +5 new, 2 deleted/);
    expect(mail.text).toMatch(/\nKO +imap bob → nas:bob .*\n.*imaps:\/\/mail\.example\.org:993 refused the login\n/);
    expect(mail.text).toContain("2 actions: 1 OK, 1 KO in 12.3s\n");
    expect(mail.text).toContain("host     nas.example.org\nstarted  2026-01-02 03:04:05 UTC\n");
  });

  it.each([
    [OK, "OK, 1 action"],
    [sessionResult(actionResult("ok"), actionResult("ok"), actionResult("ok")), "OK, 3 actions"],
    [{ ...OK, dryRun: true }, "DRY RUN, 1 action"],
    [{ ...sessionResult(actionResult("interrupted")), outcome: "failed" as const }, "KO: 1 of 1 failed"],
    [sessionResult(actionResult("partial"), actionResult("ok")), "PARTLY: 1 of 2 not complete"],
    [sessionResult(actionResult("failed"), actionResult("partial")), "KO: 1 of 2 failed"],
    [sessionResult(actionResult("failed"), actionResult("interrupted")), "INTERRUPTED: 1 of 2 stopped"],
  ])("has a subject for each outcome (%#)", async (result, subject) => {
    await using server = await startSmtpServer();
    const reporter = await open({ url: `127.0.0.1:${server.port}` });
    await reporter.ended(result, soon());
    const [mail] = server.mails as [ReceivedMail];
    expect(headerOf(mail, "Subject")).toBe(`backup ${hostname()}: ${subject}`);
    expect(mail.from).toBe(`backup@${hostname()}`);
  });

  it("is sent on failure alone where that is asked for", async () => {
    await using server = await startSmtpServer();
    const reporter = await open({ url: `smtp://127.0.0.1:${server.port}`, when: "failure" });
    await reporter.ended(OK, soon());
    expect(server.connections()).toBe(0);
    for (const outcome of ["partial", "failed", "interrupted"] as const)
      await reporter.ended(sessionResult(actionResult(outcome)), soon());
    expect(server.mails).toHaveLength(3);
  });

  it("has no header and no line from a name or a message", async () => {
    await using server = await startSmtpServer();
    const evil = "x\r\nBcc: evil@example.org\r\n\r\n.\r\nMAIL FROM:<>\u001b[2J\u202e";
    const reporter = await open({ url: `smtp://127.0.0.1:${server.port}` });
    await reporter.ended(
      sessionResult(
        actionResult("failed", { name: evil, destination: evil, error: { code: "PROTOCOL", message: evil } }),
      ),
      soon(),
    );
    const [mail] = server.mails as [ReceivedMail];
    expect(mail.to).toEqual(["you@example.org"]);
    expect(mail.headers.filter((line) => /^bcc/i.test(line))).toEqual([]);
    expect(mail.text.split("\n").filter((line) => /^(?:Bcc|MAIL|\.)/.test(line))).toEqual([]);
    expect(mail.text).toContain("x\\u{d}\\u{a}Bcc: evil@example.org");
    expect(mail.text).toContain("\\u{1b}[2J\\u{202e}");
    expect(mail.text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
  });
});

describe("TLS", () => {
  it("is used from the first byte for smtps, and for MAIL_SSL", async () => {
    await using server = await startSmtpServer({ secure: true, certificate });
    for (const settings of [
      { url: `smtps://localhost:${server.port}` },
      { url: `smtp://localhost:${server.port}`, ssl: true },
    ])
      await (await open({ ...settings, tlsCa: caFile })).ended(OK, soon());
    expect(server.mails.map(({ secure }) => secure)).toEqual([true, true]);
  });

  it("is begun by STARTTLS where it is offered", async () => {
    await using server = await startSmtpServer({ certificate });
    await (await open({ url: `smtp://localhost:${server.port}`, tlsCa: caFile })).ended(OK, soon());
    expect(server.mails.map(({ secure }) => secure)).toEqual([true]);
  });

  it("is not needed to a local server that nobody signed, without a password", async () => {
    await using server = await startSmtpServer({ certificate });
    await (await open({ url: `smtp://localhost:${server.port}` })).ended(OK, soon());
    expect(server.mails.map(({ secure }) => secure)).toEqual([false]);
  });

  it.each(["smtps", "smtp"])("needs a certificate that is trusted (%s)", async (scheme) => {
    await using server = await startSmtpServer({ secure: scheme === "smtps", certificate, users: { alice: PASSWORD } });
    const password = await writeSecret(directory.path, "mail.password", PASSWORD);
    const other = join(directory.path, "other.pem");
    await writeFile(other, (await makeCertificate()).cert);
    for (const tlsCa of [undefined, other]) {
      const { error, ms } = await failure({ url: `${scheme}://alice@localhost:${server.port}`, password, tlsCa });
      expect(error.code).toBe("REPORT_FAILED");
      expect(error.message).toMatch(
        /^the report could not be mailed to you@example\.org by smtps?:\/\/localhost:\d+: its certificate is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\); .*MAIL_TLS_CA; the backup itself is not affected$/,
      );
      expect(ms).toBeLessThan(busy(900));
    }
    expect(server.logins).toEqual([]);
    expect(server.mails).toEqual([]);
  });

  it("needs a certificate for this host", async () => {
    const wrong = await makeCertificate({ host: "other.example.org" });
    const ca = join(directory.path, "wrong.pem");
    await writeFile(ca, wrong.cert);
    await using server = await startSmtpServer({ secure: true, certificate: wrong });
    const { error } = await failure({ url: `smtps://localhost:${server.port}`, tlsCa: ca });
    expect(error.message).toContain("its certificate is not trusted (ERR_TLS_CERT_ALTNAME_INVALID)");
  });

  it.each([
    ["is no file", undefined, /^MAIL_TLS_CA: .* cannot be read \(ENOENT\)/],
    ["holds no certificate", "text", /^MAIL_TLS_CA: .* holds no certificate/],
    [
      "holds a broken one",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      /certificate that is broken/,
    ],
  ])("says when the file of certificates %s", async (_name, content, message) => {
    const tlsCa = join(directory.path, "bad.pem");
    if (content !== undefined) await writeFile(tlsCa, content);
    const { error } = await failure({ tlsCa });
    expect(error).toMatchObject({ code: "USAGE", message: expect.stringMatching(message) });
  });
});

describe("a login at the mail server", () => {
  const silent = (error: unknown, password = PASSWORD): void => {
    const forms = [password, Buffer.from(password).toString("base64"), encodeURIComponent(password)];
    const texts = [inspect(error, { depth: 9, showHidden: true }), String(error), JSON.stringify(events)];
    for (const text of texts)
      for (const form of forms) expect(text.includes(form), `the password is in ${text}`).toBe(false);
  };

  it.each([
    ["MAIL_PASSWORD_FILE", "given.password", (file: string) => ({ password: file })],
    ["the file of the user", "alice@example.org.password", () => ({})],
    ["the file of the host", "localhost.password", () => ({})],
  ])("has its password from %s", async (_name, name, settings) => {
    await using own = await temporaryDirectory();
    const file = await writeSecret(own.path, name, PASSWORD);
    await using server = await startSmtpServer({ certificate, users: { "alice@example.org": PASSWORD } });
    const mail = { url: `smtp://alice%40example.org@localhost:${server.port}`, tlsCa: caFile };
    await (await open({ ...mail, ...settings(file) }, own.path)).ended(OK, soon());
    expect(server.mails).toMatchObject([{ secure: true, user: "alice@example.org" }]);
  });

  it("warns of a password in the address, and does not repeat it", async () => {
    await using server = await startSmtpServer({ certificate, users: { alice: PASSWORD } });
    const url = `smtp://alice:${encodeURIComponent(PASSWORD)}@localhost:${server.port}`;
    const reporter = await open({ url, tlsCa: caFile });
    await reporter.ended(OK, soon());
    expect(server.mails).toMatchObject([{ user: "alice", secure: true }]);
    expect(events).toMatchObject([{ type: "warning", code: "SECRET_EXPOSED" }]);
    silent(reporter);
    for (const mail of server.mails) expect(mail.raw).not.toContain("hun");
  });

  it.each([
    [
      { url: "smtp://alice@localhost" },
      "SECRET_MISSING",
      /^no password found for alice at smtp:\/\/localhost:25; looked for \/\S+\/alice\.password and \/\S+\/localhost\.password\./,
    ],
    [{ url: "smtp://localhost", password: "/etc/passwd" }, "USAGE", /no user; write smtp:\/\/USER@localhost/],
    [
      { url: "smtp://alice@localhost", password: "/nowhere" },
      "SECRET_MISSING",
      /looked for \/nowhere\. .*MAIL_PASSWORD_FILE/,
    ],
  ])("needs a user and a password: %o", async (settings, code, message) => {
    await using empty = await temporaryDirectory();
    await expect(open(settings, empty.path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("that is refused is not tried again, and what the server says of the password is cut out", async () => {
    const password = await writeSecret(directory.path, "wrong.password", PASSWORD);
    await using server = await startSmtpServer({
      certificate,
      users: { alice: "another" },
      wrongPassword: (given) =>
        `no '${given}' ${Buffer.from(given).toString("base64")} ${Buffer.from(`\0alice\0${given}`).toString("base64")}`,
    });
    const { error } = await failure({ url: `smtp://alice@localhost:${server.port}`, password, tlsCa: caFile });
    expect(error.code).toBe("REPORT_FAILED");
    expect(error.message).toMatch(
      /: it refused the login of alice: 535 .*\[secret\].*; the backup itself is not affected$/,
    );
    expect(server.logins).toEqual([`alice ${PASSWORD}`]);
    silent(error);
  });

  it("is never made without TLS", async () => {
    const password = await writeSecret(directory.path, "plain.password", PASSWORD);
    await using server = await startSmtpServer({ users: { alice: PASSWORD }, allowInsecureAuth: true });
    const { error } = await failure({ url: `smtp://alice@localhost:${server.port}`, password });
    expect(error.message).toContain("it does not offer STARTTLS, and the password is never sent unencrypted");
    expect(server.logins).toEqual([]);
    expect(server.mails).toEqual([]);
    expect(server.connections()).toBe(1);
  });
});

describe("a mail server", () => {
  it("that refuses is believed", async () => {
    await using server = await startSmtpServer({
      recipient: () => ({ code: 550, text: "5.1.1 no such\tuser \u001b[31m here" }),
    });
    const { error, ms } = await failure({ url: `smtp://127.0.0.1:${server.port}` });
    expect(error).toMatchObject({ code: "REPORT_FAILED", transient: false });
    expect(error.message).toMatch(
      /^the report could not be mailed to you@example\.org by smtp:\/\/127\.0\.0\.1:\d+: 550 5\.1\.1 no such user/,
    );
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(server.connections()).toBe(1);
    expect(ms).toBeLessThan(busy(900));
  });

  it("that refuses one of two recipients delivers to the other, once", async () => {
    await using server = await startSmtpServer({
      recipient: (address) => (address.startsWith("gone") ? { code: 451, text: "4.2.0 gone" } : undefined),
    });
    const { error } = await failure({ to: ["you@example.org", "gone@example.org"], url: `127.0.0.1:${server.port}` });
    expect(error.message).toMatch(/^the report could not be mailed to gone@example\.org by .*: 451 4\.2\.0 gone; /);
    expect(server.mails).toMatchObject([{ to: ["you@example.org"] }]);
    expect(server.connections()).toBe(3);
  });

  it("that cannot now is asked again", async () => {
    await using server = await startSmtpServer({
      recipient: (_address, count) => (count === 1 ? { code: 451, text: "4.7.1 greylisted" } : undefined),
    });
    await (await open({ url: `smtp://127.0.0.1:${server.port}` })).ended(OK, soon());
    expect(server.mails).toHaveLength(1);
    expect(server.connections()).toBe(2);
  });

  it("that cannot for longer is given up", async () => {
    await using server = await startSmtpServer({ recipient: () => ({ code: 451, text: "4.7.1 greylisted" }) });
    const { error, ms } = await failure({ url: `smtp://127.0.0.1:${server.port}` });
    expect(error.message).toContain(": 451 4.7.1 greylisted; the backup itself is not affected");
    expect(server.connections()).toBe(3);
    expect(ms).toBeGreaterThan(3000);
  });

  it("that hangs is left when there is no more time", async () => {
    await using server = await startSmtpServer();
    await using proxy = await startProxy({ target: server.port, fault: { kind: "stall", afterBytes: 3 } });
    const { error, ms } = await failure({ url: `smtp://127.0.0.1:${proxy.port}` }, AbortSignal.timeout(500));
    expect(error.message).toMatch(/by smtp:\/\/127\.0\.0\.1:\d+: there was no answer in time; the backup itself/);
    expect(ms).toBeLessThan(busy(1500));
  });

  it("that is not there is told by its reason when the run is stopped between two tries", async () => {
    const [port] = await freePorts(1);
    const stop = new AbortController();
    setTimeout(() => stop.abort(new BackupError("ABORTED", "stopped by SIGTERM")), 300);
    const { error, ms } = await failure({ url: `smtp://127.0.0.1:${port}` }, stop.signal);
    expect(error.code).toBe("REPORT_FAILED");
    expect(error.message).toContain("it cannot be reached (ECONNREFUSED)");
    expect(ms).toBeLessThan(busy(900));
  });

  it("whose name does not exist is told at once", async () => {
    const { error } = await failure({ url: "smtp://mail.invalid" });
    expect(error.message).toMatch(
      /by smtp:\/\/mail\.invalid:25: (?:there is no host of that name|its name cannot be looked up)/,
    );
  });

  it("that speaks no TLS where smtps is written is told", async () => {
    await using server = await startSmtpServer();
    const { error } = await failure({ url: `smtps://127.0.0.1:${server.port}` });
    expect(error.message).toMatch(
      /it does not speak TLS as expected \(\w+\); check the port, and smtp:\/\/ or smtps:\/\//,
    );
  });
});
