import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { reportOf, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import type { Account } from "./support/oracle.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const run = promisify(execFile);

/** What two servers agree on: a name, and messages without the UIDs that each gives out by itself. */
function contentOf(account: Account): ReadonlyMap<string, readonly string[]> {
  const content = account.folders.map(({ name, messages }): [string, readonly string[]] => [
    name,
    messages
      .map(({ sha256, size, flags, date }) => JSON.stringify({ sha256, size, flags: flags.toSorted(), date }))
      .toSorted(),
  ]);
  return new Map(content.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe("a finished backup", () => {
  let server: MailServer;
  let directory: TemporaryDirectory;
  let destination: string;
  let original: Account;

  const mirror = async (): Promise<ReturnType<typeof reportOf>> => {
    const secret = await writeSecret(directory.path, "alice.password", "secret");
    const result = await runBackup([
      "imap",
      "alice",
      destination,
      `imaps://localhost:${server.tlsPort}`,
      "--srcsecret",
      secret,
      "--tls-ca",
      server.caFile,
      "--json",
    ]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    return reportOf(result);
  };

  beforeAll(async () => {
    server = await startDovecot();
    directory = await temporaryDirectory();
    destination = join(directory.path, "mail");
    await fillAccount(server);
    {
      await using appender = await openAppender(loginOf(server));
      await appender.createFolder("Projects/Alpha/Offers & more/2024");
      await appender.append("Projects/Alpha/Offers & more/2024", makeMessages({ count: 6, seed: 5, maxBytes: 4000 }));
      // Keywords in an order that is not that of their letters, and two cases of one.
      const drafts = ["Zeta", "$Forwarded", "alpha", "Junk", "zeta", "NonJunk", "$MDNSent"].map((keyword, index) => ({
        bytes: Buffer.from(`Subject: ${keyword}\r\n\r\n${index}\r\n`),
        flags: index % 2 ? [keyword, "\\Seen", "$label1"] : [keyword],
        date: new Date(Date.UTC(1995 + index, 1, 29, 3, 4, 5)),
      }));
      await appender.append("Archive/2023", drafts);
      await appender.setFlags("INBOX", [2], ["\\Flagged", "todo", "urgent"]);
    }
    original = await readServer(server);
    await mirror();
  });
  afterAll(async () => {
    await server?.stop();
    await directory?.[Symbol.asyncDispose]();
  });

  it("is what Dovecot opens as the same account: folders, bytes, flags, keywords and dates", async () => {
    await using reader = await startDovecot({ tree: destination });
    const opened = contentOf(await readServer(reader));
    expect([...opened.keys()]).toEqual([...contentOf(original).keys()]);
    expect(opened).toEqual(contentOf(original));
    expect([...opened.values()].flat().length).toBeGreaterThan(70);
    expect(await reader.log()).not.toMatch(/imap\(alice\).*(Error|Warning|Panic|Fatal):/);
  });

  it("is the same to Dovecot after changes that the next run followed", async () => {
    {
      await using appender = await openAppender(loginOf(server));
      await appender.setFlags("INBOX", [3], ["\\Answered", "brandnew"]);
      await appender.setFlags("Archive/2023", [1], []);
      await appender.expunge("INBOX", [1]);
      await appender.append("Empty", makeMessages({ count: 2, seed: 6, maxBytes: 3000 }));
      await appender.renameFolder("Projects/Alpha", "Projects/Beta");
    }
    expect((await mirror()).added).toBeGreaterThan(1);
    await using reader = await startDovecot({ tree: destination });
    expect(contentOf(await readServer(reader))).toEqual(contentOf(await readServer(server)));
  });

  it("is mirrored again, from the Dovecot that opened it, as the same account", async () => {
    await using reader = await startDovecot({ tree: destination });
    const copy = join(directory.path, "copy");
    const secret = await writeSecret(directory.path, "alice.password", "secret");
    const result = await runBackup([
      "imap",
      "alice",
      copy,
      `imaps://localhost:${reader.tlsPort}`,
      "--srcsecret",
      secret,
      "--tls-ca",
      reader.caFile,
    ]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    await using second = await startDovecot({ tree: copy });
    expect(contentOf(await readServer(second))).toEqual(contentOf(await readServer(reader)));
  });

  it("is what Python's mailbox.Maildir reads: messages, flags and times", async () => {
    const script = [
      "import hashlib, json, mailbox, sys",
      "rows = []",
      "box = mailbox.Maildir(sys.argv[1], factory=None, create=False)",
      "for key, message in box.iteritems():",
      "    raw = box.get_bytes(key)",
      "    rows.append([hashlib.sha256(box.get_file(key)._file.read()).hexdigest(), message.get_flags(), int(message.get_date())])",
      "print(json.dumps({'count': len(box), 'subdir': sorted({m.get_subdir() for m in box}), 'rows': sorted(rows)}))",
    ].join("\n");
    const now = await readServer(server);
    for (const name of ["INBOX", "Archive/2023", "Entwürfe & Co", "日本語"]) {
      const { stdout } = await run("python3", ["-c", script, join(destination, name)]);
      const read = JSON.parse(stdout) as { count: number; subdir: string[]; rows: [string, string, number][] };
      const folder = now.folders.find((candidate) => candidate.name === name);
      expect(read.count, `in: ${name}`).toBe(folder?.messages.length);
      expect(read.subdir).toEqual(["cur"]);
      const systemFlags = read.rows.map(([sha256, flags, date]) => [sha256, flags.replace(/[a-z]/g, ""), date]);
      const letters: Readonly<Record<string, string>> = {
        "\\Draft": "D",
        "\\Flagged": "F",
        "\\Answered": "R",
        "\\Seen": "S",
        "\\Deleted": "T",
      };
      const expected = folder?.messages.map(({ sha256, flags, date }) => [
        sha256,
        flags
          .map((flag) => letters[flag] ?? "")
          .toSorted()
          .join(""),
        date,
      ]);
      expect(systemFlags).toEqual(expected?.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
    }
  });
});
