import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { type Appender, openAppender } from "./support/appender.js";
import { eventsOf, reportOf, runBackup, writeSecret } from "./support/command.js";
import { startCourier } from "./support/courier.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

/** A server without any extension that helps: it cannot say what changed. */
describe("Courier", () => {
  let server: MailServer;
  let directory: TemporaryDirectory;
  let secret: string;

  beforeAll(async () => {
    server = await startCourier();
    directory = await temporaryDirectory();
    secret = await writeSecret(directory.path, "alice.password", "secret");
    await fillAccount(server, { separator: "." });
  });
  afterAll(async () => {
    await server?.stop();
    await directory?.[Symbol.asyncDispose]();
  });

  const mirror = async (name: string, more: readonly string[] = [], url = `imaps://localhost:${server.tlsPort}`) => {
    const args = ["imap", "alice", join(directory.path, name), url, "--srcsecret", secret, "--tls-ca", server.caFile];
    const result = await runBackup([...args, "--json", ...more], { DEBUG: "1" });
    expect(result).toExit(0);
    const commands = eventsOf(result).flatMap((event) => (event.type === "debug" ? [event.message] : []));
    const bodies = commands.filter((command) => / UID FETCH .*BODY\.PEEK\[\](?!<0\.256>)/.test(command));
    return { report: reportOf(result), bodies, commands };
  };
  const change = async (task: (appender: Appender) => Promise<unknown>): Promise<void> => {
    await using appender = await openAppender(loginOf(server));
    await task(appender);
  };
  const expectMirrored = async (name: string): Promise<void> => {
    expect(await readTree(join(directory.path, name))).toEqual(expectedTree(await readServer(server)));
  };

  it("is mirrored byte for byte, with flags, keywords, dates and empty folders", async () => {
    const { report, commands } = await mirror("a");
    expect(report).toMatchObject({ result: "done", added: 64, collections: 8 });
    expect(commands.join("\n")).not.toMatch(/CONDSTORE|LIST-STATUS|UIDPLUS/);
    await expectMirrored("a");
  });

  it("is mirrored by STARTTLS", async () => {
    await mirror("starttls", [], `imap://localhost:${server.starttlsPort}`);
    await expectMirrored("starttls");
  });

  it("is listed, and costs no body, when nothing changed", async () => {
    for (const run of [1, 2]) {
      const { report, bodies } = await mirror("a");
      expect(report, `run ${run}`).toMatchObject({ added: 0, renamed: 0, removed: 0, bytes: 0, unchanged: 0 });
      expect(bodies).toEqual([]);
      await rm(join(directory.path, "a/.backup"), { recursive: true });
    }
  });

  it("is followed: flags, keywords, new mail, deleted mail and folders", async () => {
    await change(async (appender) => {
      await appender.setFlags("INBOX", [1], ["\\Seen", "\\Flagged", "Urgent"]);
      await appender.expunge("INBOX", [2, 4]);
      await appender.append("Empty", makeMessages({ count: 2, seed: 2 }));
      await appender.createFolder("Archive.Fresh");
      await appender.append("Archive.Fresh", makeMessages({ count: 1, seed: 3 }));
      await appender.deleteFolder("日本語");
    });
    const { report } = await mirror("a");
    expect(report).toMatchObject({ result: "done", added: 3, failed: 0 });
    await expectMirrored("a");
  });

  it("has what was copied and folders that were renamed without a transfer", async () => {
    await change(async (appender) => {
      await appender.createFolder("Copied");
      await appender.copy("Sent Items", [1, 2], "Copied");
      await appender.renameFolder("Archive.2023", "Archive.older");
    });
    const { report, bodies } = await mirror("a");
    expect(report).toMatchObject({ added: 0, removed: 0, failed: 0 });
    expect(report.moved).toBeGreaterThan(5);
    expect(bodies).toEqual([]);
    await expectMirrored("a");
  });
});
