import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { type FetchMessageObject, type FetchQueryObject, ImapFlow } from "imapflow";
import { describe, expect, test } from "vitest";
import {
  BARE_CAPABILITIES,
  type Bytes,
  DEFAULT_CAPABILITIES,
  type FakeImap,
  type FakeImapOptions,
  type Fault,
  type Folder,
  type Message,
  type Oddity,
  lazyBytes,
  longLine,
  makeFolder,
  makeMessage,
  startFakeImap,
} from "./support/fake-imap.js";
import { RawClient } from "./support/fake-imap/raw-client.js";

const MIB = 1024 * 1024;

describe("a client that behaves", () => {
  test.each(["tls", "starttls"] as const)("reads everything over %s", async (way) => {
    await using server = await startFakeImap({ folders: inbox(3) });
    await using client = await login(server, { way });
    expect(client.secureConnection).toBe(true);
    const box = await client.mailboxOpen("INBOX", { readOnly: true });
    expect(box).toMatchObject({ exists: 3, uidValidity: 1n, uidNext: 4, highestModseq: 1n, readOnly: true });
    const rows = await fetchAll(client, "1:*", { flags: true, internalDate: true, size: true, source: true });
    expect(rows.map(({ uid, size, source }) => [uid, size, source?.toString()])).toEqual(
      [1, 2, 3].map((uid) => [uid, makeMessage(uid).bytes.length, text(uid)]),
    );
    expect(rows[0]?.internalDate).toEqual(new Date("2024-01-01T00:00:01Z"));
    await client.logout();
    expect(server.commands).toContain("EXAMINE INBOX");
    expect(server.commands).toContain("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[] MODSEQ)");
    expect(server.commands.at(-1)).toBe("LOGOUT");
  });

  test("logs in by LOGIN where AUTH=PLAIN is missing, and is refused with a wrong password", async () => {
    await using server = await startFakeImap({ capabilities: BARE_CAPABILITIES });
    await using client = await login(server);
    expect(server.commands).toContain('LOGIN "alice" "secret"');
    expect(client.authenticated).toBeTruthy();
    server.capabilities = DEFAULT_CAPABILITIES;
    for (const capabilities of [BARE_CAPABILITIES, DEFAULT_CAPABILITIES]) {
      server.capabilities = capabilities;
      await expect(login(server, { password: "wrong" })).rejects.toMatchObject({
        authenticationFailed: true,
        serverResponseCode: "AUTHENTICATIONFAILED",
      });
    }
  });

  test("cannot be secured where STARTTLS is missing, and does not trust the certificate unasked", async () => {
    await using server = await startFakeImap({ starttls: false });
    await expect(login(server, { way: "starttls" })).rejects.toMatchObject({ tlsFailed: true });
    await expect(login(server, { ca: "" })).rejects.toThrow(/self-signed/);
    expect(await readFile(server.caFile, "utf8")).toBe(server.ca);
  });

  test("lists and asks for the status in one command with LIST-STATUS, otherwise folder by folder", async () => {
    const folders = new Map([
      ["INBOX", makeFolder(2)],
      ["Archive", makeFolder(0, { attributes: ["\\Noselect"] })],
      ["Archive/2024", makeFolder(5, { uidvalidity: 7, highestmodseq: 99n, status: { MESSAGES: 4 } })],
    ]);
    await using server = await startFakeImap({ folders });
    for (const capabilities of [DEFAULT_CAPABILITIES, [...BARE_CAPABILITIES, "CONDSTORE"]]) {
      server.capabilities = capabilities;
      await using client = await login(server);
      const query = { messages: true, uidNext: true, uidValidity: true, highestModseq: true };
      const listed = await client.list({ statusQuery: query });
      expect(Object.fromEntries(listed.map(({ path, status }) => [path, status]))).toEqual({
        INBOX: { path: "INBOX", messages: 2, uidNext: 3, uidValidity: 1n, highestModseq: 1n },
        Archive: undefined,
        "Archive/2024": { path: "Archive/2024", messages: 4, uidNext: 6, uidValidity: 7n, highestModseq: 99n },
      });
    }
    expect(server.commands.filter((line) => line.startsWith("STATUS"))).toHaveLength(2);
  });

  test("takes parts, headers, changes, ids and searches", async () => {
    const messages = [
      makeMessage(2, { modseq: 5, emailid: "M2" }),
      makeMessage(4, { modseq: 6, emailid: "M4", bytes: Buffer.from("A: 1\nB: 2\n\nbody\n") }),
      makeMessage(4294967295, { modseq: 7 }),
    ];
    const folders = new Map([["INBOX", makeFolder(messages, { highestmodseq: 7 })]]);
    await using server = await startFakeImap({ folders, capabilities: [...DEFAULT_CAPABILITIES, "OBJECTID"] });
    await using client = await login(server);
    await client.mailboxOpen("INBOX", { readOnly: true });
    const [part] = await fetchAll(client, "2", { source: { start: 9, maxLength: 9 } });
    expect(part?.source?.toString()).toBe("message 2");
    const [past] = await fetchAll(client, "2", { source: { start: 9999, maxLength: 9 } });
    expect(past?.source?.length).toBe(0);
    const [head] = await fetchAll(client, "4", { headers: true });
    expect(head).toMatchObject({ emailId: "M4", headers: Buffer.from("A: 1\nB: 2\n\n") });
    const [field] = await fetchAll(client, "4", { headers: ["b"] });
    expect(field?.headers?.toString()).toBe("B: 2\r\n\r\n");
    expect(await client.search({ all: true }, { uid: true })).toEqual([2, 4, 4294967295]);
    expect(await client.search({ uid: "3:*" }, { uid: true })).toEqual([4, 4294967295]);
    const changed: number[] = [];
    for await (const { uid } of client.fetch("1:*", { uid: true }, { uid: true, changedSince: 5n })) changed.push(uid);
    expect(changed).toEqual([4, 4294967295]);
    await client.mailboxClose();
    await client.noop();
    expect(server.commands.at(-2)).toBe("CLOSE");
  });

  test("sees what the test changes meanwhile", async () => {
    await using server = await startFakeImap({ folders: inbox(1) });
    await using client = await login(server);
    server.folders.get("INBOX")?.messages.push(makeMessage(2));
    expect(await client.status("INBOX", { messages: true })).toMatchObject({ messages: 2 });
    server.folders = new Map([["Other", makeFolder()]]);
    expect((await client.list()).map(({ path }) => path)).toEqual(["Other"]);
    expect([server.connections, server.openConnections]).toEqual([1, 1]);
  });
});

describe("on the wire", () => {
  test.each([
    ["1:3", [2, 3]],
    ["*", [20]],
    ["30:*", [20]],
    ["*:19", [20]],
    ["3,9,2", [2, 3, 9]],
    ["8:12,10:11,20", [9, 20]],
    ["4:8", []],
  ])("UID FETCH %s", async (set, uids) => {
    const folder = makeFolder([2, 3, 9, 20].map((uid) => makeMessage(uid)));
    await using server = await startFakeImap({ folders: new Map([["INBOX", folder]]) });
    using raw = await rawOpened(server);
    const answer = await raw.send(`UID FETCH ${set} FLAGS`);
    expect(Array.from(answer.matchAll(/UID (\d+)/g), ([, uid]) => Number(uid))).toEqual(uids);
    expect(answer).toMatch(/^t OK/m);
  });

  test("sequence numbers, literals from the client, and what is not known", async () => {
    await using server = await startFakeImap({ folders: inbox(3), starttls: false });
    using raw = await rawConnect(server);
    expect(await raw.send("NOOP")).toMatch(/^t OK/);
    expect(await raw.send("SELECT INBOX")).toMatch(/^t BAD/);
    expect(await raw.send("LOGIN {5+}\r\nalice {6}\r\nsecret")).toMatch(/^\+ .*\r\nt OK \[CAPABILITY/s);
    expect(server.commands).toEqual(["NOOP", "SELECT INBOX", 'LOGIN "alice" "secret"']);
    expect(await raw.send("FETCH 2 (FLAGS)")).toMatch(/^t BAD/);
    expect(await raw.send("SELECT inbox")).toMatch(/^t OK \[READ-WRITE\]/m);
    expect(await raw.send("FETCH 2 (RFC822.SIZE)")).toBe(`* 2 FETCH (RFC822.SIZE ${text(2).length})\r\nt OK done\r\n`);
    expect(await raw.send("FETCH 2 (ENVELOPE)")).toMatch(/^t BAD/);
    expect(await raw.send("SEARCH 2:*")).toMatch(/^\* SEARCH 2 3\r\n/);
    expect(await raw.send("SEARCH TEXT a")).toMatch(/^t BAD/);
    expect(await raw.send("CHECK")).toMatch(/^t OK/);
    expect(await raw.send("UNSELECT")).toMatch(/^t OK/);
    expect(await raw.send("EXAMINE Nowhere")).toMatch(/^t NO/);
    expect(await raw.send("APPEND INBOX {3+}\r\nabc")).toMatch(/^t BAD/);
    expect(await raw.send('LIST "" %')).toMatch(/^\* LIST \(\) "\/" "INBOX"\r\n/);
  });
});

describe("folder names", () => {
  const names = [
    "..",
    "../../etc/cron.d",
    "/etc/passwd",
    "NUL\0here",
    "line\r\nfeed",
    "n".repeat(500),
    "Foo",
    "foo",
    "cur",
    "&AAA", // modified UTF-7 that never ends
    "&Jjo!", // the example of RFC 3501 section 5.1.3
    'quote " and \\',
    "8-bit \xff\xfe",
    "*",
    Array(3000).fill("d").join("/"),
  ];

  test("go on the wire as they are", async () => {
    const folders = new Map(names.map((name) => [name, makeFolder(1)]));
    await using server = await startFakeImap({ folders });
    using raw = await rawLogin(server);
    const answer = await raw.send('LIST "" * RETURN (STATUS (MESSAGES))');
    for (const name of ["NUL\0here", "line\r\nfeed", "8-bit \xff\xfe"]) {
      expect(answer).toContain(`* LIST () "/" {${name.length}}\r\n${name}\r\n`);
      expect(answer).toContain(`* STATUS {${name.length}}\r\n${name} (MESSAGES 1)\r\n`);
    }
    expect(answer).toContain('* LIST () "/" "../../etc/cron.d"\r\n');
    expect(answer).toContain('* LIST () "/" "quote \\" and \\\\"\r\n');
    expect(await raw.send('LIST "" "foo"')).toMatch(/^\* LIST \(\) "\/" "foo"\r\nt OK/);
    expect(await raw.send("EXAMINE {10+}\r\nline\r\nfeed")).toMatch(/^\* 1 EXISTS/m);
  });

  test("reach imapflow", async () => {
    const folders = new Map(names.map((name) => [name, makeFolder(1)]));
    await using server = await startFakeImap({ folders });
    await using client = await login(server);
    const listed = await client.list({ statusQuery: { messages: true } });
    const raw = names.filter((name) => !name.startsWith("8-bit"));
    expect(listed.map(({ pathAsListed }) => pathAsListed)).toEqual(expect.arrayContaining(raw));
    expect(listed.find(({ path }) => path === "..")?.status).toMatchObject({ messages: 1 });
  });

  test("may be written the wrong way, without a delimiter, and below a namespace", async () => {
    const folders = new Map<string, Folder>([
      ["INBOX", makeFolder(0, { nameAs: "atom" })],
      ["INBOX.a", makeFolder(0, { nameAs: "literal", delimiter: null, attributes: ["\\Sent"] })],
      ["\xff", makeFolder(0, { nameAs: "quoted", delimiter: "." })],
    ]);
    await using server = await startFakeImap({ folders, namespace: { prefix: "INBOX.", delimiter: "." } });
    using raw = await rawLogin(server);
    expect(await raw.send('LIST "" *')).toBe(
      '* LIST () "/" INBOX\r\n* LIST (\\Sent) NIL {7}\r\nINBOX.a\r\n* LIST () "." "\xff"\r\nt OK done\r\n',
    );
    expect(await raw.send("NAMESPACE")).toMatch('* NAMESPACE (("INBOX." ".")) NIL NIL\r\n');
    expect(await raw.send('LIST "" ""')).toMatch('* LIST (\\Noselect) "." "INBOX."\r\n');
  });
});

describe("faults of a command", () => {
  test("the script is told what there is to know", async () => {
    const seen: unknown[] = [];
    await using server = await startFakeImap({
      folders: inbox(1),
      fault: ({ command, tag, args, folder, connection, count }) => {
        seen.push([command, tag, args, folder, connection, count]);
        return undefined;
      },
    });
    using first = await rawConnect(server);
    using second = await rawLogin(server);
    await first.send("NOOP");
    await second.send('SELECT "inbox"');
    await second.send("NOOP");
    expect(seen).toEqual([
      ["GREETING", "*", "", undefined, 1, 1],
      ["GREETING", "*", "", undefined, 2, 2],
      ["LOGIN", "t", "alice secret", undefined, 2, 1],
      ["NOOP", "t", "", undefined, 1, 1],
      ["SELECT", "t", '"inbox"', "INBOX", 2, 1],
      ["NOOP", "t", "", "INBOX", 2, 2],
    ]);
    server.fault = ({ count }) => (count === 2 ? { type: "no", text: "the second" } : undefined);
    expect(await first.send("NOOP")).toMatch(/^t OK/);
    expect(await first.send("NOOP")).toBe("t NO the second\r\n");
  });

  test("what the script throws comes out when the server is disposed of", async () => {
    const server = await startFakeImap({
      fault: () => {
        throw new Error("wrong script");
      },
    });
    await (await rawConnect(server)).closed;
    await expect(server[Symbol.asyncDispose]()).rejects.toThrow("wrong script");
  });

  test("cut", async () => {
    await using server = await startFakeImap(faulty("UID FETCH", { type: "cut" }));
    await using client = await opened(server);
    await expect(fetchAll(client, "1:*", { source: true })).rejects.toMatchObject({ code: "NoConnection" });
  });

  test("cut after rows", async () => {
    await using server = await startFakeImap(faulty("UID FETCH", { type: "cut", rows: 2 }));
    using raw = await rawOpened(server);
    const answer = await raw.send("UID FETCH 1:* FLAGS");
    expect(answer).toMatch(/^\* 1 .*\r\n\* 2 .*\r\n$/);
    await raw.closed;
  });

  test.each([0, 10, text(1).length, text(1).length + 10])("cut in a literal after %i bytes", async (afterBytes) => {
    await using server = await startFakeImap(faulty("UID FETCH", { type: "cut-in-literal", afterBytes }));
    using raw = await rawOpened(server);
    const answer = await raw.send("UID FETCH 1:* BODY.PEEK[]");
    const bodies = answer.replaceAll(/\)?(\r\n)?\* \d+ FETCH \(UID \d+ BODY\[\] \{\d+\}\r\n/g, "");
    expect(bodies).toBe((text(1) + text(2)).slice(0, afterBytes));

    await using client = await opened(server);
    const got: number[] = [];
    const reading = (async () => {
      for await (const { uid } of client.fetch("1:*", { source: true, uid: true }, { uid: true })) got.push(uid);
    })();
    await expect(reading).rejects.toMatchObject({ code: "NoConnection" });
    expect(got).toEqual(afterBytes > text(1).length ? [1] : []);
  });

  test("bye, also as the greeting", async () => {
    await using server = await startFakeImap(faulty("NOOP", { type: "bye", text: "maintenance" }));
    using raw = await rawLogin(server);
    expect(await raw.send("NOOP")).toBe("* BYE maintenance\r\n");
    await raw.closed;
    server.fault = () => ({ type: "bye", text: "too many connections" });
    await expect(login(server)).rejects.toMatchObject({ code: "ClosedAfterConnectTLS" });
    using late = await RawClient.connect(server.plainPort);
    expect(await late.read(/\r\n/)).toBe("* BYE too many connections\r\n");
  });

  test("no and bad, before and after the answer", async () => {
    await using server = await startFakeImap(faulty("UID FETCH", { type: "no", text: "[UNAVAILABLE] later" }));
    await using client = await opened(server);
    await expect(fetchAll(client, "1:*", { source: true })).rejects.toMatchObject({ responseStatus: "NO" });
    server.fault = () => ({ type: "bad", text: "what?" });
    await expect(fetchAll(client, "1:*", { source: true })).rejects.toMatchObject({ responseStatus: "BAD" });
    server.fault = () => ({ type: "no", text: "Some of the requested messages no longer exist", rows: Infinity });
    expect(await fetchAll(client, "1:*", { source: true })).toHaveLength(4);
    server.fault = ({ command }) => (command === "STARTTLS" ? { type: "no", text: "not today" } : undefined);
    await expect(login(server, { way: "starttls" })).rejects.toMatchObject({ tlsFailed: true });
  });

  test("stall", async () => {
    await using server = await startFakeImap(faulty("UID FETCH", { type: "stall", rows: 1 }));
    await using client = await opened(server, { socketTimeout: 500 });
    client.on("error", () => {});
    const got: number[] = [];
    const reading = (async () => {
      for await (const { uid } of client.fetch("1:*", { uid: true }, { uid: true })) got.push(uid);
    })();
    await expect(reading).rejects.toMatchObject({ code: "NoConnection" });
    expect(got).toEqual([1]);
  });

  test("garbage row", async () => {
    await using server = await startFakeImap(faulty("UID FETCH", { type: "garbage-row" }));
    await using client = await opened(server);
    expect(await uidsOf(client)).toEqual([1, 3, 4]);
    server.fault = ({ command }) => (command === "UID FETCH" ? { type: "garbage-row", row: 3 } : undefined);
    expect(await uidsOf(client)).toEqual([1, 2, 3]);
  });

  test("untagged lines that nobody asked for", async () => {
    await using server = await startFakeImap(
      faulty("NOOP", { type: "untagged", lines: ["* 9 EXISTS", "* 1 EXPUNGE"] }),
    );
    await using client = await opened(server);
    await client.noop();
    expect(client.mailbox).toMatchObject({ exists: 8 });
  });
});

describe("oddities of a message", () => {
  test("omitted, from bodies, from listings, or a few times", async () => {
    await using server = await startWithOdd({ type: "omit", times: 1 }, { type: "omit", on: "listing", times: 2 });
    await using client = await opened(server);
    expect(await uidsOf(client)).toEqual([1, 3]);
    expect(await uidsOf(client)).toEqual([1, 2, 3]);
    expect(await uidsOf(client, { flags: true })).toEqual([1, 3]);
    expect(await uidsOf(client, { flags: true })).toEqual([1, 3]);
    expect(await uidsOf(client, { flags: true })).toEqual([1, 2, 3]);
  });

  test("garbage", async () => {
    await using server = await startWithOdd({ type: "garbage", on: "any" });
    await using client = await opened(server);
    expect(await uidsOf(client)).toEqual([1, 3]);
    expect(await uidsOf(client, { flags: true })).toEqual([1, 3]);
  });

  test("BODY[] NIL", async () => {
    await using server = await startWithOdd({ type: "nil" });
    await using client = await opened(server);
    const rows = await fetchAll(client, "1:*", { source: true });
    expect(rows.map(({ source }) => Boolean(source))).toEqual([true, false, true]);
  });

  test("a row that nobody asked for", async () => {
    await using server = await startWithOdd({ type: "unasked", uid: 77, bytes: Buffer.from("stranger") });
    await using client = await opened(server);
    const rows = await fetchAll(client, "1:2", { source: true });
    expect(rows.map(({ uid, source }) => [uid, source?.toString()])).toEqual([
      [1, text(1)],
      [77, "stranger"],
      [2, text(2)],
    ]);
  });

  test("the same UID twice", async () => {
    await using server = await startWithOdd({ type: "twice" }, { type: "twice", bytes: Buffer.from("others") });
    await using client = await opened(server);
    const rows = await fetchAll(client, "2", { source: true });
    expect(rows.map(({ source }) => source?.toString())).toEqual([text(2), text(2), "others"]);
  });

  test("a literal longer than announced", async () => {
    await using server = await startWithOdd({ type: "announce", more: -5 });
    using raw = await rawOpened(server);
    const { length } = text(2);
    expect(await raw.send("UID FETCH 2 BODY.PEEK[]")).toContain(`{${length - 5}}\r\n${text(2)})\r\nt OK`);
    await using client = await opened(server);
    expect(await uidsOf(client)).toEqual([1, 3]);
  });

  test("a literal shorter than announced swallows the next row", async () => {
    await using server = await startWithOdd({ type: "announce", more: 20 });
    await using client = await opened(server);
    expect(await uidsOf(client)).toEqual([1]);
  });

  test("a literal of 1.5 GB is announced", async () => {
    await using server = await startWithOdd({ type: "announce", size: 1_500_000_000 });
    using raw = await rawOpened(server);
    raw.write("UID FETCH 2 BODY.PEEK[]");
    expect(await raw.read(/t OK/)).toContain(`{1500000000}\r\n${text(2)})`);
    await using client = await opened(server);
    client.on("error", () => {});
    await expect(fetchAll(client, "1:*", { source: true })).rejects.toMatchObject({ code: "NoConnection" });
  });

  test("a poison message kills the connection each time", async () => {
    await using server = await startWithOdd({ type: "cut" });
    for (const range of ["1:*", "2"]) {
      await using client = await opened(server);
      await expect(fetchAll(client, range, { source: true })).rejects.toMatchObject({ code: "NoConnection" });
    }
    await using client = await opened(server);
    expect(await uidsOf(client, { source: true }, "1,3")).toEqual([1, 3]);
    expect(await uidsOf(client, { flags: true })).toEqual([1, 2, 3]);
  });

  test("a poison message ends the FETCH with NO after the rows before it", async () => {
    await using server = await startWithOdd({ type: "no", text: "[SERVERBUG] cannot read" });
    await using client = await opened(server);
    const got: number[] = [];
    const reading = (async () => {
      for await (const { uid } of client.fetch("1:*", { source: true, uid: true }, { uid: true })) got.push(uid);
    })();
    await expect(reading).rejects.toMatchObject({ responseStatus: "NO" });
    expect(got).toEqual([1]);
    expect(await uidsOf(client, { source: true }, "1,3")).toEqual([1, 3]);
  });

  test("a poison message stalls, is BAD, says BYE", async () => {
    await using server = await startWithOdd(
      { type: "bad", text: "no", times: 1 },
      { type: "bye", text: "crashed", on: "listing" },
      { type: "stall" },
    );
    await using client = await opened(server, { socketTimeout: 500 });
    client.on("error", () => {});
    await expect(uidsOf(client)).rejects.toMatchObject({ responseStatus: "BAD" });
    await expect(uidsOf(client)).rejects.toMatchObject({ code: "NoConnection" });
    using raw = await rawOpened(server);
    expect(await raw.send("UID FETCH 1:* FLAGS")).toMatch(/^\* 1 .*\r\n\* BYE crashed\r\n$/);
  });
});

describe("messages that are strange in themselves", () => {
  test("a wrong RFC822.SIZE", async () => {
    await using server = await startWith(makeMessage(1, { size: 1 }), makeMessage(2, { size: 4294967295 }));
    await using client = await opened(server);
    const rows = await fetchAll(client, "1:*", { size: true, source: true });
    expect(rows.map(({ size, source }) => [size, source?.length])).toEqual([
      [1, text(1).length],
      [4294967295, text(2).length],
    ]);
  });

  test("INTERNALDATE that is missing, NIL, invalid, before 1970", async () => {
    await using server = await startWith(
      makeMessage(1, { internaldate: undefined }),
      makeMessage(2, { internaldate: null }),
      makeMessage(3, { internaldate: "32-Foo-2024 25:61:61 +9999" }),
      makeMessage(4, { internaldate: new Date("1961-04-12T06:07:00Z") }),
    );
    using raw = await rawOpened(server);
    expect(await raw.send("UID FETCH 1:* INTERNALDATE")).toBe(
      "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2 INTERNALDATE NIL)\r\n" +
        '* 3 FETCH (UID 3 INTERNALDATE "32-Foo-2024 25:61:61 +9999")\r\n' +
        '* 4 FETCH (UID 4 INTERNALDATE "12-Apr-1961 06:07:00 +0000")\r\nt OK done\r\n',
    );
    await using client = await opened(server);
    const rows = await fetchAll(client, "1:*", { internalDate: true });
    expect(rows.map(({ uid }) => uid)).toEqual([1, 2, 3, 4]);
    expect(rows[3]?.internalDate).toEqual(new Date("1961-04-12T06:07:00Z"));
  });

  test("keywords that are long, quoted, many", async () => {
    const many = Array.from({ length: 40 }, (_, index) => `keyword${index}`);
    const long = "k".repeat(3000);
    await using server = await startWith(
      makeMessage(1, { flags: ["\\Seen", long] }),
      makeMessage(2, { flags: ['"with blank"'] }),
      makeMessage(3, { flags: many }),
    );
    await using client = await opened(server);
    const rows = await fetchAll(client, "1:*", { flags: true });
    expect(rows.map(({ flags }) => [...(flags ?? [])])).toEqual([["\\Seen", long], ["with blank"], many]);
  });

  test("bytes of every kind, and none", async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const bodies = [
      Buffer.from("a\0b"),
      Buffer.from("bare\nLF\rCR"),
      all,
      Buffer.alloc(0),
      Buffer.from("t OK {3}\r\n"),
    ];
    await using server = await startWith(...bodies.map((bytes, index) => makeMessage(index + 1, { bytes })));
    await using client = await opened(server);
    const rows = await fetchAll(client, "1:*", { source: true });
    expect(rows.map(({ source }) => source)).toEqual(bodies);
  });

  test("one line of 100 MB, made while it is sent, no faster than it is taken", async () => {
    const line = longLine(100 * MIB);
    let [made, largest] = [0, 0];
    const watched: Bytes = {
      length: line.length,
      subarray(start, end) {
        [made, largest] = [Math.max(made, end), Math.max(largest, end - start)];
        return line.subarray(start, end);
      },
    };
    await using server = await startWith(makeMessage(1, { bytes: watched }));
    using raw = await rawOpened(server);
    raw.pause();
    raw.write("UID FETCH 1 BODY.PEEK[]");
    for (let before = -1; made === 0 || before !== made; await setTimeout(100)) before = made;
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThan(50 * MIB);
    expect(largest).toBeLessThanOrEqual(64 * 1024);
    raw.resume();
    const whole = "* 1 FETCH (UID 1 BODY[] {104857600}\r\n)\r\nt OK done\r\n".length + 100 * MIB;
    expect(await raw.skip("t OK done\r\n")).toBe(whole);

    await using client = await opened(server);
    const [part] = await fetchAll(client, "1", { source: { start: 100 * MIB - 3, maxLength: MIB } });
    expect(part?.source?.toString()).toBe("xxx");
  });

  test("lazy bytes are the same whatever part is asked", () => {
    const whole = "Subject: x\r\n\r\n" + "0123456789\r\n".repeat(4);
    const lazy = lazyBytes(50, { head: "Subject: x\r\n\r\n", fill: "0123456789\r\n" });
    for (let from = 0; from <= 50; from++) {
      for (let to = from; to <= 52; to++) {
        expect(Buffer.from(lazy.subarray(from, to)).toString()).toBe(whole.slice(0, 50).slice(from, to));
      }
    }
    expect(Buffer.from(lazyBytes(3, { head: "longer" }).subarray(0, 9)).toString()).toBe("lon");
  });
});

function inbox(messages: number): Map<string, Folder> {
  return new Map([["INBOX", makeFolder(messages)]]);
}

/** Four messages; every such command goes wrong. */
function faulty(command: string, fault: Fault): FakeImapOptions {
  return { folders: inbox(4), fault: (context) => (context.command === command ? fault : undefined) };
}

async function startWith(...messages: Message[]): Promise<FakeImap> {
  return await startFakeImap({ folders: new Map([["INBOX", makeFolder(messages)]]) });
}

/** Three messages, the second of which is odd. */
async function startWithOdd(...odd: Oddity[]): Promise<FakeImap> {
  return await startWith(makeMessage(1), makeMessage(2, { odd }), makeMessage(3));
}

function text(uid: number): string {
  const { bytes } = makeMessage(uid);
  return Buffer.from(bytes.subarray(0, bytes.length)).toString();
}

interface LoginOptions {
  readonly way?: "tls" | "starttls";
  readonly password?: string;
  readonly ca?: string;
  readonly socketTimeout?: number;
}

async function login(server: FakeImap, options: LoginOptions = {}): Promise<ImapFlow & AsyncDisposable> {
  const { way = "tls", password = "secret", ca = server.ca, socketTimeout = 10_000 } = options;
  const client = new ImapFlow({
    host: server.host,
    port: way === "tls" ? server.tlsPort : server.plainPort,
    secure: way === "tls",
    doSTARTTLS: way === "starttls" ? true : undefined,
    tls: { ca },
    auth: { user: "alice", pass: password },
    logger: false,
    socketTimeout,
  });
  await client.connect();
  return Object.assign(client, {
    async [Symbol.asyncDispose]() {
      client.close();
    },
  });
}

async function opened(server: FakeImap, options?: LoginOptions): Promise<ImapFlow & AsyncDisposable> {
  const client = await login(server, options);
  await client.mailboxOpen("INBOX", { readOnly: true });
  return client;
}

async function fetchAll(client: ImapFlow, range: string, query: FetchQueryObject): Promise<FetchMessageObject[]> {
  const rows: FetchMessageObject[] = [];
  for await (const row of client.fetch(range, { ...query, uid: true }, { uid: true })) rows.push(row);
  return rows;
}

async function uidsOf(client: ImapFlow, query: FetchQueryObject = { source: true }, range = "1:*"): Promise<number[]> {
  return (await fetchAll(client, range, query)).map(({ uid }) => uid);
}

async function rawConnect(server: FakeImap): Promise<RawClient> {
  const raw = await RawClient.connect(server.plainPort);
  await raw.read(/\r\n/);
  return raw;
}

async function rawLogin(server: FakeImap): Promise<RawClient> {
  const raw = await rawConnect(server);
  await raw.send("LOGIN alice secret");
  return raw;
}

async function rawOpened(server: FakeImap): Promise<RawClient> {
  const raw = await rawLogin(server);
  await raw.send("EXAMINE INBOX");
  return raw;
}
