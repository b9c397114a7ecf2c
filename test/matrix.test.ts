import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { ANSWER_FAULTS, type AnswerFault } from "./support/answer-faults.js";
import { openAppender } from "./support/appender.js";
import { type Certificate, makeCertificate } from "./support/certificate.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import { type MirrorOptions, type Mirrored, mirrorFake } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import { COMMAND_NAMES, type FaultName, commandName, survives } from "./support/matrix-commands.js";
import { type MeddlerOptions, startMeddler } from "./support/meddler.js";
import { makeMessages } from "./support/messages.js";
import { seededRandom } from "./support/random.js";
import { roundsOf } from "./support/rounds.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { type TreeFolder, expectedTree, readTree } from "./support/tree.js";

const run = promisify(execFile);

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeAll(() => void process.on("unhandledRejection", note).on("uncaughtException", note));
afterEach(() => {
  if (unhandled.length > 0) throw new AggregateError(unhandled, "unhandled");
});
afterAll(() => void process.off("unhandledRejection", note).off("uncaughtException", note));

/** A kind of run, through whose every command faults are driven. */
interface Scenario {
  readonly name: string;
  readonly server: "dovecot" | "cyrus";
  /** Of a destination that is empty, or of one whose account has changed in all sorts of ways. */
  readonly run: "first" | "incremental";
  readonly connections?: number;
  readonly security?: "tls" | "starttls";
  readonly hidden?: readonly string[];
}

const SCENARIOS: readonly Scenario[] = [
  { name: "an incremental run", server: "dovecot", run: "incremental", connections: 1 },
  { name: "a first run", server: "dovecot", run: "first", connections: 1 },
  { name: "a run with several connections", server: "dovecot", run: "first", connections: 3 },
  { name: "a run by STARTTLS", server: "dovecot", run: "first", connections: 1, security: "starttls" },
  {
    name: "an incremental run where the server can do little",
    server: "dovecot",
    run: "incremental",
    connections: 1,
    hidden: ["AUTH=PLAIN", "AUTH=LOGIN", "SASL-IR", "LIST-STATUS", "QRESYNC"],
  },
  { name: "an incremental run against Cyrus", server: "cyrus", run: "incremental" },
];

/** Of commands that an earlier kind of run has been through with all faults, one in so many is tried. */
const SAMPLE = process.env["TEST_MATRIX"] === "whole" ? 1 : 5;
/** `TEST_MATRIX=whole` tries all cases, which takes many minutes; otherwise it is one in so many, always the same. */
const SHARE = process.env["TEST_MATRIX"] === "whole" ? 1 : 10;
/** At the same time: most of it is waiting. */
const LANES = 6;
/** The longest that a run may take which meets one fault, on a busy machine. */
const MOST_SECONDS = 60;
const FAULTS = Object.keys(ANSWER_FAULTS) as readonly FaultName[];

interface Case {
  readonly scenario: Scenario;
  readonly command: string;
  /** At which of the commands of that name, from 0. */
  readonly at: number;
  readonly fault: FaultName;
}

let certificate: Certificate;
let directory: TemporaryDirectory;
const servers = new Map<Scenario["server"], MailServer>();
const expected = new Map<Scenario["server"], readonly TreeFolder[]>();

beforeAll(async () => {
  certificate = await makeCertificate();
  directory = await temporaryDirectory();
  for (const [name, server] of [
    ["dovecot", await startDovecot()],
    ["cyrus", await startCyrus()],
  ] as const) {
    servers.set(name, server);
    await fillAccount(server, { messages: 30 });
    await using appender = await openAppender(loginOf(server));
    await appender.append("Archive", makeMessages({ count: 1, seed: 5, minBytes: 4_300_000, maxBytes: 4_300_001 }));
    await mirror({ name, server: name, run: "first" }, baseOf(name));
    await change(server);
    expected.set(name, expectedTree(await readServer(server)));
  }
}, 120_000);
afterAll(async () => {
  await Promise.all(Array.from(servers.values(), (server) => server.stop()));
  await directory?.[Symbol.asyncDispose]();
});

/** The backup of a server before the account changed. */
function baseOf(server: Scenario["server"]): string {
  return join(directory.path, `base-${server}`);
}

function serverOf({ server }: Pick<Scenario, "server">): MailServer {
  const found = servers.get(server);
  if (!found) throw new Error(`${server} was not started`);
  return found;
}

/** Something of each kind: new, flags, moved, copied, gone; and folders that are new, renamed and gone. */
async function change(server: MailServer): Promise<void> {
  await using appender = await openAppender(loginOf(server));
  await appender.setFlags("INBOX", [1, 2], ["\\Seen", "\\Flagged", "Urgent"]);
  await appender.append("INBOX", makeMessages({ count: 4, seed: 7 }));
  await appender.append("Archive", makeMessages({ count: 1, seed: 8, minBytes: 4_300_000, maxBytes: 4_300_001 }));
  await appender.expunge("INBOX", [3]);
  await appender.move("Archive", [1, 2], "Empty");
  await appender.copy("Sent Items", [1], "INBOX");
  await appender.createFolder("Fresh");
  await appender.append("Fresh", makeMessages({ count: 2, seed: 9 }));
  await appender.renameFolder("Archive/2023", "Archive/older");
  await appender.deleteFolder("日本語");
}

interface Outcome {
  readonly result: Mirrored;
  readonly commands: readonly string[];
  readonly struck: number;
  readonly seconds: number;
}

/** One run through a man in the middle, after which no connection is left. */
async function mirror(
  { server, connections, security = "tls", hidden = [] }: Scenario,
  destination: string,
  { faultOf = () => undefined, ...options }: Pick<MeddlerOptions, "faultOf"> & MirrorOptions = {},
): Promise<Outcome> {
  const target = serverOf({ server }).starttlsPort;
  await using meddler = await startMeddler({ target, certificate, security, hidden, faultOf });
  const began = performance.now();
  const way = { port: meddler.port, security, timeoutMs: 10_000, ...(connections ? { connections } : {}) };
  const result = await mirrorFake({ tlsPort: meddler.port, ca: certificate.cert }, destination, { ...way, ...options });
  const seconds = (performance.now() - began) / 1000;
  await vi.waitUntil(() => meddler.open === 0, { interval: 5, timeout: 10_000 });
  return { result, commands: meddler.commands, struck: meddler.struck, seconds };
}

/** A destination as it is before a run of that kind. */
async function prepare({ server, run: kind }: Scenario, name: string): Promise<string> {
  const destination = join(directory.path, name);
  if (kind === "incremental") await run("cp", ["-a", baseOf(server), destination]);
  else await mkdir(destination, { mode: 0o700 });
  return destination;
}

describe("a fault at every command of", () => {
  const seen = new Set<string>();

  test.each(SCENARIOS)(
    "$name",
    async (scenario) => {
      const { result, commands } = await mirror(scenario, await prepare(scenario, `${scenario.name}, recorded`));
      expect(result).toMatchObject({ exit: 0, failed: [] });
      const cases = casesOf(scenario, commands.map(commandName), seen);
      let struck = 0;
      const lane = async (): Promise<void> => {
        for (let next = cases.pop(); next; next = cases.pop()) {
          const times = await strike(next);
          struck += times;
        }
      };
      const count = cases.length;
      await Promise.all(Array.from({ length: LANES }, lane));
      // Of several connections, the last may not be needed in each run.
      expect(struck).toBeGreaterThan(0.9 * count);
    },
    600_000,
  );

  test("leaves out no command that is known", () => {
    expect(COMMAND_NAMES.filter((name) => !seen.has(name))).toEqual([]);
  });
});

/** What is tried of a recorded run: each command that is new with each fault, and some of the rest. */
function casesOf(scenario: Scenario, commands: readonly string[], seen: Set<string>): Case[] {
  const random = seededRandom(SCENARIOS.indexOf(scenario));
  const cases = [...new Set(commands)].flatMap((command) => {
    const count = commands.filter((one) => one === command).length;
    const tried = FAULTS.filter(() => !seen.has(command) || random.below(SAMPLE) === 0);
    return tried.map((fault): Case => ({ scenario, command, at: random.below(count), fault }));
  });
  for (const command of commands) seen.add(command);
  const shuffled = cases.map((one) => ({ one, key: random.next() })).toSorted((a, b) => a.key - b.key);
  return shuffled.slice(0, roundsOf(Math.ceil(cases.length / SHARE))).map(({ one }) => one);
}

/** A run in which one answer goes wrong, then a good one. Returns how often it struck. */
async function strike({ scenario, command, at, fault }: Case): Promise<number> {
  const what = `${scenario.name}: ${fault} at ${command} ${at + 1}`;
  const destination = await prepare(scenario, what);
  const before = await readTree(destination);
  const model = expected.get(scenario.server) ?? [];
  let count = 0;
  const faultOf = (sent: string): AnswerFault | undefined =>
    commandName(sent) === command && count++ === at ? ANSWER_FAULTS[fault] : undefined;
  // Only what is silent has to be waited for; on a busy machine anything is, for a moment.
  const timeoutMs = fault.startsWith("stall") ? 1000 : 5000;
  const { result, struck, seconds } = await mirror(scenario, destination, { faultOf, timeoutMs });
  expect({ what, isLong: seconds > MOST_SECONDS }).toEqual({ what, isLong: false });
  checkHonest(what, result, { before, after: await readTree(destination), model });
  if (survives(command, fault)) expect({ what, ...result }).toMatchObject({ what, exit: 0, failed: [] });

  const good = await mirror(scenario, destination);
  expect({ what, ...good.result }, `after ${what}`).toMatchObject({ exit: 0, failed: [] });
  expect(await readTree(destination), `after ${what}`).toEqual(model);
  await run("rm", ["-rf", destination]);
  return struck;
}

interface Around {
  readonly before: readonly TreeFolder[];
  readonly after: readonly TreeFolder[];
  readonly model: readonly TreeFolder[];
}

/** What a run says is what it did; and whatever happened, no message that the server has is lost. */
function checkHonest(what: string, { exit, report, failed, code }: Mirrored, { before, after, model }: Around): void {
  expect([0, 1, 3], what).toContain(exit);
  if (exit === 0) expect(after, what).toEqual(model);
  if (exit === 3)
    expect({ report, failed: failed.length > 0 }, what).toMatchObject({ report: { removed: 0 }, failed: true });
  if (exit === 1) expect(code, what).toBeDefined();
  const there = places(after);
  const wanted = places(model);
  expect(
    [...places(before)].filter((place) => wanted.has(place) && !there.has(place)),
    what,
  ).toEqual([]);
  const kept = digests(after);
  const gone = [...digests(before)].filter((digest) => !kept.has(digest));
  // What did not end well deletes nothing.
  expect(exit === 0 ? gone.filter((digest) => digests(model).has(digest)) : gone, what).toEqual([]);
}

function places(tree: readonly TreeFolder[]): ReadonlySet<string> {
  return new Set(
    tree.flatMap(({ directory: at, messages }) => messages.map(({ uid, sha256 }) => `${at} ${uid} ${sha256}`)),
  );
}

function digests(tree: readonly TreeFolder[]): ReadonlySet<string> {
  return new Set(tree.flatMap(({ messages }) => messages.map(({ sha256 }) => sha256)));
}
