import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventsOf, startBackup, writeSecret } from "./support/command.js";
import {
  BARE_CAPABILITIES,
  type Fault,
  type FaultContext,
  type Folder,
  type Message,
  type Oddity,
  lazyBytes,
  longLine,
  makeFolder,
  makeMessage,
  startFakeImap,
} from "./support/fake-imap.js";
import { mirrorFake, modelTree, sha256Of } from "./support/fake-mirror.js";
import { peakMemory } from "./support/peak-memory.js";
import { temporaryDirectory } from "./support/temporary-directory.js";
import { type TreeFolder, readTree } from "./support/tree.js";

const MIB = 1024 * 1024;

function inbox(messages: number | Message[]): Map<string, Folder> {
  return new Map([["INBOX", makeFolder(messages)]]);
}

/** The tree without some messages of INBOX. */
function without(tree: readonly TreeFolder[], ...uids: readonly number[]): readonly TreeFolder[] {
  return tree.map((folder) =>
    folder.directory === "INBOX"
      ? { ...folder, messages: folder.messages.filter(({ uid }) => !uids.includes(uid)) }
      : folder,
  );
}

/** A fault for one command, so many times. */
function once(command: string, fault: Fault | ((context: FaultContext) => Fault | undefined), times = 1) {
  let left = times;
  return (context: FaultContext): Fault | undefined => {
    if (`${context.command} ${context.args}`.startsWith(command) && left-- > 0)
      return typeof fault === "function" ? fault(context) : fault;
    return undefined;
  };
}

function isBodyFetch({ command, args }: FaultContext): boolean {
  return command === "UID FETCH" && args.includes("BODY");
}

describe("folder names", () => {
  const REFUSED = {
    /** Invalid in modified UTF-7, or not the way to write it: their name cannot be said back to the server. */
    invalid: ["&Jjo", "&", "&AEI-&APw-cher", "raw \xc3\xa4", "raw \xff", "nul\0name", "\u001b[31mred"],
    /** No command can hold them. */
    unspeakable: ["new\nline", "cr\r\nlf"],
    tooLong: [`${"d/".repeat(3000)}d`, "y/".repeat(40_000)],
  };
  const TAKEN = [
    "INBOX",
    "..",
    "../../etc/cron.d/x",
    "/etc/passwd",
    "etc/passwd",
    "a/../../b",
    ".",
    "./c",
    "d//e",
    "",
    "~",
    "x".repeat(500),
    "cur",
    "new",
    "tmp",
    "a/cur",
    "Tmp/CUR",
    "dovecot-keywords",
    "dovecot.index",
    "-rf",
    "backup-keywords",
    ".backup",
    ".backup/tmp",
    "Foo",
    "foo",
    "FOO",
    "foo/Bar",
    "FOO/bar",
    "CON",
    "trailing.",
    "trailing ",
    "%2e%2e",
    "%+",
    "a:2,S",
    "B&APw-cher",
    "100%",
    'quo"te',
    "back\\slash",
    "star*",
    "q?",
  ];
  const ALL = [...TAKEN, ...Object.values(REFUSED).flat()];

  test("lead to no file outside, and cost no other folder", async () => {
    await using directory = await temporaryDirectory();
    const outside = async () =>
      (await readdir(directory.path, { recursive: true })).filter((name) => !name.startsWith("a/b/c/dest/")).toSorted();
    const system = async () => [await readdir("/etc/cron.d").catch(() => []), (await stat("/etc/passwd")).mtimeMs];
    const folders = new Map(ALL.map((name, index) => [name, makeFolder([makeMessage(100 + index)])]));
    await using server = await startFakeImap({ folders });
    const destination = join(directory.path, "a/b/c/dest");
    const before = await system();

    for (const run of [1, 2]) {
      const { exit, failed, report, error } = await mirrorFake(server, destination);
      expect({ exit, error }, `run ${run}`).toEqual({ exit: 3, error: undefined });
      expect(report).toMatchObject({ failed: ALL.length - TAKEN.length, removed: 0, collections: TAKEN.length });
      expect(failed).toHaveLength(ALL.length - TAKEN.length);
      expect(failed.every((name) => name.length <= 100)).toBe(true);
      expect(await outside()).toEqual(["a", "a/b", "a/b/c", "a/b/c/dest"]);
      expect(await system()).toEqual(before);

      const found = new Map((await readTree(destination)).map((folder) => [nameOf(folder.directory), folder.messages]));
      const names = TAKEN.map((name) => name.replace("&APw-", "ü"));
      expect([...found.keys()].toSorted()).toEqual(names.toSorted());
      for (const [index, name] of names.entries())
        expect(found.get(name), name).toMatchObject([
          { uid: 100 + index, sha256: sha256Of(makeMessage(100 + index).bytes) },
        ]);
      // Also where a disk ignores case.
      const directories = (await readTree(destination)).map((folder) =>
        folder.directory.toLowerCase().normalize("NFC"),
      );
      expect(new Set(directories).size).toBe(directories.length);
    }

    // What goes at the server goes here; what cannot be read is never taken for gone.
    for (const name of [...REFUSED.unspeakable, ...REFUSED.tooLong, ...REFUSED.invalid, ".."])
      server.folders.delete(name);
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { removed: 1 } });
    expect((await readTree(destination)).map((folder) => nameOf(folder.directory))).not.toContain("..");
    expect(await outside()).toEqual(["a", "a/b", "a/b/c", "a/b/c/dest"]);
  });

  test("that cannot be read in the list are reported, and nothing is taken for deleted", async () => {
    await using directory = await temporaryDirectory();
    const folders = new Map(["INBOX", "A", "B", "C"].map((name) => [name, makeFolder(3)]));
    await using server = await startFakeImap({ folders });
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    const whole = modelTree(folders);
    folders.get("C")?.messages.pop();
    Object.assign(folders.get("C") ?? {}, { highestmodseq: 2 });
    // A row of LIST and a row of STATUS for each folder: this is B's.
    server.fault = ({ command }) => (command === "LIST" ? { type: "garbage-row", row: 4 } : undefined);
    const half = await mirrorFake(server, destination);
    expect(half).toMatchObject({ exit: 3, report: { result: "partial", removed: 0 }, failed: ["(unreadable)"] });
    expect(await readTree(destination)).toEqual(whole);
    server.fault = undefined;
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { removed: 1 } });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  test("may be listed twice, with attributes in any case", async () => {
    await using directory = await temporaryDirectory();
    const folders = new Map([
      ["INBOX", makeFolder(1)],
      ["inbox", makeFolder(1)],
      ["Parent", makeFolder(0, { attributes: ["\\NOSELECT"] })],
      ["Parent/Child", makeFolder(1)],
      ["Ghost", makeFolder(0, { attributes: ["\\NonExistent"] })],
    ]);
    await using server = await startFakeImap({ folders });
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { collections: 2 } });
    expect((await readTree(destination)).map((folder) => folder.directory)).toEqual(["INBOX", "Parent/Child"]);
  });
});

/** The folder of a directory, by docs/format.md. */
function nameOf(directory: string): string {
  return directory
    .replaceAll("%+/%+", "")
    .split("/")
    .map((part) => (part === "%-" ? "" : decodeURIComponent(part)))
    .join("/");
}

describe("a message that cannot be had", () => {
  const POISON: readonly (readonly [name: string, odd: Oddity])[] = [
    ["is NIL", { type: "nil" }],
    ["is left out", { type: "omit" }],
    ["is a row that no parser takes", { type: "garbage" }],
    ["cuts the connection", { type: "cut" }],
    ["ends it with BYE", { type: "bye", text: "internal error" }],
    ["is answered by NO", { type: "no", text: "cannot read it" }],
    ["is answered by BAD", { type: "bad", text: "what?" }],
    ["is never answered", { type: "stall" }],
    ["is shorter than announced", { type: "announce", more: 7 }],
    ["is longer than announced", { type: "announce", more: -7 }],
    ["is announced with 1.5 GB", { type: "announce", size: 1_500_000_000 }],
  ];

  test.each(POISON)("%s", async (_name, odd) => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const messages = Array.from({ length: 9 }, (_, index) => makeMessage(index + 1, { flags: ["\\Seen"] }));
    const folders = inbox(messages.slice(0, 3)).set("Other", makeFolder(4, { uidvalidity: 7 }));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 7 } });

    // Gone at the server, and not to be removed while something is missing.
    folders.set("INBOX", makeFolder(messages.slice(1), { highestmodseq: 2 }));
    const poison = messages[4];
    if (poison) poison.odd = [odd];
    for (const run of [1, 2]) {
      const { exit, failed, said, report } = await mirrorFake(server, destination, { timeoutMs: 250 });
      expect({ exit, failed, said }, `run ${run}`).toMatchObject({ exit: 3, failed: ["INBOX V1U5"] });
      expect(said[0]).toMatch(/UID 5 of folder INBOX/);
      expect(report).toMatchObject({
        result: "partial",
        failed: 1,
        removed: 0,
        postponed: 1,
        added: run === 1 ? 5 : 0,
      });
      const all = new Map(folders).set("INBOX", makeFolder(messages));
      expect(await readTree(destination)).toEqual(without(modelTree(all), 5));
    }

    if (poison) poison.odd = [];
    expect(await mirrorFake(server, destination)).toMatchObject({
      exit: 0,
      report: { added: 1, removed: 1, postponed: 0 },
    });
    expect(await readTree(destination)).toEqual(modelTree(folders));
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { unchanged: 2 } });
  });

  test("is no matter when it was only once", async () => {
    for (const [name, odd] of POISON) {
      await using directory = await temporaryDirectory();
      const messages = [1, 2, 3, 4, 5, 6].map((uid) =>
        makeMessage(uid, uid === 4 ? { odd: [{ ...odd, times: 1 }] } : {}),
      );
      await using server = await startFakeImap({ folders: inbox(messages) });
      const result = await mirrorFake(server, join(directory.path, "dest"), { timeoutMs: 250 });
      expect(result, name).toMatchObject({ exit: 0, failed: [], report: { added: 6 } });
      expect(await readTree(join(directory.path, "dest")), name).toEqual(modelTree(server.folders));
    }
  });

  test("is reported as missing and not as deleted when the server cannot say that it is there", async () => {
    await using directory = await temporaryDirectory();
    const messages = [1, 2, 3].map((uid) => makeMessage(uid, uid === 2 ? { odd: [{ type: "omit" }] } : {}));
    await using server = await startFakeImap({ folders: inbox(messages) });
    server.fault = ({ command }) => (command === "UID SEARCH" ? { type: "garbage-row", row: 0 } : undefined);
    expect(await mirrorFake(server, join(directory.path, "dest"))).toMatchObject({ exit: 3, failed: ["INBOX V1U2"] });
  });

  test("may be several, all named, and the rest arrives", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = inbox(300);
    await using server = await startFakeImap({ folders });
    const odd: Oddity[] = [{ type: "nil" }, { type: "cut" }, { type: "no", text: "no" }, { type: "garbage" }];
    const poison = [1, 2, 150, 299, 300];
    for (const [index, uid] of poison.entries()) {
      const message = folders.get("INBOX")?.messages[uid - 1];
      if (message) message.odd = [odd[index % odd.length] ?? { type: "nil" }];
    }
    const { exit, failed } = await mirrorFake(server, destination);
    expect({ exit, failed }).toEqual({ exit: 3, failed: poison.map((uid) => `INBOX V1U${uid}`).toSorted() });
    expect(await readTree(destination)).toEqual(without(modelTree(folders), ...poison));
  });
});

describe("a server that refuses every message", () => {
  const REFUSED: Fault = { type: "no", text: "[OVERQUOTA] too much for today" };

  test("of a folder is not asked for each of them, and the next folder arrives", async () => {
    await using directory = await temporaryDirectory();
    const folders = inbox(500).set("Other", makeFolder(4));
    await using server = await startFakeImap({ folders });
    let asked = 0;
    server.fault = (context) => {
      if (!isBodyFetch(context) || context.folder !== "INBOX") return undefined;
      asked++;
      return REFUSED;
    };
    const { exit, failed, report } = await mirrorFake(server, join(directory.path, "dest"));
    expect({ exit, report }).toMatchObject({ exit: 3, report: { failed: 500, added: 4 } });
    expect(failed).toHaveLength(500);
    expect(asked).toBeLessThan(100);
  });

  test("but some behind many broken ones costs none of those", async () => {
    await using directory = await temporaryDirectory();
    const messages = Array.from({ length: 60 }, (_, index) => makeMessage(index + 1));
    for (const message of messages.slice(5, 30)) message.odd = [REFUSED];
    const folders = inbox(messages);
    await using server = await startFakeImap({ folders });
    const { exit, failed } = await mirrorFake(server, join(directory.path, "dest"));
    expect({ exit, failed: failed.length }).toEqual({ exit: 3, failed: 25 });
    const broken = messages.slice(5, 30).map(({ uid }) => uid);
    expect(await readTree(join(directory.path, "dest"))).toEqual(without(modelTree(folders), ...broken));
  });
});

describe("a listing", () => {
  const ODD: readonly (readonly [name: string, odd: Oddity[]])[] = [
    ["leaves a message out", [{ type: "omit", on: "listing" }]],
    ["has a row that no parser takes", [{ type: "garbage", on: "listing" }]],
    [
      "has another message's row instead",
      [
        { type: "omit", on: "listing" },
        { type: "unasked", uid: 77, on: "listing" },
      ],
    ],
  ];

  test.each(ODD)("that %s deletes nothing and loses no flag", async (_name, odd) => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const flags = ["\\Seen", "$Work", ...Array.from({ length: 30 }, (_, index) => `key${index}`)];
    const messages = [1, 2, 3, 4].map((uid) => makeMessage(uid, { flags }));
    const folders = inbox(messages);
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    const before = await readTree(destination);
    expect(before).toEqual(modelTree(folders));

    const inboxFolder = folders.get("INBOX");
    messages.push(makeMessage(5));
    if (inboxFolder) Object.assign(inboxFolder, { messages, highestmodseq: 2 });
    for (const message of messages.filter(({ uid }) => uid === 2 || uid === 5)) message.odd = odd;
    for (const run of [1, 2]) {
      const { exit, failed, said, report } = await mirrorFake(server, destination);
      expect({ exit, failed }, `run ${run}`).toEqual({ exit: 3, failed: ["INBOX V1U2", "INBOX V1U5"] });
      expect(said[0]).toMatch(/UID 2 of folder INBOX/);
      expect(said[1]).toMatch(/UID 5 of folder INBOX/);
      expect(report).toMatchObject({ result: "partial", removed: 0, renamed: 0, added: run === 1 ? 1 : 0 });
      const [tree] = await readTree(destination);
      expect(tree?.messages.slice(0, 4)).toEqual(before[0]?.messages);
      expect(tree?.messages.slice(4)).toMatchObject([{ uid: 5, sha256: sha256Of(makeMessage(5).bytes), date: 0 }]);
    }

    for (const message of messages) message.odd = [];
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  test.each(ODD)("that %s once is asked again", async (_name, odd) => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const messages = [1, 2, 3].map((uid) => makeMessage(uid, { flags: ["\\Flagged"] }));
    await using server = await startFakeImap({ folders: inbox(messages) });
    for (const message of messages) if (message.uid === 2) message.odd = odd.map((each) => ({ ...each, times: 1 }));
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    // At the latest: nothing tells of a new message in whose place another UID is listed, which is then missed.
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    expect(await readTree(destination)).toEqual(modelTree(server.folders));
  });

  test("that stays half also when asked again fails its folder alone", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = inbox(5).set("Other", makeFolder(2));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    Object.assign(folders.get("INBOX") ?? {}, { highestmodseq: 2 });
    for (const message of folders.get("INBOX")?.messages ?? []) message.odd = [{ type: "omit", on: "listing" }];
    folders.get("Other")?.messages.push(makeMessage(3));
    Object.assign(folders.get("Other") ?? {}, { uidnext: 4 });
    server.fault = ({ command }) => (command === "UID SEARCH" ? { type: "garbage-row", row: 0 } : undefined);
    const result = await mirrorFake(server, destination, { full: true });
    expect(result).toMatchObject({ exit: 3, failed: ["INBOX"], report: { added: 1, removed: 0 } });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  test("with flag updates in between keeps the dates", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const messages = [1, 2, 3].map((uid) => makeMessage(uid, { flags: ["\\Seen"] }));
    const [first] = messages;
    if (first) first.odd = [{ type: "omit", on: "listing", times: 1 }];
    await using server = await startFakeImap({ folders: inbox(messages) });
    server.fault = ({ command, count }) =>
      command === "UID FETCH" && count === 2
        ? { type: "untagged", lines: ["* 3 FETCH (UID 3 FLAGS (\\Seen))", "* 2 FETCH (FLAGS (\\Draft))"] }
        : undefined;
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    expect(await readTree(destination)).toEqual(modelTree(server.folders));
  });

  test("with UIDs that are none, and with the highest one", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const odd: Oddity[] = [0, 4_294_967_296, 99_999_999_999].map((uid) => ({ type: "unasked", uid, on: "any" }));
    const messages = [makeMessage(1, { odd }), makeMessage(2 ** 31), makeMessage(4_294_967_295)];
    await using server = await startFakeImap({ folders: inbox(messages) });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 3, items: 3 } });
    expect(await readTree(destination)).toEqual(modelTree(server.folders));
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 0, unchanged: 1 } });
  });

  test("without a UIDVALIDITY fails its folder alone", async () => {
    await using directory = await temporaryDirectory();
    const folders = inbox(2).set("Nameless", makeFolder(2, { uidvalidity: Number.NaN }));
    await using server = await startFakeImap({ folders });
    for (const run of [1, 2]) {
      const result = await mirrorFake(server, join(directory.path, "dest"));
      expect(result, `run ${run}`).toMatchObject({
        exit: 3,
        failed: ["Nameless"],
        report: { added: run === 1 ? 2 : 0 },
      });
    }
    expect(await readTree(join(directory.path, "dest"))).toEqual(modelTree(inbox(2)));
  });

  test("that names messages by the thousand, and shows none of them, fails its folder alone", async () => {
    await using directory = await temporaryDirectory();
    const folders = inbox([makeMessage(1), makeMessage(2, { odd: [{ type: "omit", on: "listing" }] })]).set(
      "Other",
      makeFolder(2),
    );
    await using server = await startFakeImap({ folders });
    const uids = Array.from({ length: 5000 }, (_, index) => index + 10).join(" ");
    server.fault = ({ command }) =>
      command === "UID SEARCH" ? { type: "untagged", lines: [`* SEARCH ${uids}`] } : undefined;
    const result = await mirrorFake(server, join(directory.path, "dest"));
    expect(result).toMatchObject({ exit: 3, failed: ["INBOX"], report: { added: 2 } });
    expect(server.commands.filter((command) => command.startsWith("UID FETCH")).length).toBeLessThan(10);
  });

  test("that cuts the connection each time fails its folder alone", async () => {
    await using directory = await temporaryDirectory();
    const folders = inbox([makeMessage(1), makeMessage(2, { odd: [{ type: "cut", on: "listing" }] })]).set(
      "Other",
      makeFolder(2),
    );
    await using server = await startFakeImap({ folders });
    const result = await mirrorFake(server, join(directory.path, "dest"));
    expect(result).toMatchObject({ exit: 3, failed: ["INBOX"], report: { added: 2 } });
  });
});

describe("a message", () => {
  test("of any bytes is stored as it is", async () => {
    await using directory = await temporaryDirectory();
    const bodies = [
      Buffer.alloc(0),
      Buffer.from("a\0b\0\0\r\n\0"),
      Buffer.alloc(5000),
      Buffer.from("Subject: bare\n\nline\nfeeds\n\n\n"),
      Buffer.from("Subject: bare\r\rcarriage\rreturns\r"),
      Buffer.from(Array.from({ length: 512 }, (_, index) => index & 255)),
      Buffer.from("* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\nA1 OK done\r\n* BYE\r\n)\r\n"),
      Buffer.from("{100}\r\n"),
      Buffer.from("no end"),
      Buffer.from("From here\r\n>From there\r\n.\r\n..\r\n"),
      Buffer.from(")"),
    ];
    const messages = bodies.map((bytes, index) => makeMessage(index + 1, { bytes }));
    const strangers: Oddity[] = [
      { type: "unasked", uid: 777 },
      { type: "twice", bytes: Buffer.from("another") },
    ];
    messages.push(makeMessage(50, { odd: strangers }));
    await using server = await startFakeImap({ folders: inbox(messages) });
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: messages.length } });
    expect(await readTree(destination)).toEqual(modelTree(server.folders));
    // An empty one as well is there, and not loaded again.
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 0, unchanged: 1 } });
  });

  test("of a size that is not the announced one is stored whole", async () => {
    await using directory = await temporaryDirectory();
    const messages = [
      makeMessage(1, { size: 0 }),
      makeMessage(2, { size: 4_294_967_295, bytes: Buffer.from("ten bytes!") }),
      makeMessage(3, { size: 5 * MIB }),
      makeMessage(4, { size: 1, bytes: lazyBytes(9 * MIB, { head: "Subject: big\r\n\r\n", fill: "0123456789\r\n" }) }),
      makeMessage(5, { size: 6 * MIB, bytes: lazyBytes(8 * MIB) }),
      makeMessage(6, { bytes: lazyBytes(4 * MIB) }),
      makeMessage(7, { bytes: lazyBytes(4 * MIB + 1) }),
    ];
    await using server = await startFakeImap({ folders: inbox(messages) });
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [], report: { added: 7 } });
    expect(await readTree(destination)).toEqual(modelTree(server.folders));
  });

  test("of a server that has no parts is stored whole, or not at all", async () => {
    await using directory = await temporaryDirectory();
    const odd: Oddity[] = [{ type: "whole" }];
    const messages = [
      makeMessage(1, { odd, bytes: lazyBytes(9 * MIB, { head: "Subject: big\r\n\r\n", fill: "0123456789\r\n" }) }),
      // Behind its end it begins again.
      makeMessage(2, { odd, bytes: lazyBytes(3 * MIB), size: 6 * MIB }),
      makeMessage(3, { odd }),
    ];
    await using server = await startFakeImap({ folders: inbox(messages) });
    const destination = join(directory.path, "dest");
    const { exit, failed, said } = await mirrorFake(server, destination);
    expect({ exit, failed }).toEqual({ exit: 3, failed: ["INBOX V1U2"] });
    expect(said[0]).toMatch(/UID 2 of folder INBOX.*does not send the part/);
    expect(await readTree(destination)).toEqual(without(modelTree(server.folders), 2));
  });

  test("of 100 MB, in one line or announced as one byte, and a literal of 1.5 GB leave the memory flat", async () => {
    await using directory = await temporaryDirectory();
    const messages = [
      makeMessage(1, { bytes: longLine(100_000_000) }),
      makeMessage(2, { bytes: lazyBytes(40_000_000, { head: "Subject: small?\r\n\r\n", fill: "line\r\n" }), size: 1 }),
      makeMessage(3, { odd: [{ type: "announce", size: 1_500_000_000 }] }),
      ...[4, 5, 6].map((uid) => makeMessage(uid)),
    ];
    await using server = await startFakeImap({ folders: inbox(messages) });
    const secret = await writeSecret(directory.path, "alice.password", "secret");
    const destination = join(directory.path, "dest");
    const run = startBackup([
      "imap",
      "alice",
      destination,
      `imaps://localhost:${server.tlsPort}`,
      "--json",
      "--srcsecret",
      secret,
      "--tls-ca",
      server.caFile,
    ]);
    const [peakBytes, result] = await Promise.all([peakMemory(run.child), run.result]);
    expect(result).toMatchObject({ code: 3, stderr: "" });
    expect(eventsOf(result).filter(({ type }) => type === "failed")).toMatchObject([
      { collection: "INBOX", item: "V1U3" },
    ]);
    expect(await readTree(destination)).toEqual(without(modelTree(server.folders), 3));
    expect(peakBytes).toBeGreaterThan(40 * MIB);
    expect(peakBytes / MIB).toBeLessThan(250);
  }, 180_000);

  test("with a date that is missing, wrong or before 1970 arrives, and gets its date when there is one", async () => {
    await using directory = await temporaryDirectory();
    const dates = [
      undefined,
      null,
      "yesterday",
      "99-Foo-2024 25:61:61 +0000",
      "",
      new Date("1961-04-12T06:07:00Z"),
      new Date(0),
    ];
    const messages = dates.map((internaldate, index) => makeMessage(index + 1, { internaldate, flags: ["\\Seen"] }));
    const folders = inbox(messages);
    await using server = await startFakeImap({ folders });
    const destination = join(directory.path, "dest");
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 7 } });
    expect(await readTree(destination)).toEqual(modelTree(folders));
    expect((await readTree(destination))[0]?.messages.map(({ date }) => date)).toEqual([
      0, 0, 0, 0, 0, -275_248_380, 0,
    ]);

    for (const message of messages.slice(0, 5))
      Object.assign(message, { internaldate: new Date(Date.UTC(2020, 0, message.uid)), modseq: 2 });
    Object.assign(folders.get("INBOX") ?? {}, { highestmodseq: 2 });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    expect(await readTree(destination)).toEqual(modelTree(folders));
    // And keeps it when there is none again.
    const dated = await readTree(destination);
    for (const message of messages) Object.assign(message, { internaldate: "never", modseq: 3 });
    Object.assign(folders.get("INBOX") ?? {}, { highestmodseq: 3 });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 0, renamed: 0 } });
    expect(await readTree(destination)).toEqual(dated);
  });

  test("keeps strange keywords, whose letters stay the same", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const strange = [
      "$Forwarded",
      "k:v",
      "semi;colon",
      "a/b",
      "x".repeat(250),
      "'quote'",
      "&AOQ-",
      "12",
      "+",
      '"two words"',
      "gr\xc3\xbcn",
    ];
    const many = Array.from({ length: 30 }, (_, index) => `keyword${index}`);
    const keywords = [...strange, ...many];
    const messages = [
      makeMessage(1, { flags: ["\\Seen", ...keywords] }),
      makeMessage(2, { flags: keywords.slice(4, 25) }),
      makeMessage(3, { flags: [...keywords.slice(30), "\\Recent"] }),
      makeMessage(4),
    ];
    const folders = inbox(messages);
    // As they are meant: UTF-8, without quotes.
    const meant = (flag: string) => Buffer.from(flag.replaceAll('"', ""), "latin1").toString();
    const expected = () =>
      modelTree(folders).map((folder) => ({
        ...folder,
        messages: folder.messages.map((message) => ({
          ...message,
          flags: message.flags
            .filter((flag) => flag !== "\\Recent")
            .map(meant)
            .toSorted(),
        })),
      }));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    expect(await readTree(destination)).toEqual(expected());
    const letters = await readFile(join(destination, "INBOX/dovecot-keywords"), "utf8");
    expect(letters.trimEnd().split("\n")).toHaveLength(26);
    expect(await readFile(join(destination, "INBOX/backup-keywords"), "utf8")).toMatch(/^V1U1 /);

    // Some go, others come, their order changes: a letter that was given means the same for ever.
    for (const [index, flags] of [["later1", ...many.toReversed()], ["later2"], [], [...strange, "later3"]].entries())
      Object.assign(messages[index] ?? {}, { flags, modseq: 2 });
    Object.assign(folders.get("INBOX") ?? {}, { highestmodseq: 2 });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 0, removed: 0 } });
    expect(await readTree(destination)).toEqual(expected());
    expect(await readFile(join(destination, "INBOX/dovecot-keywords"), "utf8")).toBe(letters);
  });
});

describe("an account that shrinks", () => {
  test("to no folder at all is taken for an error", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    await using server = await startFakeImap({ folders: inbox(20) });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    const before = await readTree(destination);
    server.folders = new Map();
    for (const allowDeletes of [false, true])
      expect(await mirrorFake(server, destination, { allowDeletes })).toMatchObject({ exit: 1, code: "SOURCE_EMPTY" });
    expect(await readTree(destination)).toEqual(before);
  });

  test("to an empty INBOX stops at the deletion limit", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = inbox(3000).set("A", makeFolder(1900)).set("B", makeFolder(90)).set("C", makeFolder(10));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { added: 5000 } });
    const count = async () =>
      (await readdir(destination, { recursive: true })).filter((name) => /\/cur\/./.test(name)).length;
    server.folders = inbox(0);
    for (const run of [1, 2]) {
      const result = await mirrorFake(server, destination);
      expect(result, `run ${run}`).toMatchObject({ exit: 1, code: "DELETION_LIMIT", report: undefined });
      expect(await count()).toBe(5000);
    }
    expect(await mirrorFake(server, destination, { allowDeletes: true })).toMatchObject({
      exit: 0,
      report: { removed: 5000 },
    });
    expect(await readTree(destination)).toEqual(modelTree(server.folders));
  }, 180_000);

  test("by a folder that goes between LIST and EXAMINE keeps it for this run", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = inbox(3).set("Gone", makeFolder(5));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    const before = await readTree(destination);
    for (const folder of folders.values()) folder.highestmodseq = 2;
    server.fault = once("EXAMINE Gone", () => void folders.delete("Gone"));
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 3, failed: ["Gone"], report: { removed: 0 } });
    expect(await readTree(destination)).toEqual(before);
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { removed: 5 } });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });

  test("by a message that goes between listing and reading is done", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const messages = [1, 2, 3, 4].map((uid) => makeMessage(uid));
    messages.push(makeMessage(5, { bytes: lazyBytes(5 * MIB) }));
    const folders = inbox(messages);
    await using server = await startFakeImap({ folders });
    server.fault = (context) => {
      if (!isBodyFetch(context) || messages.length < 5) return undefined;
      messages.splice(4, 1);
      messages.splice(1, 1);
      return { type: "untagged", lines: ["* 5 EXPUNGE", "* 2 EXPUNGE"] };
    };
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, failed: [], report: { added: 3 } });
    expect(await readTree(destination)).toEqual(modelTree(folders));
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0, report: { unchanged: 1, added: 0 } });
  });
});

describe("a server that contradicts itself", () => {
  test("in what STATUS says costs nothing", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = new Map([
      ["INBOX", makeFolder(5, { status: { MESSAGES: 0, UIDNEXT: 1 } })],
      ["More", makeFolder(5, { status: { MESSAGES: 4_000_000_000 } })],
      ["Validity", makeFolder(5, { status: { UIDVALIDITY: 99 } })],
      ["Modseq", makeFolder(5, { status: { HIGHESTMODSEQ: 2n ** 64n - 1n } })],
    ]);
    for (const capabilities of [undefined, BARE_CAPABILITIES]) {
      await using server = await startFakeImap({ folders, ...(capabilities && { capabilities }) });
      for (const run of [1, 2]) {
        const result = await mirrorFake(server, destination);
        expect(result, `run ${run}`).toMatchObject({ exit: 0, failed: [], report: { removed: 0 } });
        expect(await readTree(destination)).toEqual(modelTree(folders));
      }
    }
  });

  test("by a new UIDVALIDITY while it is read mixes nothing", async () => {
    await using directory = await temporaryDirectory();
    const destination = join(directory.path, "dest");
    const folders = inbox(2).set("Other", makeFolder(3));
    await using server = await startFakeImap({ folders });
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    const before = await readTree(destination);
    folders.set("INBOX", makeFolder(6, { highestmodseq: 2 }));
    const others = [1, 2, 3, 4].map((uid) => makeMessage(uid, { bytes: Buffer.from(`another ${uid}`) }));
    let done = false;
    server.fault = (context) => {
      if (!isBodyFetch(context) || done) return undefined;
      done = true;
      folders.set("INBOX", makeFolder(others, { uidvalidity: 2 }));
      return { type: "cut" };
    };
    const result = await mirrorFake(server, destination);
    expect(result).toMatchObject({ exit: 3, report: { removed: 0, added: 0 } });
    expect(result.failed).toEqual([3, 4, 5, 6].map((uid) => `INBOX V1U${uid}`));
    expect(await readTree(destination)).toEqual(before);
    expect(await mirrorFake(server, destination)).toMatchObject({ exit: 0 });
    expect(await readTree(destination)).toEqual(modelTree(folders));
  });
});
