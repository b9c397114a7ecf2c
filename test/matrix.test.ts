import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SecureContext } from "node:tls";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { busy } from "./support/busy.js";
import { trust } from "../packages/imap/src/trust.js";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { ANSWER_FAULTS, type AnswerFault } from "./support/answer-faults.js";
import { openAppender } from "./support/appender.js";
import { type Certificate, makeCertificate } from "./support/certificate.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import { type MirrorOptions, type Mirrored, mirrorFake } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import { type Case, type Recordings, SCENARIOS, type Scenario, allCases, onceEach } from "./support/matrix-cases.js";
import { COMMAND_NAMES, commandName, isCommand, survives } from "./support/matrix-commands.js";
import { type MeddlerOptions, startMeddler } from "./support/meddler.js";
import { makeMessages } from "./support/messages.js";
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

/**
 * Every fault at every command of a run. By default each such pair is tried once, in one of the kinds of run that send the
 * command; `TEST_MATRIX=whole` tries it in all of them, which takes many minutes, and any other text the cases whose
 * names contain it.
 */
const MATRIX = process.env["TEST_MATRIX"];
/** At the same time: most of it is waiting. */
const LANES = 8;
/** The longest that a run may take which meets one fault, on a busy machine. */
const MOST_SECONDS = 60;

let certificate: Certificate;
let secureContext: () => SecureContext;
let directory: TemporaryDirectory;
const servers = new Map<Scenario["server"], MailServer>();
/** The backup of each before its account changed, and what one has to be now. */
const base = new Map<Scenario["server"], readonly TreeFolder[]>();
const expected = new Map<Scenario["server"], readonly TreeFolder[]>();

beforeAll(async () => {
  certificate = await makeCertificate();
  secureContext = trust(certificate.cert);
  directory = await temporaryDirectory();
  for (const [name, server] of [
    ["dovecot", await startDovecot()],
    ["cyrus", await startCyrus()],
  ] as const) {
    servers.set(name, server);
    await fillAccount(server, { messages: 30 });
    // One that is new to the next run and comes first: what changed of others is asked for on a connection that has it open.
    const exclude = name === "cyrus" ? ["INBOX"] : [];
    await mirror({ name, server: name, run: "first", connections: 4 }, baseOf(name), { exclude });
    base.set(name, await readTree(baseOf(name)));
    await change(server);
    expected.set(name, expectedTree(await readServer(server)));
  }
}, 180_000);
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
  // Large enough to come in parts.
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
  readonly seconds: number;
}

/** One run through a man in the middle, after which no connection is left. */
async function mirror(
  { server, connections, security = "tls", hidden = [], loses }: Scenario,
  destination: string,
  { strikes = () => undefined, ...options }: MirrorOptions & { readonly strikes?: MeddlerOptions["faultOf"] } = {},
): Promise<Outcome> {
  let lost = 0;
  const faultOf = (sent: string): AnswerFault | undefined =>
    strikes(sent) ??
    (loses !== undefined && isCommand(loses, sent) && lost++ === 0 ? ANSWER_FAULTS["cut before"] : undefined);
  const target = serverOf({ server }).starttlsPort;
  await using meddler = await startMeddler({ target, certificate, security, hidden, faultOf });
  const began = performance.now();
  const way = { port: meddler.port, security, timeoutMs: busy(10_000), connections, secureContext };
  const result = await mirrorFake({ tlsPort: meddler.port, ca: certificate.cert }, destination, { ...way, ...options });
  const seconds = (performance.now() - began) / 1000;
  await vi.waitUntil(() => meddler.open === 0, { interval: 5, timeout: 60_000 });
  return { result, commands: meddler.commands, seconds };
}

/** A destination as it is before a run of that kind. */
async function prepare({ server, run: kind }: Scenario, name: string): Promise<string> {
  const destination = join(directory.path, name);
  if (kind === "incremental") await run("cp", ["-a", baseOf(server), destination]);
  else await mkdir(destination, { mode: 0o700 });
  return destination;
}

describe("a fault at every command of", () => {
  const recordings = new Map<Scenario, readonly string[]>();
  beforeAll(async () => {
    for (const scenario of SCENARIOS) {
      const { result, commands } = await mirror(scenario, await prepare(scenario, `${scenario.name}, recorded`));
      if (result.exit !== 0) throw new Error(`${scenario.name} fails without a fault`, { cause: result.error });
      recordings.set(scenario, commands.map(commandName));
    }
  }, 180_000);

  test.each(SCENARIOS)(
    "$name",
    async (scenario) => {
      const cases = casesOf(recordings).filter((one) => one.scenario === scenario);
      const left = cases.slice(0, roundsOf(cases.length));
      const failures: Error[] = [];
      const lane = async (): Promise<void> => {
        for (let next = left.pop(); next; next = left.pop()) {
          const { name } = next;
          await strikeOnce(next).catch((cause: unknown) => void failures.push(new Error(name, { cause })));
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      if (failures.length > 0) throw new AggregateError(failures, failures.map(described).join("\n"));
    },
    900_000,
  );

  test("leaves out no command that is known", () => {
    const sent = new Set([...recordings.values()].flat());
    expect(COMMAND_NAMES.filter((name) => !sent.has(name))).toEqual([]);
  });
});

function casesOf(recordings: Recordings): readonly Case[] {
  const all = allCases(recordings);
  if (MATRIX === "whole") return all;
  return MATRIX ? all.filter(({ name }) => name.includes(MATRIX)) : onceEach(all);
}

function described({ message, cause }: Error): string {
  return `${message}: ${cause instanceof Error ? cause.message : String(cause)}`;
}

/** Until it came to that answer: of several connections, a run may do without the last. */
async function strikeOnce(one: Case): Promise<void> {
  for (let attempt = 1; attempt <= 3; attempt++) if (await strike(one)) return;
  throw new Error("the run never came to that command");
}

/** A run in which one answer goes wrong, then a good one. Returns whether it came to that answer. */
async function strike({ name, scenario, command, at, fault }: Case): Promise<boolean> {
  const destination = await prepare(scenario, name);
  const before = scenario.run === "first" ? [] : (base.get(scenario.server) ?? []);
  const model = expected.get(scenario.server) ?? [];
  let count = 0;
  const strikes = (sent: string): AnswerFault | undefined =>
    isCommand(command, sent) && count++ === at ? ANSWER_FAULTS[fault] : undefined;
  // Only what is silent has to be waited for; on a busy machine anything is, for a moment.
  // LOGOUT has a second of its own, and is left out on a connection that was silent for too long before.
  const timeoutMs = fault.startsWith("stall") && command !== "LOGOUT" ? busy(1000) : busy(5000);
  const { result, commands, seconds } = await mirror(scenario, destination, { strikes, timeoutMs });
  for (const sent of commands) commandName(sent);
  expect(seconds).toBeLessThan(busy(MOST_SECONDS));
  checkHonest(result, { before, after: await readTree(destination), model });
  if (survives(command, fault)) expect(result).toMatchObject({ exit: 0, failed: [] });

  const good = await mirror(scenario, destination);
  expect(good.result, "the run after it").toMatchObject({ exit: 0, failed: [] });
  expect(await readTree(destination), "after the run after it").toEqual(model);
  await rm(destination, { recursive: true });
  return count > at;
}

interface Around {
  readonly before: readonly TreeFolder[];
  readonly after: readonly TreeFolder[];
  readonly model: readonly TreeFolder[];
}

/** What a run says is what it did; and whatever happened, no message that the server has is lost. */
function checkHonest({ exit, report, failed, code }: Mirrored, { before, after, model }: Around): void {
  expect([0, 1, 3]).toContain(exit);
  if (exit === 0) expect(after).toEqual(model);
  if (exit === 3) expect({ report, failed: failed.length > 0 }).toMatchObject({ report: { removed: 0 }, failed: true });
  if (exit === 1) expect(code).toBeDefined();
  const there = places(after);
  const wanted = places(model);
  expect([...places(before)].filter((place) => wanted.has(place) && !there.has(place))).toEqual([]);
  const kept = digests(after);
  const gone = [...digests(before)].filter((digest) => !kept.has(digest));
  // What did not end well deletes nothing.
  expect(exit === 0 ? gone.filter((digest) => digests(model).has(digest)) : gone).toEqual([]);
}

function places(tree: readonly TreeFolder[]): ReadonlySet<string> {
  return new Set(
    tree.flatMap(({ directory: at, messages }) => messages.map(({ uid, sha256 }) => `${at} ${uid} ${sha256}`)),
  );
}

function digests(tree: readonly TreeFolder[]): ReadonlySet<string> {
  return new Set(tree.flatMap(({ messages }) => messages.map(({ sha256 }) => sha256)));
}
