import { readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { type Appender, openAppender } from "./support/appender.js";
import { eventsOf, reportOf, runBackup, writeSecret } from "./support/command.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import { DEFAULT_CAPABILITIES, makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { mirrorFake, modelTree } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { startProxy } from "./support/proxy.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const SERVERS = [
  { name: "Dovecot", objectId: false, start: () => startDovecot() },
  { name: "Cyrus", objectId: true, start: () => startCyrus() },
] as const;

describe.each(SERVERS)("$name", ({ start, objectId }) => {
  let server: MailServer;
  let directory: TemporaryDirectory;
  let secret: string;

  beforeAll(async () => {
    server = await start();
    directory = await temporaryDirectory();
    secret = await writeSecret(directory.path, "alice.password", "secret");
    await fillAccount(server);
  });
  afterAll(async () => {
    await server?.stop();
    await directory?.[Symbol.asyncDispose]();
  });

  /** One run; what it said, and what it asked of the server. */
  const mirror = async (name: string, more: readonly string[] = []) => {
    await using proxy = await startProxy({ target: server.tlsPort });
    const args = ["imap", "alice", join(directory.path, name), `imaps://localhost:${proxy.port}`];
    const given = [...args, "--srcsecret", secret, "--tls-ca", server.caFile, "--json", ...more];
    const result = await runBackup(given, { DEBUG: "1" });
    expect(result).toExit(0);
    const commands = eventsOf(result).flatMap((event) => (event.type === "debug" ? [event.message] : []));
    return {
      report: reportOf(result),
      listed: commands.filter((command) => / UID FETCH 1:\*/.test(command)),
      bodies: commands.filter((command) => / UID FETCH .*BODY\.PEEK\[\](?!<0\.256>)/.test(command)),
      bytes: proxy.bytes.fromServer,
    };
  };
  const change = async (task: (appender: Appender) => Promise<unknown>): Promise<void> => {
    await using appender = await openAppender(loginOf(server));
    await task(appender);
  };
  const expectMirrored = async (name: string): Promise<void> => {
    expect(await readTree(join(directory.path, name))).toEqual(expectedTree(await readServer(server)));
  };
  const inodes = async (name: string): Promise<ReadonlySet<number>> => {
    const entries = await readdir(join(directory.path, name), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && entry.parentPath.endsWith("/cur"));
    return new Set(await Promise.all(files.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).ino)));
  };

  it("is asked for what changed alone: flags, keywords, new and vanished messages", async () => {
    await mirror("a");
    await change(async (appender) => {
      await appender.setFlags("INBOX", [1], ["\\Seen", "\\Flagged", "Urgent"]);
      await appender.expunge("INBOX", [2, 4]);
      await appender.append("INBOX", makeMessages({ count: 2, seed: 7 }));
      await appender.setFlags("Archive", [1, 2], []);
    });
    const { report, listed } = await mirror("a");
    expect(report).toMatchObject({ added: 2, removed: 2, failed: 0 });
    expect(listed).toHaveLength(2);
    for (const command of listed) expect(command).toMatch(/CHANGEDSINCE \d+/);
    await expectMirrored("a");
    const whole = await mirror("a", ["--full"]);
    expect(whole.report).toMatchObject({ added: 0, renamed: 0, removed: 0, unchanged: 0 });
    expect(whole.listed.filter((command) => command.includes("CHANGEDSINCE"))).toEqual([]);
  });

  it("is compared whole where somebody was at the backup", async () => {
    await change((appender) => appender.setFlags("INBOX", [1], ["\\Answered"]));
    // Somebody looked at it with another program, which renamed nothing in the end.
    await utimes(join(directory.path, "a/INBOX/cur"), new Date(), new Date());
    expect((await mirror("a")).listed.filter((command) => command.includes("CHANGEDSINCE"))).toEqual([]);
    await expectMirrored("a");
  });

  it("has messages moved, copied and folders renamed without a transfer", async () => {
    await mirror("b");
    const before = await inodes("b");
    await change(async (appender) => {
      await appender.createFolder("Moved");
      await appender.move("Archive", [1, 2, 3], "Moved");
      await appender.copy("Sent Items", [1, 2], "Moved");
      await appender.renameFolder("Archive/2023", "Archive/older");
    });
    const { report, bodies } = await mirror("b");
    expect(report).toMatchObject({ added: 0, removed: 0, failed: 0 });
    expect(report.moved).toBeGreaterThan(5);
    // The table of keywords of a folder is a file of its own.
    expect(report.bytes).toBeLessThan(200);
    expect(bodies).toEqual([]);
    await expectMirrored("b");
    expect(await inodes("b")).toEqual(before);
  });

  it("has each message transferred once, if the server says which are the same", async () => {
    await change(async (appender) => {
      await appender.createFolder("Copies");
      await appender.copy("Sent Items", [1, 2, 3], "Copies");
    });
    const { report } = await mirror("once");
    await expectMirrored("once");
    expect(report.moved > 0).toBe(objectId);
    const bytes = await readServer(server).then(({ folders }) => folders.flatMap(({ messages }) => messages));
    const distinct = new Map(bytes.map(({ sha256, date, size }) => [`${sha256} ${date}`, size]));
    const once = [...distinct.values()].reduce((sum, size) => sum + size, 0);
    if (objectId) expect(report.bytes).toBeLessThan(once + 1000);
    if (objectId) expect((await inodes("once")).size).toBe(distinct.size);
  });

  it("does not take what was moved for deleted, also where that is kept", async () => {
    await mirror("c");
    await change((appender) => appender.move("Moved", [1], "Empty"));
    const { report, bodies } = await mirror("c", ["--keep-deleted"]);
    expect(report).toMatchObject({ added: 0, moved: 1, removed: 0, kept: 0 });
    expect(bodies).toEqual([]);
  });

  it("is asked for what is alike and not the same", async () => {
    const date = new Date("2024-01-01T00:00:00Z");
    const alike = (tail: string) => ({ date, bytes: Buffer.from(`Subject: ${"x".repeat(400)}\r\n\r\n${tail}\r\n`) });
    await change((appender) => appender.append("Empty", [alike("one"), alike("two")]));
    await mirror("d");
    await change(async (appender) => {
      await appender.expunge("Empty", [2, 3]);
      await appender.append("INBOX", [alike("six"), alike("ten")]);
    });
    await mirror("d");
    await expectMirrored("d");
  });
});

describe("a server that tells of changes", () => {
  const inbox = (count: number) => new Map([["INBOX", makeFolder(count, { highestmodseq: 5 })]]);

  it.each([
    ["without QRESYNC, is asked for the UIDs where the count is wrong", {}],
    ["with a HIGHESTMODSEQ that went back, is listed whole", { highestmodseq: 3 }],
    ["with a UIDNEXT that went back, is listed whole", { uidnext: 5, highestmodseq: 6 }],
  ] as const)("%s", async (_name, state) => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = inbox(8);
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    const folder = folders.get("INBOX");
    folder?.messages.splice(2, 2);
    Object.assign(folder?.messages[0] ?? {}, { flags: ["\\Flagged"], modseq: 6 });
    folder?.messages.push(makeMessage(9, { modseq: 7 }));
    Object.assign(folder ?? {}, { highestmodseq: 7, uidnext: 10, ...state });
    server.commands.length = 0;
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 1, removed: 2 } });
    expect(await readTree(destination)).toEqual(modelTree(folders));
    const isWhole = server.commands.some((command) => /^UID FETCH 1:\* \([^)]*\)$/.test(command));
    expect(isWhole).toBe(Object.keys(state).length > 0);
  });

  it("and refuses to is not asked again on the same connection", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const names = ["INBOX", "Archive", "Sent"];
    const folders = new Map(names.map((name) => [name, makeFolder(3)]));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination, { connections: 1 })).toMatchObject({ exit: 0 });
    for (const folder of folders.values()) {
      folder.messages.push(makeMessage(folder.uidnext++, { modseq: 2 }));
      folder.highestmodseq = 2;
    }
    server.fault = ({ command }) => (command === "ENABLE" ? { type: "no", text: "not here" } : undefined);
    const before = server.commands.length;
    expect(await mirrorFake(server, destination, { connections: 1 })).toMatchObject({ exit: 0, report: { added: 3 } });
    const sent = server.commands.slice(before);
    expect(sent.filter((command) => /^(ENABLE|CLOSE)\b/.test(command))).toEqual(["ENABLE CONDSTORE"]);
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  it("and lies is found out when all is listed, every thirty times and with --full", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = inbox(3);
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    const folder = folders.get("INBOX");
    // A flag that it does not count as a change.
    Object.assign(folder?.messages[0] ?? {}, { flags: ["\\Flagged"] });
    const again = async (): Promise<boolean> => {
      Object.assign(folder ?? {}, { highestmodseq: Number(folder?.highestmodseq) + 1 });
      expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
      const [tree] = await readTree(destination);
      return tree?.messages[0]?.flags.length === 1;
    };
    for (let run = 0; run < 30; run++) expect(await again()).toBe(false);
    expect(await again()).toBe(true);
    Object.assign(folder?.messages[0] ?? {}, { flags: [] });
    expect(await again()).toBe(true);
    expect(await mirrorFake(server, destination, { full: true })).toMatchObject({ exit: 0, report: { renamed: 1 } });
  });
});

it.each([
  ["Gmail's X-GM-MSGID", "X-GM-EXT-1"],
  ["EMAILID", "OBJECTID"],
])("a message with many labels is transferred once, where the server tells by %s", async (_name, capability) => {
  await using directory = await temporaryDirectory();
  const destination = join(directory.path, "dest");
  const labels = ["INBOX", "All Mail", "Important", "Work"];
  const message = (uid: number, of: number) =>
    makeMessage(uid, { emailid: `m${of}`, internaldate: new Date(2020, 1, of), bytes: Buffer.alloc(5000, `${of}\n`) });
  const folders = new Map(
    labels.map((name, at) => [name, makeFolder(Array.from({ length: 9 - at }, (_, n) => message(n + 1, n + at + 1)))]),
  );
  await using server = await startFakeImap({ folders, capabilities: [...DEFAULT_CAPABILITIES, capability] });
  const first = await mirrorFake(server, destination, { connections: 1 });
  expect(first).toMatchObject({ exit: 0, report: { added: 9, moved: 21, bytes: 9 * 5000 } });
  expect(await readTree(destination)).toEqual(modelTree(folders));
  // Another label for a message that stays in a folder which changes too.
  folders.get("Work")?.messages.push(message(50, 1));
  for (const name of ["Work", "INBOX"]) Object.assign(folders.get(name) ?? {}, { highestmodseq: 9, uidnext: 60 });
  expect(await mirrorFake(server, destination, { full: true })).toMatchObject({
    exit: 0,
    report: { added: 0, moved: 1 },
  });
  expect(await readTree(destination)).toEqual(modelTree(folders));
});

it("a new UIDVALIDITY, as after a migration, costs less than a hundredth of 10,000 messages", async () => {
  await using directory = await temporaryDirectory();
  const destination = join(directory.path, "dest");
  const size = 45_000;
  const bytes = (uid: number) => ({
    length: size,
    subarray: (start: number, end: number) => {
      const head = Buffer.from(`Message-ID: <${uid}@example.org>\r\n\r\n`);
      return Buffer.concat([head, Buffer.alloc(size - head.length, "x\n")]).subarray(start, end);
    },
  });
  const messages = Array.from({ length: 10_000 }, (_, index) => makeMessage(index + 1, { bytes: bytes(index + 1) }));
  const folders = new Map([["INBOX", makeFolder(messages)]]);
  await using server = await startFakeImap({ folders });
  await using proxy = await startProxy({ target: server.tlsPort });
  expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 10_000 } });
  Object.assign(folders.get("INBOX") ?? {}, { uidvalidity: 2 });
  const result = await mirrorFake(server, destination, { port: proxy.port });
  expect(result).toMatchObject({ exit: 0, report: { added: 0, moved: 10_000, removed: 0, bytes: 0 } });
  expect(proxy.bytes.fromServer).toBeLessThan(0.01 * 10_000 * size);
  expect(await readTree(destination)).toEqual(modelTree(folders));
}, 180_000);
