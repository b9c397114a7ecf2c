import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { runBackup, startBackup, writeSecret } from "./support/command.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import type { Account } from "./support/oracle.js";
import { startProxy } from "./support/proxy.js";
import { seededRandom } from "./support/random.js";
import { contentsOf, restoredBy, totalOf } from "./support/restored.js";
import { roundsOf } from "./support/rounds.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const KILLS = roundsOf(20);
const CUTS = roundsOf(3);
/** In one account before the next one. */
const KILLS_EACH = 5;

let directory: TemporaryDirectory;
let secret: string;
let source: MailServer;
let account: Account;
beforeAll(async () => {
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "secret", "secret");
  source = await startDovecot();
  await fillAccount(source);
  await using appender = await openAppender(loginOf(source));
  const twin = { bytes: Buffer.from("Subject: twin\r\n\r\nof many\r\n"), date: new Date(1e12), flags: [] };
  await appender.append("INBOX", [twin, twin, twin]);
  await appender.append("Empty", makeMessages({ count: 500, seed: 7, minBytes: 300, maxBytes: 20_000 }));
  account = await readServer(source);
  const args = ["imap", "alice", destination(), ...accountAt(source.tlsPort, source.caFile)];
  const { code, stderr } = await runBackup(args);
  if (code !== 0) throw new Error(`no backup: ${stderr}`);
});
afterAll(async () => {
  await source?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const destination = (): string => join(directory.path, "backup");
const accountAt = (port: number, caFile: string): readonly string[] =>
  [`imaps://localhost:${port}`].concat(["--srcsecret", secret, "--tls-ca", caFile]);
const restoreTo = (user: string, port: number, caFile: string): readonly string[] => [
  "restore",
  "imap",
  destination(),
  user,
  ...accountAt(port, caFile),
  "--json",
];

/** What a run printed until it had printed so many lines, or ended. */
async function linesOf({ stdout }: ChildProcess, count: number): Promise<string> {
  let text = "";
  if (!stdout) return text;
  await new Promise<void>((resolve) => {
    stdout.on("data", (data: Buffer) => {
      text += data.toString();
      if (text.split("\n").length > count) resolve();
    });
    stdout.once("end", resolve);
  });
  return text;
}

describe("a restore that is cut off", () => {
  test.each([
    ["Dovecot", startDovecot],
    ["Cyrus", startCyrus],
  ] as const)(
    `by SIGKILL, at any moment, ${KILLS} times: the next one brings the rest, to %s, and nothing twice`,
    { timeout: 900_000 },
    async (_, start) => {
      const users = Array.from({ length: Math.ceil(KILLS / KILLS_EACH) }, (__, index) => `user${index}`);
      await using target = await start({ users: Object.fromEntries(users.map((user) => [user, "secret"])) });
      const random = seededRandom(20_271);
      let kills = 0;
      let parts = 0;
      for (const user of users) {
        // What is there before stays, one of the twins among it.
        await using appender = await openAppender(loginOf(target, user));
        const own = makeMessages({ count: 3, seed: 99, maxBytes: 5000 });
        await appender.append("INBOX", own);
        const args = restoreTo(user, target.tlsPort, target.caFile);
        for (let kill = 0; kill < KILLS_EACH; kill++) {
          const { child, result } = startBackup(args);
          const lines = random.below(25);
          const seen = await linesOf(child, lines);
          await setTimeout(random.next() * 30);
          child.kill("SIGKILL");
          const ended = await result;
          if (ended.signal !== "SIGKILL") continue;
          kills++;
          if (seen.includes('"type":"progress"')) parts++;
        }
        const result = await runBackup(args);
        expect(result, user).toMatchObject({ code: 0, stderr: "" });
        const there = contentsOf(await readServer(target, user));
        const expected = contentsOf(account);
        const { INBOX: inbox = [], ...others } = there;
        expect(others, user).toEqual(Object.fromEntries(Object.entries(expected).filter(([name]) => name !== "INBOX")));
        expect(inbox.length, user).toBe((expected.INBOX?.length ?? 0) + own.length);
        expect(inbox, user).toEqual(expect.arrayContaining([...(expected.INBOX ?? [])]));
      }
      expect(kills).toBeGreaterThan(KILLS / 3);
      expect(parts, "kills in the middle of the work").toBeGreaterThan(0);
    },
  );

  test(`by lost connections, ${CUTS} times: it goes on by itself, and nothing is there twice`, {
    timeout: 600_000,
  }, async () => {
    const users = Array.from({ length: CUTS }, (_, index) => `user${index}`);
    await using target = await startDovecot({ users: Object.fromEntries(users.map((user) => [user, "secret"])) });
    await using proxy = await startProxy({ target: target.tlsPort, latencyMs: 5 });
    const random = seededRandom(5);
    for (const user of users) {
      const { child, result } = startBackup(restoreTo(user, proxy.port, target.caFile));
      let cuts = 0;
      child.stdout?.on("data", (text: Buffer) => {
        // In the middle of the work, some times.
        if (!text.includes('"type":"progress"') || cuts >= 4 || random.below(3) > 0) return;
        cuts++;
        proxy.cutAll();
      });
      const ended = await result;
      expect(ended, user).toMatchObject({ code: 0, stderr: "" });
      expect(cuts).toBeGreaterThan(0);
      expect(restoredBy(ended)).toMatchObject({ restored: totalOf(account), failed: 0, left: 0 });
      expect(contentsOf(await readServer(target, user)), user).toEqual(contentsOf(account));
    }
  });
});
