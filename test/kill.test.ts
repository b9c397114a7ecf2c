import { readdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loginOf, readServer } from "./support/account.js";
import { lost, treeOf } from "./support/after-disaster.js";
import { type Appender, openAppender } from "./support/appender.js";
import { type Result, eventsOf, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type Published, type Seen, readPublished } from "./support/published.js";
import { type Random, seededRandom } from "./support/random.js";
import { roundsOf } from "./support/rounds.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree } from "./support/tree.js";

const KILLS = roundsOf(200);
const SMALL = { minBytes: 400, maxBytes: 4000 };

describe("SIGKILL at any moment", () => {
  let server: MailServer;
  let directory: TemporaryDirectory;
  let secret: string;
  beforeAll(async () => {
    server = await startDovecot();
    directory = await temporaryDirectory();
    secret = await writeSecret(directory.path, "alice.password", "secret");
  });
  afterAll(async () => {
    await server?.stop();
    await directory?.[Symbol.asyncDispose]();
  });

  const argumentsFor = (destination: string): readonly string[] => [
    "imap",
    "alice",
    destination,
    `imaps://localhost:${server.tlsPort}`,
    "--json",
    "--srcsecret",
    secret,
    "--tls-ca",
    server.caFile,
  ];
  const timed = async (destination: string): Promise<number> => {
    const began = performance.now();
    expect(await runBackup(argumentsFor(destination))).toMatchObject({ code: 0, stderr: "" });
    return performance.now() - began;
  };

  test(`${KILLS} times: nothing half, nothing lost, and the next run has it all`, async () => {
    const random = seededRandom(20_261);
    await using appender = await openAppender(loginOf(server));
    const mailbox = new Mailbox(appender, random);
    await mailbox.fill();
    let account = await readServer(server);
    expect(account.folders.reduce((sum, { messages }) => sum + messages.length, 0)).toBeGreaterThanOrEqual(600);

    // Several at a time, each with its destination: a run waits for the server and the disk half of its time.
    const lanes = ["one", "two", "three"].map((name) => join(directory.path, name));
    const together = async <T>(task: (destination: string, lane: number) => Promise<T>): Promise<T[]> =>
      await Promise.all(lanes.map(task));
    const lengths = { fresh: Math.max(...(await together(timed))), again: Math.max(...(await together(timed))) };
    const seen: Seen[] = lanes.map(() => new Map());
    const contents: (readonly Published[])[] = lanes.map(() => []);

    const phases = new Map<string, number>();
    let kills = 0;
    for (let round = 0; kills < KILLS; round++) {
      expect(round, `only ${kills} kills hit`).toBeLessThan(2 * KILLS);
      if (round % 6 === 5) {
        await mailbox.change();
        account = await readServer(server);
      }
      await together(async (destination, lane) => {
        const anew = (round + 3 * lane) % 9 === 0;
        if (anew) await rm(destination, { recursive: true, force: true });
        const before = anew ? [] : (contents[lane] ?? []);
        const { child, result } = startBackup(argumentsFor(destination));
        // Rather late than early: the first half of a second is Node's.
        const kind = anew ? "fresh" : "again";
        await setTimeout(150 + random.next() ** 0.7 * (lengths[kind] - 150));
        child.kill("SIGKILL");
        const ended = await result;
        if (ended.signal === "SIGKILL") {
          kills++;
          // How long a run takes depends on what else the machine does: a tenth of them may end before.
          lengths[kind] *= 1.01;
          const phase = phaseOf(ended);
          phases.set(phase, (phases.get(phase) ?? 0) + 1);
        } else {
          expect(ended, `round ${round}`).toMatchObject({ code: 0, stderr: "" });
          lengths[kind] *= 0.9;
        }
        const after = await readPublished(destination, seen[lane]);
        contents[lane] = after;
        expect(lost({ before, after, account }), `round ${round}`).toEqual([]);
      });
      if (round % 10 !== 9) continue;
      await together(async (destination, lane) => {
        expect(await runBackup(argumentsFor(destination)), `round ${round}`).toMatchObject({ code: 0, stderr: "" });
        expect(await treeOf(destination, account), `round ${round}`).toEqual(expectedTree(account));
        const names = await readdir(join(destination, ".backup"));
        // What is killed while it takes or gives back the lease leaves a working file, which goes when it is old.
        expect(names.filter((name) => !/^lease\.json\..{36}$/.test(name)).toSorted()).toEqual([
          "checkpoint.json",
          "report.json",
          "tmp",
        ]);
        expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
        contents[lane] = await readPublished(destination, seen[lane]);
      });
    }
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    // Spread over the whole run.
    for (const phase of ["nothing", "start", "collection", "plan"])
      expect(phases.get(phase) ?? 0, phase).toBeGreaterThan(0);
    await together(async (destination) => {
      const ours = join(destination, ".backup");
      // The last kill may have left nothing at all.
      expect(await runBackup(argumentsFor(destination))).toExit(0);
      for (const name of await readdir(ours)) await utimes(join(ours, name), 0, 0);
      expect(await runBackup(argumentsFor(destination))).toExit(0);
      expect(await treeOf(destination, account)).toEqual(expectedTree(account));
      expect((await readdir(ours)).toSorted()).toEqual(["checkpoint.json", "report.json", "tmp"]);
    });
  }, 1_200_000);
});

/** The last that it said. */
function phaseOf({ stdout }: Result): string {
  const whole = stdout.slice(0, stdout.lastIndexOf("\n") + 1);
  return eventsOf({ stdout: whole, stderr: "", code: null, signal: null }).at(-1)?.type ?? "nothing";
}

/** A mailbox of about 600 messages that never stands still. */
class Mailbox {
  readonly #appender: Appender;
  readonly #random: Random;
  readonly #uids = new Map<string, number[]>();
  #seed = 1;
  #folders = 0;

  constructor(appender: Appender, random: Random) {
    this.#appender = appender;
    this.#random = random;
  }

  async fill(): Promise<void> {
    for (const [name, count] of [
      ["INBOX", 300],
      ["Archive/2023", 130],
      ["Archive/2024", 120],
      ["Lists", 50],
      ["Empty", 0],
    ] as const) {
      if (name !== "INBOX") await this.#appender.createFolder(name);
      this.#uids.set(name, []);
      await this.#append(name, count);
    }
  }

  /** New mail and flags each time, and now and then messages or folders that go or move. */
  async change(): Promise<void> {
    const { below } = this.#random;
    await this.#append("INBOX", 3 + below(8));
    await this.#append(this.#any(), 1 + below(4));
    const flagged = this.#any();
    await this.#appender.setFlags(flagged, this.#some(flagged, 8), below(2) ? ["\\Seen", "Urgent"] : ["\\Flagged"]);
    const shrinking = this.#any();
    const gone = this.#some(shrinking, 6);
    await this.#appender.expunge(shrinking, gone);
    this.#uids.set(
      shrinking,
      (this.#uids.get(shrinking) ?? []).filter((uid) => !gone.includes(uid)),
    );
    const folders = [...this.#uids.keys()].filter((name) => name !== "INBOX" && name !== "Empty");
    switch (below(4)) {
      case 0: {
        const name = `Folder ${this.#folders++}`;
        await this.#appender.createFolder(name);
        this.#uids.set(name, []);
        await this.#append(name, 5 + below(20));
        break;
      }
      case 1: {
        // Of more than a hundred messages, too: a run that was killed between copying and removing must go on.
        const from = this.#random.pick(folders);
        const to = `Renamed ${this.#folders++}`;
        await this.#appender.renameFolder(from, to);
        this.#uids.set(to, this.#uids.get(from) ?? []);
        this.#uids.delete(from);
        break;
      }
      case 2: {
        const small = folders.find((name) => (this.#uids.get(name)?.length ?? 0) < 60 && name.startsWith("Folder"));
        if (small === undefined) break;
        await this.#appender.deleteFolder(small);
        this.#uids.delete(small);
        break;
      }
      default:
    }
  }

  async #append(folder: string, count: number): Promise<void> {
    const uids = await this.#appender.append(folder, makeMessages({ ...SMALL, count, seed: this.#seed++ }));
    this.#uids.get(folder)?.push(...uids);
  }

  /** A folder that has messages. */
  #any(): string {
    return this.#random.pick([...this.#uids].filter(([, uids]) => uids.length > 10).map(([name]) => name));
  }

  #some(folder: string, limit: number): number[] {
    const uids = this.#uids.get(folder) ?? [];
    return Array.from({ length: 1 + this.#random.below(limit) }, () => this.#random.pick(uids));
  }
}
