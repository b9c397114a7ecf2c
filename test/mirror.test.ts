import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { eventsOf, reportOf, runBackup, writeSecret } from "./support/command.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const SERVERS = [
  { name: "Dovecot", separator: "/", start: () => startDovecot() },
  { name: "Dovecot with '.'", separator: ".", start: () => startDovecot({ separator: "." }) },
  { name: "Cyrus", separator: "/", start: () => startCyrus() },
] as const;

describe.each(SERVERS)("$name", ({ separator, start }) => {
  let server: MailServer;
  let directory: TemporaryDirectory;
  let secret: string;

  beforeAll(async () => {
    server = await start();
    directory = await temporaryDirectory();
    secret = await writeSecret(directory.path, "alice.password", "secret");
    await fillAccount(server, { separator });
  });
  afterAll(async () => {
    await server?.stop();
    await directory?.[Symbol.asyncDispose]();
  });

  const destination = (name: string): string => join(directory.path, name);
  const mirror = (name: string, ...more: string[]) =>
    runBackup(
      ["imap", "alice", destination(name), `imaps://localhost:${server.tlsPort}`].concat(
        ["--srcsecret", secret, "--tls-ca", server.caFile, "--json"],
        more,
      ),
    );
  const names = async (name: string): Promise<readonly string[]> => {
    const entries = await readdir(destination(name), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes(".backup"));
    return Promise.all(
      files.map(async (entry) => {
        const file = join(entry.parentPath, entry.name);
        return `${file} ${(await stat(file)).ino}`;
      }),
    );
  };

  it("is mirrored byte for byte, with flags, keywords, dates and empty folders", async () => {
    const result = await mirror("a");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const account = await readServer(server);
    const count = account.folders.reduce((sum, folder) => sum + folder.messages.length, 0);
    expect(count).toBe(64);
    expect(await readTree(destination("a"))).toEqual(expectedTree(account));
    expect(reportOf(result)).toMatchObject({
      result: "done",
      added: count,
      items: count,
      collections: account.folders.length,
    });
  });

  it("is mirrored by STARTTLS", async () => {
    const args = ["imap", "alice", destination("starttls"), `imap://localhost:${server.starttlsPort}`];
    const result = await runBackup([...args, "--srcsecret", secret, "--tls-ca", server.caFile]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(await readTree(destination("starttls"))).toEqual(expectedTree(await readServer(server)));
  });

  it("costs nothing when nothing changed", async () => {
    const before = await names("a");
    const result = await mirror("a");
    const report = reportOf(result);
    expect(report).toMatchObject({ added: 0, renamed: 0, removed: 0, bytes: 0 });
    expect(report.unchanged).toBe(report.collections);
    expect(await names("a")).toEqual(before);
  });

  it("neither loses nor loads anything when .backup is deleted", async () => {
    const before = await names("a");
    await rm(destination("a/.backup"), { recursive: true });
    expect(reportOf(await mirror("a"))).toMatchObject({ added: 0, renamed: 0, removed: 0, unchanged: 0, bytes: 0 });
    expect(await names("a")).toEqual(before);
    const again = reportOf(await mirror("a"));
    expect(again.unchanged).toBe(again.collections);
  });

  it("brings back a file that was deleted from the backup", async () => {
    const [file = ""] = (await names("a"))
      .map((line) => line.split(" ")[0] ?? "")
      .filter((line) => line.includes("/cur/"));
    await rm(file);
    expect(reportOf(await mirror("a"))).toMatchObject({ added: 1, removed: 0 });
    expect(await readTree(destination("a"))).toEqual(expectedTree(await readServer(server)));
  });

  it("follows changes: a flag is a rename, new mail is a download, what was deleted goes", async () => {
    const before = new Map((await names("a")).map((line): [string, string] => [line.split(" ").at(-1) ?? "", line]));
    {
      await using appender = await openAppender(loginOf(server));
      await appender.setFlags("INBOX", [1], ["\\Seen", "\\Flagged", "Urgent"]);
      await appender.expunge("INBOX", [2]);
      await appender.append("Empty", makeMessages({ count: 2, seed: 2 }));
      await appender.createFolder(`Archive${separator}Fresh`);
      await appender.append(`Archive${separator}Fresh`, makeMessages({ count: 1, seed: 3 }));
      await appender.deleteFolder("日本語");
    }
    const gone = 8;
    const result = await mirror("a");
    expect(result.code).toBe(0);
    const report = reportOf(result);
    expect(report).toMatchObject({ added: 3, renamed: 1, failed: 0 });
    expect(report.removed).toBeGreaterThanOrEqual(gone);
    expect(await readTree(destination("a"))).toEqual(expectedTree(await readServer(server)));
    // Apart from the new ones, every file is the one that was there.
    const after = (await names("a"))
      .filter((line) => line.includes("/cur/"))
      .map((line) => line.split(" ").at(-1) ?? "");
    expect(after.filter((inode) => !before.has(inode))).toHaveLength(3);
  });

  it("says in a dry run what it would do, and writes nothing", async () => {
    {
      await using appender = await openAppender(loginOf(server));
      await appender.append("INBOX", makeMessages({ count: 1, seed: 4 }));
      await appender.setFlags("INBOX", [3], ["\\Deleted"]);
    }
    const before = await names("a");
    const dry = reportOf(await mirror("a", "--dry-run"));
    expect(dry).toMatchObject({ dryRun: true, added: 1, renamed: 1, removed: 0 });
    expect(await names("a")).toEqual(before);
    expect(reportOf(await mirror("fresh", "--dry-run")).added).toBeGreaterThan(50);
    await expect(stat(destination("fresh"))).rejects.toThrow("ENOENT");
    expect(reportOf(await mirror("a"))).toMatchObject({ added: 1, renamed: 1 });
  });

  it("keeps what was deleted when asked to, and never two copies of it", async () => {
    await mirror("kept");
    {
      await using appender = await openAppender(loginOf(server));
      await appender.expunge("INBOX", [4]);
    }
    for (const run of [1, 2]) {
      const report = reportOf(await mirror("kept", "--keep-deleted"));
      expect(report, `run ${run}`).toMatchObject({ removed: 0, kept: 1, added: 0 });
    }
    const uids = (await readTree(destination("kept")))
      .find(({ directory: at }) => at === "INBOX")
      ?.messages.map(({ uid }) => uid);
    expect(uids).toContain(4);
    expect(reportOf(await mirror("kept"))).toMatchObject({ removed: 1, kept: 0 });
    expect(await readTree(destination("kept"))).toEqual(expectedTree(await readServer(server)));
  });

  it("takes and leaves folders by glob, without touching those that are left out", async () => {
    const some = await mirror("some", "--folder", "Archive/**", "--exclude-folder", "**/Q1");
    expect(some.code).toBe(0);
    const listed = (await readTree(destination("some"))).map(({ directory: at }) => at);
    expect(listed).toEqual(
      ["Archive", "Archive/2023", "Archive/Fresh"]
        .concat(listed.includes("Archive/2024") ? "Archive/2024" : [])
        .toSorted(),
    );
    const before = await names("a");
    expect(reportOf(await mirror("a", "--folder", "INBOX")).removed).toBe(1);
    expect((await names("a")).filter((line) => !line.includes("/INBOX/"))).toEqual(
      before.filter((line) => !line.includes("/INBOX/")),
    );
  });

  it("ends with every message once when UIDVALIDITY changed", async () => {
    await mirror("reset");
    {
      await using appender = await openAppender(loginOf(server));
      await appender.createFolder("Temporary");
      const account = await readServer(server);
      const inbox = account.folders.find(({ name }) => name === "Sent Items");
      await appender.copy("Sent Items", inbox?.messages.map(({ uid }) => uid) ?? [], "Temporary");
      await appender.deleteFolder("Sent Items");
      await appender.renameFolder("Temporary", "Sent Items");
    }
    const account = await readServer(server);
    const messages = account.folders.find(({ name }) => name === "Sent Items")?.messages.length ?? 0;
    expect(messages).toBeGreaterThan(3);
    expect(reportOf(await mirror("reset"))).toMatchObject({ added: 0, moved: messages, removed: 0 });
    expect(await readTree(destination("reset"))).toEqual(expectedTree(account));
  });

  it("is one event a line with --json, and ends with the report", async () => {
    const events = eventsOf(await mirror("json"));
    expect(events.at(0)).toMatchObject({ type: "start", source: "imap:alice@localhost", dryRun: false });
    expect(events.map(({ type }) => type)).toContain("plan");
    expect(events.at(-1)).toMatchObject({ type: "end" });
  });
});
