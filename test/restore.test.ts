import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, eventsOf, runBackup, writeSecret } from "./support/command.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { REMOTE, openRemote, runRemote } from "./support/remote.js";
import { contentsOf, restoredBy, totalOf } from "./support/restored.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

let source: MailServer;
let directory: TemporaryDirectory;
let secret: string;
beforeAll(async () => {
  source = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(source);
  expect(await mirror(source, "backup")).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await source?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const at = (name: string): string => join(directory.path, name);
const accountOf = (server: MailServer): readonly string[] => [
  `imaps://localhost:${server.tlsPort}`,
  "--srcsecret",
  secret,
  "--tls-ca",
  server.caFile,
];
const mirror = (server: MailServer, name: string) => runBackup(["imap", "alice", at(name), ...accountOf(server)]);
const restore = (server: MailServer, name: string, ...more: string[]): Promise<Result> =>
  runBackup(["restore", "imap", at(name), "alice", ...accountOf(server), "--json", ...more]);

describe("backup restore imap", () => {
  it("brings an account from Dovecot to Cyrus: bytes, flags, keywords and dates are equal there", async () => {
    await using target = await startCyrus();
    const result = await restore(target, "backup");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const account = await readServer(source);
    const total = totalOf(account);
    expect(restoredBy(result)).toMatchObject({ result: "done", items: total, restored: total, present: 0, failed: 0 });
    expect(contentsOf(await readServer(target))).toEqual(contentsOf(account));
  });

  it("adds nothing the second time, and what somebody deleted the third time", async () => {
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
});
