import { chmod, cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, eventsOf, runBackup, writeSecret } from "./support/command.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type Account, folderOf } from "./support/oracle.js";
import { REMOTE, openRemote, runRemote } from "./support/remote.js";
import { contentsOf, plantMessage, restoredBy, totalOf } from "./support/restored.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

// Each has servers of its own.
vi.setConfig({ testTimeout: 120_000 });

const DATE = new Date(Date.UTC(2020, 1, 29, 12, 34, 56));

let source: MailServer;
let directory: TemporaryDirectory;
let secret: string;
let account: Account;
beforeAll(async () => {
  source = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(source);
  // Twice the same message, in every respect.
  const twin = { bytes: Buffer.from("Subject: twin\r\n\r\nof two\r\n"), date: DATE, flags: ["\\Seen"] };
  await using appender = await openAppender(loginOf(source));
  await appender.append("INBOX", [twin, twin]);
  account = await readServer(source);
  const { code, stderr } = await mirror("backup");
  if (code !== 0) throw new Error(`no backup: ${stderr}`);
});
afterAll(async () => {
  await source?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const at = (name: string): string => join(directory.path, name);
const accountOf = (server: MailServer): readonly string[] =>
  [`imaps://localhost:${server.tlsPort}`].concat(["--srcsecret", secret, "--tls-ca", server.caFile]);
const mirror = (name: string) => runBackup(["imap", "alice", at(name), ...accountOf(source)]);
const restore = (server: MailServer, name: string, ...more: string[]): Promise<Result> =>
  runBackup(["restore", "imap", at(name), "alice", ...accountOf(server), "--json", ...more]);
const warningsOf = (result: Result) => eventsOf(result).flatMap((event) => (event.type === "warning" ? [event] : []));
const failuresOf = (result: Result) => eventsOf(result).flatMap((event) => (event.type === "failed" ? [event] : []));
/** A copy of the backup, for what is to be changed in it. */
const copyOf = async (name: string): Promise<string> => {
  await cp(at("backup"), at(name), { recursive: true, preserveTimestamps: true });
  return name;
};

describe("backup restore imap", () => {
  it("brings an account from Dovecot to Cyrus: bytes, flags, keywords and dates are equal there", async () => {
    await using target = await startCyrus();
    const result = await restore(target, "backup");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const total = totalOf(account);
    expect(restoredBy(result)).toMatchObject({ result: "done", items: total, restored: total, present: 0, failed: 0 });
    const there = await readServer(target);
    expect(contentsOf(there)).toEqual(contentsOf(account));
    await using appender = await openAppender(loginOf(target));
    const subscribed = (await appender.client.list()).filter((folder) => folder.subscribed).map(({ path }) => path);
    expect(subscribed).toEqual(expect.arrayContaining(["Archive/2023", "Empty", "日本語"]));
    expect(there.folders.map(({ name }) => name)).toEqual(expect.arrayContaining(["Empty", "Entwürfe & Co", "日本語"]));
    const again = await restore(target, "backup");
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(restoredBy(again)).toMatchObject({ restored: 0, present: total });
    expect(await readServer(target)).toEqual(there);
  });

  it("adds nothing the second time, and the third time what somebody deleted", async () => {
    await using target = await startDovecot({ separator: "." });
    expect(await restore(target, "backup")).toMatchObject({ code: 0, stderr: "" });
    const before = await readServer(target);
    const again = await restore(target, "backup");
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(restoredBy(again)).toMatchObject({ restored: 0, present: totalOf(before) });
    expect(await readServer(target)).toEqual(before);
    await using appender = await openAppender(loginOf(target));
    await appender.expunge("INBOX", [1, 3, 5]);
    await appender.deleteFolder("Archive.2023");
    expect(await restore(target, "backup")).toMatchObject({ code: 0, stderr: "" });
    expect(contentsOf(await readServer(target))).toEqual(contentsOf(before));
  });

  it("leaves what is there as it is, and adds what is missing beside it", async () => {
    await using target = await startDovecot();
    await using appender = await openAppender(loginOf(target));
    const own = makeMessages({ count: 5, seed: 99, maxBytes: 5000 });
    await appender.append("INBOX", own);
    // One that the backup has too, with other flags; of the two twins, one.
    const known = makeMessages({ count: 60 }).find((_, index) => index % 7 === 0);
    if (!known) throw new Error("no message");
    const twin = { bytes: Buffer.from("Subject: twin\r\n\r\nof two\r\n"), date: DATE, flags: [] };
    await appender.append("INBOX", [{ ...known, flags: ["\\Flagged", "Mine"] }, twin]);
    const before = folderOf(await readServer(target), "INBOX").messages;
    const result = await restore(target, "backup");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(restoredBy(result)).toMatchObject({ present: 2, restored: totalOf(account) - 2 });
    const { messages } = folderOf(await readServer(target), "INBOX");
    expect(messages.slice(0, before.length)).toEqual(before);
    const bytes = (list: typeof messages) => list.map(({ sha256 }) => sha256).toSorted();
    const expected = [...bytes(before.slice(0, 5)), ...bytes(folderOf(account, "INBOX").messages)];
    expect(bytes(messages)).toEqual(expected.toSorted());
  });

  it("tells messages apart that begin alike, of the same size and second", async () => {
    const name = await copyOf("alike");
    const texts = ["one", "two", "six"].map((word) => `X-Long: ${"x".repeat(300)}\r\n\r\n${word}\r\n`);
    for (const [index, text] of texts.entries())
      await plantMessage(join(at(name), "Empty"), { uid: 9001 + index, bytes: Buffer.from(text), date: DATE });
    await using target = await startDovecot();
    await using appender = await openAppender(loginOf(target));
    await appender.createFolder("Empty");
    await appender.append("Empty", [{ bytes: Buffer.from(texts[1] ?? ""), date: DATE }]);
    expect(restoredBy(await restore(target, name, "--folder", "Empty"))).toMatchObject({ present: 1, restored: 2 });
    const { messages } = folderOf(await readServer(target), "Empty");
    expect(new Set(messages.map(({ sha256 }) => sha256)).size).toBe(3);
  });

  it("changes nothing in a dry run, and says what it would do", async () => {
    await using target = await startDovecot();
    const before = await readServer(target);
    const result = await restore(target, "backup", "--dry-run");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(restoredBy(result)).toMatchObject({ dryRun: true, restored: totalOf(account), present: 0 });
    expect(await readServer(target)).toEqual(before);
    const args = ["restore", "imap", at("backup"), "alice", ...accountOf(target), "-q"];
    const quiet = await runBackup(args, { DRY_RUN: "1" });
    expect(quiet.stdout).toMatch(/^dry run, nothing was written: 9 folders with \d+ messages, \d+ to restore/);
    expect(await readServer(target)).toEqual(before);
  });

  it("takes the folders and the days that are asked for, and puts them below another folder", async () => {
    await using target = await startDovecot();
    const result = await restore(
      target,
      "backup",
      "--folder",
      "Archive/**",
      "--folder",
      "INBOX",
      "--to-folder",
      "Back/a",
    );
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const all = contentsOf(account);
    const expected = Object.entries(all).filter(([name]) => name === "INBOX" || name.startsWith("Archive"));
    const below = Object.fromEntries(expected.map(([name, lines]) => [`Back/a/${name}`, lines]));
    expect(contentsOf(await readServer(target))).toEqual(below);

    await using other = await startDovecot();
    const since = await restore(other, "backup", "--since", "2015-06-01");
    expect(since).toMatchObject({ code: 0, stderr: "" });
    const first = Date.UTC(2015, 5, 1) / 1000;
    const later = Object.entries(all).map(
      ([name, lines]) => [name, lines.filter((line) => Number(line.split(" ")[0]) >= first)] as const,
    );
    expect(contentsOf(await readServer(other))).toEqual(
      Object.fromEntries(later.filter(([, lines]) => lines.length > 0)),
    );

    const none = await restore(other, "backup", "--folder", "Nope");
    expect(none).toExit(2);
    expect(none.stderr).toContain("no folder matches --folder 'Nope'; the backup has ");
    const some = await restore(other, "backup", "--folder", "Nope", "--folder", "INBOX");
    expect(some).toExit(3);
  });

  it.each([
    ["without MULTIAPPEND", "IMAP4rev1 LITERAL+ NAMESPACE CHILDREN"],
    ["without LITERAL+", "IMAP4rev1 MULTIAPPEND NAMESPACE CHILDREN"],
    ["without any extension", "IMAP4rev1"],
  ])("does with a server %s", async (_, capabilities) => {
    await using target = await startDovecot({ extraConfig: `imap_capability = ${capabilities}` });
    expect(await restore(target, "backup")).toMatchObject({ code: 0, stderr: "" });
    expect(contentsOf(await readServer(target))).toEqual(contentsOf(account));
  });

  it("replaces what the target cannot have in a name, says so, and finds the folder again", async () => {
    await using dotted = await startDovecot({ separator: ".", mailLocation: "maildir:~/Maildir:LAYOUT=fs" });
    await using appender = await openAppender(loginOf(dotted));
    for (const name of ["a/b", "a_b", "c.d/e"]) {
      await appender.createFolder(name).catch(() => {});
    }
    await using slashed = await startDovecot({ mailLocation: "maildir:~/Maildir:LAYOUT=fs" });
    await using other = await openAppender(loginOf(slashed));
    for (const [index, name] of ["a.b", "a_b", "c.d/e.f"].entries()) {
      await other.createFolder(name);
      await other.append(name, makeMessages({ count: 3, seed: 50 + index, maxBytes: 2000 }));
    }
    expect(await runBackup(["imap", "alice", at("names"), ...accountOf(slashed)])).toExit(0);
    const names = async (server: MailServer) => Object.keys(contentsOf(await readServer(server))).toSorted();
    const bySeparator = { "/": ["a_b", "a_b_", "c_d/e_f"], ".": ["a_b", "a_b_", "c_d/e_f"] };
    for (const separator of ["/", "."] as const) {
      await using target = await startDovecot({ separator });
      const result = await restore(target, "names");
      expect(result).toMatchObject({ code: 0, stderr: "" });
      expect(warningsOf(result).map(({ code }) => code)).toContain("FOLDER_RENAMED");
      expect(await names(target)).toEqual(bySeparator[separator]);
      const again = await restore(target, "names");
      expect(restoredBy(again)).toMatchObject({ restored: 0, present: 9 });
      expect(await names(target)).toEqual(bySeparator[separator]);
    }
  });

  it("names what a server refuses, and what is damaged, and brings the rest", async () => {
    const name = await copyOf("refused");
    const plant = (uid: number, text: string, damage = {}) =>
      plantMessage(join(at(name), "INBOX"), { uid, bytes: Buffer.from(text), date: DATE, ...damage });
    await plant(9001, "Subject: nul\r\n\r\n\0\r\n");
    await plant(9002, "Subject: bare\n\nline feeds\n");
    await plant(9003, "");
    await plant(9004, "Subject: damaged\r\n\r\n", { digest: "a".repeat(26) });
    await plant(9005, "Subject: fine\r\n\r\n");
    await using target = await startCyrus();
    const result = await restore(target, name);
    expect(result).toMatchObject({ code: 3, stderr: "" });
    expect(restoredBy(result)).toMatchObject({ result: "partial", restored: totalOf(account) + 1, failed: 4, left: 0 });
    const failures = failuresOf(result);
    expect(failures.map(({ code }) => code).toSorted()).toEqual([
      "ITEM_REFUSED",
      "ITEM_REFUSED",
      "ITEM_REFUSED",
      "ITEM_UNREADABLE",
    ]);
    expect(failures.map(({ message }) => message).join("\n")).toMatch(/NUL characters[^]*|is damaged[^]*/);
    for (const uid of [9001, 9002, 9003, 9004])
      expect(failures.some(({ item }) => item?.includes(`U${uid}D`))).toBe(true);
    expect(await restore(target, name)).toExit(3);
    expect(totalOf(await readServer(target))).toBe(totalOf(account) + 1);
  });

  it("does not send what is larger than the server says it takes", async () => {
    const limit = "imap_capability = IMAP4rev1 LITERAL+ MULTIAPPEND NAMESPACE CHILDREN APPENDLIMIT=200000";
    await using target = await startDovecot({ extraConfig: limit });
    const result = await restore(target, "backup");
    expect(result).toMatchObject({ code: 3, stderr: "" });
    const large = account.folders.flatMap(({ messages }) => messages.filter(({ size }) => size > 200_000));
    expect(large.length).toBeGreaterThan(0);
    expect(restoredBy(result)).toMatchObject({ failed: large.length, restored: totalOf(account) - large.length });
    expect(failuresOf(result)[0]?.message).toContain("the server takes no message of more than 200000");
  });

  it("recognises what a server changed on the way in: line feeds, and dates that it does not keep", async () => {
    const name = await copyOf("changed");
    const plant = (uid: number, text: string, date: Date) =>
      plantMessage(join(at(name), "INBOX"), { uid, bytes: Buffer.from(text), date });
    await plant(9001, "Subject: bare\n\nline feeds\n", DATE);
    await plant(9002, "Subject: of the future\r\n\r\n", new Date(Date.UTC(2090, 0, 1)));
    await plant(9003, "Subject: of the past\r\n\r\n", new Date(Date.UTC(1969, 0, 1)));
    await plant(9004, "Subject: nul\0\r\n\r\n\0\r\n", DATE);
    await using target = await startDovecot();
    expect(await restore(target, name)).toMatchObject({ code: 0, stderr: "" });
    const before = await readServer(target);
    expect(totalOf(before)).toBe(totalOf(account) + 4);
    expect(restoredBy(await restore(target, name))).toMatchObject({ result: "done", restored: 0 });
    expect(await readServer(target)).toEqual(before);
  });

  it.each([
    ["one command", ""],
    ["many", "imap_capability = IMAP4rev1 LITERAL+ NAMESPACE CHILDREN"],
  ])("stops where the account is full, says what is left, and goes on when there is room: by %s", async (_, line) => {
    await using target = await startDovecot({
      extraConfig: `
${line}
protocol imap {
  mail_plugins = $mail_plugins quota imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:messages=40
  quota_grace = 0
}`,
    });
    // One: Dovecot lets connections that store at the same time go over it together.
    const result = await restore(target, "backup", "--connections", "1");
    expect(result).toMatchObject({ code: 3, stderr: "" });
    const report = restoredBy(result);
    expect(report.left).toBe(totalOf(account) - report.restored);
    expect(report.left).toBeGreaterThan(0);
    expect(failuresOf(result)).toMatchObject([{ code: "OVER_QUOTA" }]);
    expect(totalOf(await readServer(target))).toBe(report.restored);
    await using appender = await openAppender(loginOf(target));
    expect(report.restored).toBeGreaterThan(0);
    const others = (await readServer(target)).folders.filter(({ name }) => name !== "INBOX");
    for (const { name } of others) await appender.deleteFolder(name);
    const rest = await restore(target, "backup", "--folder", "INBOX");
    expect(rest).toMatchObject({ code: 0, stderr: "" });
    const inbox = await readServer(target);
    expect(contentsOf(inbox).INBOX).toEqual(contentsOf(account).INBOX);
  });

  it("leaves out keywords that a folder does not take, and says so where it takes nothing at all", async () => {
    const acl = at("acl");
    await chmod(directory.path, 0o755);
    await writeFile(acl, "Archive/2023 owner lr\nArchive/2024/Q1 owner lri\n", { mode: 0o644 });
    await using target = await startDovecot({
      extraConfig: `
protocol imap {
  mail_plugins = $mail_plugins acl imap_acl
}
plugin {
  acl = vfile:${acl}
}`,
    });
    await using appender = await openAppender(loginOf(target));
    for (const name of ["Archive", "Archive/2023", "Archive/2024/Q1"]) await appender.createFolder(name);
    const result = await restore(target, "backup");
    expect(result).toMatchObject({ code: 3, stderr: "" });
    expect(failuresOf(result).map(({ collection }) => collection)).toEqual(["Archive/2023"]);
    expect(warningsOf(result).map(({ code }) => code)).toContain("KEYWORDS_DROPPED");
    const there = contentsOf(await readServer(target));
    const withoutFlags = (lines: readonly string[] = []) => lines.map((line) => line.split(" ").slice(0, 2).join(" "));
    const limited = "Archive/2024/Q1";
    expect(withoutFlags(there[limited])).toEqual(withoutFlags(contentsOf(account)[limited]));
    expect(there.INBOX).toEqual(contentsOf(account).INBOX);
    expect(there["Archive/2023"]).toBeUndefined();
  });

  it("refuses wrong words before anything is connected to", async () => {
    const wrong = async (...more: string[]) =>
      (await runBackup(["restore", "imap", at("backup"), "alice", "localhost", ...more])).stderr;
    expect(await wrong("--since", "2024-02-30")).toContain("--since takes a day as 2024-12-31, not '2024-02-30'");
    expect(await wrong("--to-folder", "a//b")).toContain("--to-folder takes a folder's name");
    expect(await wrong("--connections", "0")).toContain("--connections takes a whole number from 1 to 16");
    const nothing = await restore(source, "nothing-here");
    expect(nothing).toExit(1);
    expect(nothing.stderr).toContain("there is no backup at");
  });
});

describe.each([REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync])("from another host: $name", (kind) => {
  it("brings all of it", async () => {
    await using host = await openRemote(kind);
    expect(await runRemote({ host, server: source, name: "mail" })).toExit(0);
    await using target = await startDovecot({ separator: "." });
    const args = [
      "restore",
      "imap",
      host.destination("mail"),
      "alice",
      ...accountOf(target),
      "--json",
      ...host.options,
    ];
    const result = await runBackup(args, host.env);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(contentsOf(await readServer(target))).toEqual(contentsOf(account));
    const again = await runBackup(args, host.env);
    expect(restoredBy(again)).toMatchObject({ restored: 0, present: totalOf(account) });
  });
});
