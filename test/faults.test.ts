import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { startDovecot } from "./support/dovecot.js";
import {
  BARE_CAPABILITIES,
  DEFAULT_CAPABILITIES,
  type FakeImap,
  type Fault,
  type FaultContext,
  type Folder,
  makeFolder,
  makeMessage,
  startFakeImap,
} from "./support/fake-imap.js";
import { type Mirrored, mirrorFake, modelTree } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type Fault as ProxyFault, startProxy } from "./support/proxy.js";
import { seededRandom } from "./support/random.js";
import { temporaryDirectory } from "./support/temporary-directory.js";
import { type TreeFolder, expectedTree, readTree } from "./support/tree.js";

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeAll(() => void process.on("unhandledRejection", note).on("uncaughtException", note));
afterEach(() => {
  if (unhandled.length > 0) throw new AggregateError(unhandled, "unhandled");
});
afterAll(() => void process.off("unhandledRejection", note).off("uncaughtException", note));

/** Every command of a run, and what the run may come to when it fails once. */
interface Step {
  readonly name: string;
  readonly is: (context: FaultContext) => boolean;
  /** Capabilities that make the client send it. */
  readonly bare?: boolean;
  readonly starttls?: boolean;
  /** A row of a listing is missing, so that it is asked for. */
  readonly gap?: boolean;
  /** Exits by the fault's name; where there is none, any that is honest. */
  readonly exits?: Readonly<Record<string, number>>;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "cut before": { type: "cut" },
  "cut in the middle": { type: "cut", rows: 1 },
  "cut at the end": { type: "cut", rows: 1000 },
  "cut in a literal": { type: "cut-in-literal", afterBytes: 100 },
  bye: { type: "bye", text: "shutting down" },
  "bye in the middle": { type: "bye", text: "shutting down", rows: 2 },
  no: { type: "no", text: "not now" },
  "no in the middle": { type: "no", text: "not now", rows: 2 },
  bad: { type: "bad", text: "what?" },
  stall: { type: "stall" },
  "stall in the middle": { type: "stall", rows: 1 },
  "garbage first": { type: "garbage-row", row: 0 },
  "garbage second": { type: "garbage-row", row: 1 },
  "garbage fifth": { type: "garbage-row", row: 4 },
  "garbage at first": { type: "untagged", lines: ["* garbage (((", "* 1 FETCH (", "x", "* OK [", '* "'] },
};

const ANY_LOSS = [
  "cut before",
  "cut in the middle",
  "cut at the end",
  "bye",
  "bye in the middle",
  "stall",
  "stall in the middle",
];
const completed = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 0]));

const STEPS: readonly Step[] = [
  {
    name: "GREETING",
    is: ({ command }) => command === "GREETING",
    exits: { "cut before": 1, bye: 1, stall: 1 },
  },
  { name: "CAPABILITY", is: ({ command }) => command === "CAPABILITY", starttls: true },
  {
    name: "STARTTLS",
    is: ({ command }) => command === "STARTTLS",
    starttls: true,
    exits: { no: 1, bad: 1, "cut before": 1, stall: 1 },
  },
  { name: "ID", is: ({ command }) => command === "ID" },
  { name: "NAMESPACE", is: ({ command }) => command === "NAMESPACE" },
  {
    name: "AUTHENTICATE",
    is: ({ command }) => command === "AUTHENTICATE",
    exits: { no: 1, "cut before": 1, bye: 1, stall: 1 },
  },
  {
    name: "LOGIN",
    is: ({ command }) => command === "LOGIN",
    bare: true,
    exits: { no: 1, bad: 1, "cut before": 1, stall: 1 },
  },
  {
    name: "LIST",
    is: ({ command }) => command === "LIST",
    exits: { ...completed(...ANY_LOSS), no: 1, "no in the middle": 1, "garbage first": 3, "garbage fifth": 3 },
  },
  { name: "STATUS", is: ({ command }) => command === "STATUS", bare: true, exits: completed(...ANY_LOSS, "no", "bad") },
  {
    name: "EXAMINE",
    is: ({ command }) => command === "EXAMINE",
    // Its rows are FLAGS, EXISTS, RECENT, PERMANENTFLAGS, UIDVALIDITY.
    exits: { ...completed(...ANY_LOSS, "garbage first", "garbage second"), no: 3, bad: 3, "garbage fifth": 3 },
  },
  {
    name: "UID FETCH of the listing",
    is: ({ command, args }) => command === "UID FETCH" && !args.includes("BODY"),
    exits: completed(...Object.keys(FAULTS)),
  },
  {
    name: "UID SEARCH",
    is: ({ command }) => command === "UID SEARCH",
    gap: true,
    exits: completed(...ANY_LOSS, "no", "garbage first"),
  },
  {
    name: "UID FETCH of bodies",
    is: ({ command, args }) => command === "UID FETCH" && args.includes("BODY"),
    exits: completed(...Object.keys(FAULTS)),
  },
  { name: "LOGOUT", is: ({ command }) => command === "LOGOUT", exits: completed(...Object.keys(FAULTS)) },
];

describe("a run in which one command fails once", () => {
  test.each(STEPS)(
    "$name",
    async (step) => {
      await using directory = await temporaryDirectory();
      const destination = join(directory.path, "dest");
      const folders = new Map<string, Folder>([
        ["INBOX", makeFolder(6)],
        ["Archive/2024", makeFolder(4, { uidvalidity: 5 })],
        ["Empty", makeFolder(0)],
      ]);
      await using server = await startFakeImap({
        folders,
        capabilities: step.bare ? BARE_CAPABILITIES : DEFAULT_CAPABILITIES,
      });
      const way = step.starttls ? ({ port: server.plainPort, security: "starttls" } as const) : {};
      expect(await mirrorFake(server, destination, way)).toMatchObject({ exit: 0 });

      for (const [index, [name, fault]] of Object.entries(FAULTS).entries()) {
        const what = `${step.name}, ${name}`;
        change(server, index, step);
        const before = await readTree(destination);
        let struck = 0;
        server.fault = (context) => (step.is(context) && struck++ === 0 ? fault : undefined);
        // Only what is silent has to be waited for; on a busy machine anything is, for a moment.
        const timeoutMs = fault.type === "stall" ? 500 : 3000;
        const result = await mirrorFake(server, destination, { ...way, timeoutMs, full: step.gap ?? false });
        expect(struck, what).toBeGreaterThan(0);
        const exit = step.exits?.[name];
        if (exit === undefined) expect([0, 1, 3], what).toContain(result.exit);
        else expect({ what, exit: result.exit, error: result.error }).toMatchObject({ what, exit });
        checkHonest(what, result, { before, after: await readTree(destination), server });

        server.fault = undefined;
        const good = await mirrorFake(server, destination, { ...way, full: step.gap ?? false });
        expect(good, `after ${what}`).toMatchObject({ exit: 0, failed: [] });
        expect(await readTree(destination), `after ${what}`).toEqual(modelTree(server.folders));
      }
      expect(server.openConnections).toBe(0);
    },
    60_000,
  );
});

/** New mail, a flag, a message and a folder that go: something of each kind is to be done. */
function change(server: FakeImap, round: number, step: Step): void {
  for (const [name, folder] of server.folders) {
    if (name === "Empty") continue;
    const modseq = Number(folder.highestmodseq ?? 1) + 1;
    folder.messages.shift();
    for (const message of folder.messages) message.odd = [];
    folder.messages.push(makeMessage(folder.uidnext, { modseq, flags: round % 2 ? ["\\Seen", `round${round}`] : [] }));
    const [first] = folder.messages;
    if (first) Object.assign(first, { modseq, flags: round % 3 ? ["\\Flagged"] : ["\\Draft", "$Work"] });
    if (first && step.gap) first.odd = [{ type: "omit", on: "listing", times: 1 }];
    folder.uidnext++;
    folder.highestmodseq = modseq;
  }
  server.folders.delete(`Old${round - 1}`);
  server.folders.set(`Old${round}`, makeFolder(2, { uidvalidity: 100 + round }));
}

interface Around {
  readonly before: readonly TreeFolder[];
  readonly after: readonly TreeFolder[];
  readonly server: FakeImap;
}

/** What a run says is what it did; and whatever happened, no message that the server has is lost. */
function checkHonest(what: string, { exit, report, failed }: Mirrored, { before, after, server }: Around): void {
  const model = modelTree(server.folders);
  if (exit === 0) expect(after, what).toEqual(model);
  else expect(lost(before, after), what).toEqual([]);
  if (exit === 3)
    expect({ report, failed: failed.length > 0 }, what).toMatchObject({
      report: { result: "partial", removed: 0 },
      failed: true,
    });
  const wanted = new Set(messagesOf(model));
  expect(
    lost(before, after).filter((message) => wanted.has(message)),
    what,
  ).toEqual([]);
}

function messagesOf(tree: readonly TreeFolder[]): readonly string[] {
  return tree.flatMap(({ directory, messages }) => messages.map(({ uid, sha256 }) => `${directory} ${uid} ${sha256}`));
}

function lost(before: readonly TreeFolder[], after: readonly TreeFolder[]): readonly string[] {
  const there = new Set(messagesOf(after));
  return messagesOf(before).filter((message) => !there.has(message));
}

describe("a bad line to a real server", () => {
  let server: MailServer;
  let ca: string;
  beforeAll(async () => {
    server = await startDovecot();
    ca = await readFile(server.caFile, "utf8");
    await fillAccount(server, { messages: 40 });
  });
  afterAll(async () => await server?.stop());

  const KINDS = ["cut", "truncate", "stall"] as const;

  test.each(KINDS)(
    "%s at random places: the next good run has it all",
    async (kind) => {
      await using directory = await temporaryDirectory();
      await using proxy = await startProxy({ target: server.tlsPort });
      const way = { port: proxy.port, timeoutMs: 400 };
      const target = { tlsPort: server.tlsPort, ca };
      expect(
        await mirrorFake(target, join(directory.path, "all"), { port: proxy.port, timeoutMs: 10_000 }),
      ).toMatchObject({ exit: 0 });
      const total = proxy.bytes.fromServer;
      let account = await readServer(server);
      let struck = 0;
      let saved = 0;
      for (let seed = 1; seed <= 8; seed++) {
        const random = seededRandom(seed * 31 + KINDS.indexOf(kind));
        const fresh = random.below(2) === 0;
        const destination = join(directory.path, fresh ? `fresh${seed}` : "all");
        if (!fresh) {
          await using appender = await openAppender(loginOf(server));
          const uids = await appender.append("INBOX", makeMessages({ count: 3, seed: 100 + seed }));
          await appender.expunge("INBOX", uids.slice(0, 1));
          await appender.setFlags("INBOX", uids.slice(1, 2), ["\\Seen", "\\Flagged"]);
          account = await readServer(server);
        }
        const expected = expectedTree(account);
        // Half of them within the first bytes: handshake, login, list.
        const limit = random.below(2) === 0 ? 8000 : fresh ? total / 8 : 15_000;
        const fault: ProxyFault = { kind, afterBytes: random.below(limit), times: 1 + random.below(3) };
        const what = JSON.stringify({ seed, fresh, ...fault });
        const before = fresh ? [] : await readTree(destination);
        const strikesBefore = proxy.struck;
        proxy.latencyMs = seed % 4 === 0 ? 20 : 0;
        proxy.fault = fault;
        const result = await mirrorFake(target, destination, way);
        expect([0, 1, 3], what).toContain(result.exit);
        if (result.exit === 0) expect(await readTree(destination), what).toEqual(expected);
        if (result.exit !== 0 && !fresh) expect(lost(before, await readTree(destination)), what).toEqual([]);
        if (proxy.struck > strikesBefore) {
          struck++;
          if (result.exit === 0) saved++;
        }

        proxy.fault = undefined;
        proxy.latencyMs = 0;
        const good = await mirrorFake(target, destination, { port: proxy.port, timeoutMs: 10_000 });
        expect(good, `after ${what}`).toMatchObject({ exit: 0, failed: [] });
        expect(await readTree(destination), `after ${what}`).toEqual(expected);
      }
      expect(struck).toBeGreaterThanOrEqual(4);
      expect(saved).toBeGreaterThanOrEqual(2);
    },
    120_000,
  );

  test.each(KINDS)(
    "%s once in the middle of the bodies: the run itself completes",
    async (kind) => {
      await using directory = await temporaryDirectory();
      await using proxy = await startProxy({ target: server.tlsPort });
      const target = { tlsPort: server.tlsPort, ca };
      const alone = { port: proxy.port, timeoutMs: 10_000, connections: 1 };
      await mirrorFake(target, join(directory.path, "measure"), alone);
      const expected = expectedTree(await readServer(server));
      const total = proxy.bytes.fromServer;
      for (const share of [0.3, 0.6, 0.9]) {
        const destination = join(directory.path, String(share));
        const afterBytes = Math.floor(total * share);
        proxy.fault = { kind, afterBytes, times: 1 };
        proxy.latencyMs = 20;
        const before = { connections: proxy.connections, struck: proxy.struck };
        const result = await mirrorFake(target, destination, { port: proxy.port, timeoutMs: 1000, connections: 1 });
        expect(result, `${share}`).toMatchObject({ exit: 0, failed: [] });
        expect(proxy.struck - before.struck).toBe(1);
        // On a busy machine a second of silence may come once more.
        expect(proxy.connections - before.connections).toBeGreaterThanOrEqual(2);
        expect(proxy.connections - before.connections).toBeLessThanOrEqual(4);
        expect(await readTree(destination)).toEqual(expected);
      }
    },
    60_000,
  );
});
