import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { startDovecot } from "./support/dovecot.js";
import { mirrorFake } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type Fault, startProxy } from "./support/proxy.js";
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
        const fault: Fault = { kind, afterBytes: random.below(limit), times: 1 + random.below(3) };
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
    180_000,
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
    180_000,
  );
});
