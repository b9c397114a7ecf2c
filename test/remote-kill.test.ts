import { readFile, readdir, rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { busy } from "./support/busy.js";
import { loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import type { Result, Running } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { type FakeImap, makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { modelTree } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import type { Account } from "./support/oracle.js";
import { killTree } from "./support/process-tree.js";
import { type Published, readPublished } from "./support/published.js";
import { type Random, seededRandom } from "./support/random.js";
import {
  REMOTE,
  type RemoteHost,
  type RemoteKind,
  incompressible,
  leftovers,
  openRemote,
  startRemote,
} from "./support/remote.js";
import { RemoteMailbox } from "./support/remote-mailbox.js";
import { roundsOf } from "./support/rounds.js";
import { type TreeFolder, expectedTree, readTree } from "./support/tree.js";

const KINDS: readonly (RemoteKind & { readonly user: string; readonly rounds: number })[] = [
  { ...REMOTE.rsync, user: "rsync", rounds: roundsOf(8) },
  { ...REMOTE.sftp, user: "sftp", rounds: roundsOf(8) },
  // Each of its rounds takes several seconds: a connection for each request.
  { ...REMOTE.rrsync, user: "rrsync", rounds: roundsOf(4) },
];

let server: MailServer;
beforeAll(async () => {
  server = await startDovecot({ users: Object.fromEntries(KINDS.map(({ user }) => [user, "secret"])) });
});
afterAll(async () => await server?.stop());

/** What happens to a run, and whether it may survive that. */
interface Disaster {
  readonly name: string;
  /** Returns when it has happened, or would have no more effect. */
  readonly strike: (at: Scene) => Promise<void>;
}

interface Scene {
  readonly host: RemoteHost;
  readonly running: Running;
  readonly random: Random;
  /** About how long a run takes, milliseconds. */
  readonly length: number;
}

/** Rather late than early: the first half of a second is Node's. */
const wait = ({ random, length }: Scene): Promise<void> =>
  setTimeout(150 + random.next() ** 0.7 * 0.9 * (length - 150));

const DISASTERS: readonly Disaster[] = [
  {
    name: "the program is killed",
    strike: async (scene) => {
      await wait(scene);
      scene.running.child.kill("SIGKILL");
    },
  },
  {
    name: "the program and what it started are killed",
    strike: async (scene) => {
      await wait(scene);
      await killTree(scene.running.child.pid ?? 0);
      scene.running.child.kill("SIGKILL");
    },
  },
  {
    name: "what it started is killed",
    strike: async (scene) => {
      await wait(scene);
      await killTree(scene.running.child.pid ?? 0);
    },
  },
  {
    name: "the host ends all sessions",
    strike: async (scene) => {
      await wait(scene);
      await scene.host.sshd.cut();
    },
  },
  {
    name: "the line is cut",
    strike: async (scene) => {
      await wait(scene);
      scene.host.proxy.cutAll();
    },
  },
  ...(["cut", "truncate", "stall"] as const).map(
    (kind): Disaster => ({
      name: `the line is bad: ${kind}`,
      strike: async ({ host, running, random, length }) => {
        host.proxy.fault = { kind, afterBytes: Math.round(60_000 * random.next() ** 2), times: 1 };
        const before = host.proxy.struck;
        const ended = running.result.then(() => true);
        for (;;) {
          const over = await Promise.race([ended, setTimeout(10, false)]);
          if (over || host.proxy.struck > before) break;
        }
        host.proxy.fault = undefined;
        if (kind !== "stall") return;
        // It would wait for a minute: a person would not.
        await setTimeout(random.next() * length * 0.3);
        running.child.kill("SIGKILL");
      },
    }),
  ),
];

describe("a run that something happens to, at any moment", () => {
  test.concurrent.each(KINDS)(
    "$rounds times: nothing half, nothing lost, and the next run has it all: $name",
    async (kind) => {
      const { user, rounds } = kind;
      const random = seededRandom(20_262);
      await using host = await openRemote(kind);
      await using appender = await openAppender(loginOf(server, user));
      const mailbox = new RemoteMailbox(appender, random);
      await mailbox.fill();
      let account = await readServer(server, user);
      const root = host.at("dest");
      const start = () => startRemote({ host, server, user, name: "dest", more: ["--allow-deletes"] });
      const good = async (what: string): Promise<number> => {
        // With something to send: what a killed run left here goes when the spool is needed again.
        await mailbox.small();
        account = await readServer(server, user);
        const began = performance.now();
        const result = await (await start()).result;
        expect({ what, ...result }).toMatchObject({ code: 0, signal: null });
        const took = performance.now() - began;
        expect(await treeOf(root, account), what).toEqual(expectedTree(account));
        expect(await leftBehind(host, "dest"), what).toEqual([]);
        return took;
      };
      const fresh = await good("fresh");
      const again = await good("again");

      let before: readonly Published[] = await readPublished(root);
      const ends = new Map<string, number>();
      for (let round = 0; round < rounds; round++) {
        const disaster = DISASTERS[round % DISASTERS.length];
        if (disaster === undefined) throw new Error("no disaster");
        if (round % 2 === 0) {
          await mailbox.change();
          account = await readServer(server, user);
        }
        const anew = round % 7 === 3;
        if (anew) {
          await rm(root, { recursive: true });
          before = [];
        }
        const running = await start();
        const length = anew ? fresh : Math.max(again, 0.6 * fresh);
        await disaster.strike({ host, running, random, length });
        const result = await running.result;
        const what = `round ${round}: ${disaster.name}`;
        expectHonest(what, result);
        ends.set(disaster.name, (ends.get(disaster.name) ?? 0) + (result.code === 0 ? 0 : 1));
        if (round % 3 === 1) {
          // What the host still had in hand ends here; otherwise it meets the next run.
          await host.sshd.cut();
          const after = await readPublished(root);
          expect(lost({ before, after, account }), what).toEqual([]);
        }
        if (round % 8 === 7) {
          await good(`after ${what}`);
          before = await readPublished(root);
        }
      }
      await good("at the end");
      // A program of a killed run whose line stalled waits a minute for it: the line ends here.
      host.proxy.cutAll();
      // No expect.poll in tests that run side by side.
      for (const until = Date.now() + 60_000; Date.now() < until && (await programsOf(host)).length > 0; )
        await setTimeout(50);
      expect(await programsOf(host)).toEqual([]);
      // What must end a run did, often enough: on a busy machine a run is not where it was expected to be.
      expect([...ends.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(rounds / 8);
    },
    900_000,
  );
});

/** Done, killed, or an error that is said in one line. */
function expectHonest(what: string, { code, signal, stderr }: Result): void {
  if (signal === "SIGKILL") return;
  const errors = stderr.split("\n").filter((line) => line.startsWith("backup: "));
  expect({ code, errors: errors.length }, `${what}: ${stderr}`).toEqual(
    code === 0 ? { code, errors: 0 } : { code: 1, errors: 1 },
  );
  expect(stderr, what).not.toMatch(/^ {4}at |this is a bug/m);
}

/**
 * The backup, without empty directories of folders that the account has no more: those that a killed run made and that
 * went at the server before a run was completed are nobody's, and are left alone.
 */
async function treeOf(root: string, { folders }: Account): Promise<readonly TreeFolder[]> {
  const names = new Set(folders.map(({ name }) => name));
  const tree = await readTree(root);
  return tree.filter(({ directory, messages }) => messages.length > 0 || names.has(directory));
}

/** Messages that were there, that the server still has, and that are not there any more. */
function lost(input: {
  readonly before: readonly Published[];
  readonly after: readonly Published[];
  readonly account: Account;
}): readonly string[] {
  const wanted = new Set(input.account.folders.flatMap(({ messages }) => messages.map(({ sha256 }) => sha256)));
  const there = new Set(input.after.map(({ sha256 }) => sha256));
  return input.before.map(({ sha256 }) => sha256).filter((sha256) => wanted.has(sha256) && !there.has(sha256));
}

/**
 * What is left of runs that were killed, without working files of the lease: who is killed while it takes or gives back
 * that leaves one, which goes when it is old.
 */
async function leftBehind(host: RemoteHost, name: string): Promise<readonly string[]> {
  return (await leftovers(host, name)).filter((file) => !/^there: lease\.json\..{36}$/.test(file));
}

/** Programs of this machine that still talk to the host. */
async function programsOf({ proxy }: RemoteHost): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines))
    .map((line) => line.replaceAll("\0", " "))
    .filter((line) => line.includes(` ${proxy.port} `) && !line.includes("vitest"));
}

/** An account of 12 MB, whose backup takes a moment. */
async function startSlowImap(): Promise<FakeImap & { readonly users: Record<string, string> }> {
  const messages = Array.from({ length: 40 }, (_, index) =>
    makeMessage(index + 1, { bytes: incompressible(300_000 + index) }),
  );
  const fake = await startFakeImap({ folders: new Map([["INBOX", makeFolder(messages)]]) });
  return Object.defineProperty(fake, "users", { value: { alice: "secret" } }) as FakeImap & {
    readonly users: Record<string, string>;
  };
}

test("rsync goes on with a large file where it was when the line is cut", async () => {
  await using host = await openRemote(REMOTE.rsync);
  const size = 12_000_000;
  const folder = makeFolder([makeMessage(1, { bytes: incompressible(size) })]);
  await using fake = await startFakeImap({ folders: new Map([["INBOX", folder]]) });
  const account = Object.defineProperty(fake, "users", { value: { alice: "secret" } }) as FakeImap & {
    readonly users: Record<string, string>;
  };
  const running = await startRemote({ host, server: account, name: "a", more: ["--bwlimit", "6000"] });
  await expect.poll(() => host.proxy.bytes.fromClient, { interval: 1, timeout: 60_000 }).toBeGreaterThan(0.7 * size);
  host.proxy.cutAll();
  expect(await running.result).toExit(0);
  expect(await readTree(host.at("a"))).toEqual(modelTree(fake.folders));
  // From the beginning it would have been 1.7 times as much.
  expect(host.proxy.bytes.fromClient).toBeLessThan(1.4 * size);
}, 180_000);

describe.each(KINDS)("$name", (kind) => {
  test.each([
    ["the line is cut", 2_000_000, (host: RemoteHost) => host.proxy.cutAll()],
    ["the line is cut near the end", 9_000_000, (host: RemoteHost) => host.proxy.cutAll()],
    ["the host ends all sessions", 5_000_000, (host: RemoteHost) => host.sshd.cut()],
  ] as const)(
    "connects again and completes when %s, after %i bytes",
    async (_name, bytes, strike) => {
      await using host = await openRemote(kind);
      await using fake = await startSlowImap();
      const running = await startRemote({ host, server: fake, name: "a" });
      await expect
        .poll(() => host.proxy.bytes.fromClient, { interval: 1, timeout: 60_000 })
        .toBeGreaterThanOrEqual(bytes);
      const before = host.proxy.connections;
      await strike(host);
      const result = await running.result;
      expect(result).toExit(0);
      expect(host.proxy.connections).toBeGreaterThan(before);
      expect(await readdir(host.temporary)).toEqual([]);
      const published = await readPublished(host.at("a"));
      expect(published).toHaveLength(40);
      // What the host had half goes with the next run at the latest.
      expect(await (await startRemote({ host, server: fake, name: "a" })).result).toExit(0);
      expect(await readTree(host.at("a"))).toEqual(modelTree(fake.folders));
      expect(await leftovers(host, "a")).toEqual([]);
    },
    180_000,
  );

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s in the transfer ends the run at once, and the next one completes",
    async (signal) => {
      await using host = await openRemote(kind);
      await using fake = await startSlowImap();
      const running = await startRemote({ host, server: fake, name: "a" });
      await expect
        .poll(() => host.proxy.bytes.fromClient, { interval: 1, timeout: 60_000 })
        .toBeGreaterThanOrEqual(3_000_000);
      await interrupted(running, signal);
      expect(await readdir(host.temporary)).toEqual([]);
      await expect.poll(() => programsOf(host)).toEqual([]);
      await readPublished(host.at("a"));
      expect(await (await startRemote({ host, server: fake, name: "a" })).result).toExit(0);
      expect(await readTree(host.at("a"))).toEqual(modelTree(fake.folders));
      expect(await leftBehind(host, "a")).toEqual([]);
    },
    180_000,
  );

  test("SIGTERM while the host is silent ends the run at once, wherever that begins", async () => {
    await using host = await openRemote(kind);
    await using fake = await startSlowImap();
    for (const afterBytes of [0, 300, 3000, 5000]) {
      host.proxy.fault = { kind: "stall", afterBytes };
      const { struck } = host.proxy;
      const running = await startRemote({ host, server: fake, name: "a" });
      await expect.poll(() => host.proxy.struck, { interval: 5, timeout: 60_000 }).toBeGreaterThan(struck);
      await setTimeout(200);
      await interrupted(running, "SIGTERM");
      // One that could not be told any more ends by itself, when it has heard nothing for a minute.
      await expect.poll(() => programsOf(host), { timeout: 120_000 }).toEqual([]);
    }
    host.proxy.fault = undefined;
    // What a run had no time to remove goes with the next one.
    expect(await (await startRemote({ host, server: fake, name: "a" })).result).toExit(0);
    expect(await readTree(host.at("a"))).toEqual(modelTree(fake.folders));
    expect(await leftBehind(host, "a")).toEqual([]);
  }, 600_000);

  test("a second run at the same time is told so, and harms nothing", async () => {
    await using host = await openRemote(kind);
    await using fake = await startSlowImap();
    let silent = false;
    fake.fault = ({ command, args }) => {
      if (command !== "UID FETCH" || !args.includes("BODY")) return undefined;
      silent = true;
      return { type: "stall" };
    };
    const first = await startRemote({ host, server: fake, name: "a" });
    await expect.poll(() => silent, { interval: 5, timeout: 60_000 }).toBe(true);
    fake.fault = undefined;
    const second = await (await startRemote({ host, server: fake, name: "a" })).result;
    expect(second).toMatchObject({ code: 1, stdout: expect.stringContaining('"LEASE_HELD"') });
    expect(second.stderr).toMatch(/^backup: another run is writing to .* process \d+ on [^\n]*\n$/);
    await interrupted(first, "SIGTERM");
    expect(await (await startRemote({ host, server: fake, name: "a" })).result).toExit(0);
    expect(await readTree(host.at("a"))).toEqual(modelTree(fake.folders));
    expect(await leftovers(host, "a")).toEqual([]);
  }, 180_000);
});

/** Sends the signal; the process says so in one line, within three seconds. */
async function interrupted({ child, result }: Running, signal: NodeJS.Signals): Promise<void> {
  expect(child.exitCode).toBeNull();
  const sent = performance.now();
  child.kill(signal);
  const { code, stderr } = await result;
  const took = performance.now() - sent;
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: expect.stringMatching(new RegExp(`^backup: stopped by ${signal};[^\n]*\n$`)),
  });
  expect(took).toBeLessThan(busy(3000));
}
