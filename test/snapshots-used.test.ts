import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, eventsOf, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import type { Account } from "./support/oracle.js";
import { contentsOf, restoredBy, totalOf } from "./support/restored.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { flip, messagesIn } from "./support/wreck.js";

vi.setConfig({ testTimeout: 120_000 });

const [FIRST, SECOND] = ["2024-11-01", "2024-11-02"] as const;

let server: MailServer;
let directory: TemporaryDirectory;
let secret: string;
/** The account on the first day: a message that is gone on the second. */
let before: Account;
let now: Account;
beforeAll(async () => {
  server = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await using appender = await openAppender(loginOf(server));
  const drafts = ["first", "second", "third"].map((word, day) => ({
    bytes: Buffer.from(`Subject: ${word} of all\r\n\r\nthe ${word} text\r\n`),
    date: new Date(Date.UTC(2024, 0, 1 + day)),
  }));
  await appender.append("INBOX", drafts);
  before = await readServer(server);
  await snapshot(FIRST);
  await appender.expunge("INBOX", [1]);
  now = await readServer(server);
  await snapshot(SECOND);
});
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const at = (...names: readonly string[]): string => join(directory.path, ...names);
const dayAt = (day: string): string => at("history", day.replaceAll("-", "/"));
const urlOf = ({ tlsPort }: MailServer): string => `imaps://localhost:${tlsPort}`;
const loginAt = ({ caFile }: MailServer): readonly string[] => ["--srcsecret", secret, "--tls-ca", caFile];
const look = (command: string, ...more: readonly string[]): Promise<Result> =>
  runBackup([command, at("history"), ...more]);
const restore = (target: MailServer, ...more: readonly string[]): Promise<Result> =>
  runBackup(["restore", "imap", at("history"), "alice", urlOf(target), ...loginAt(target), "--json", ...more]);
async function snapshot(day: string): Promise<void> {
  const args = ["imap", "alice", at("history"), urlOf(server), ...loginAt(server), "--hist", "--histdate", day];
  const { code, stderr } = await runBackup(args);
  if (code !== 0) throw new Error(`no snapshot: ${stderr}`);
}

describe("a snapshot of a history", () => {
  it("is searched, shown and exported as it is, the newest where none is named", async () => {
    expect((await look("search", "--snapshot", FIRST, "first")).stdout).toContain("INBOX/1");
    expect(await look("search", "first")).toMatchObject({ code: 1, stdout: "" });
    expect((await look("search", "--snapshot", SECOND, "of all")).stdout.trimEnd().split("\n")).toHaveLength(2);
    const shown = await look("show", "INBOX/1", "--raw", "--snapshot", FIRST);
    expect(shown).toMatchObject({ code: 0, stdout: "Subject: first of all\r\n\r\nthe first text\r\n" });
    expect(await look("show", "INBOX/1", "--raw")).toMatchObject({ code: 1, stdout: "" });
    expect(await look("export", at("old.eml"), "--eml", "--snapshot", FIRST)).toExit(0);
    expect(await look("export", at("new.eml"), "--eml")).toExit(0);
    expect((await look("export", at("all.mbox"), "--mbox", "--json", "--snapshot", FIRST)).stdout).toContain(
      '"messages":3',
    );
  });

  it("is restored: what was deleted since comes back", async () => {
    await using target = await startDovecot();
    const newest = await restore(target);
    expect(newest).toMatchObject({ code: 0, stderr: "" });
    expect(restoredBy(newest)).toMatchObject({ restored: totalOf(now) });
    const older = await restore(target, "--snapshot", FIRST);
    expect(older).toMatchObject({ code: 0, stderr: "" });
    expect(restoredBy(older)).toMatchObject({ restored: 1, present: totalOf(now) });
    expect(contentsOf(await readServer(target))).toEqual(contentsOf(before));
    expect(await restore(target, "--snapshot", "2024-10-01")).toExit(1);
  });

  // Last: it damages the history.
  it("is repaired by a new one of today, and those that there are stay as they are", async () => {
    const repair = ["--repair", "--server", urlOf(server), ...loginAt(server)];
    const [path = ""] = await messagesIn(dayAt(SECOND));
    await flip(join(dayAt(SECOND), path), 10);
    const damaged = await readFile(join(dayAt(SECOND), path));
    const older = await look("verify", ...repair, "--snapshot", FIRST);
    expect(older).toExit(2);
    expect(older.stderr).toContain("is not the newest snapshot, and older ones are never changed");
    expect(await look("verify")).toExit(3);
    const repaired = await look("verify", ...repair, "--json");
    expect(repaired).toExit(0);
    expect(eventsOf(repaired).at(-1)).toMatchObject({ good: true, damaged: 0 });
    expect(await look("verify")).toMatchObject({ code: 0, stderr: "" });
    // In the days before the damaged bytes are the same file.
    for (const day of [FIRST, SECOND]) {
      expect(await look("verify", "--snapshot", day)).toExit(3);
      expect((await readFile(join(dayAt(day), path))).equals(damaged)).toBe(true);
    }
  });
});
