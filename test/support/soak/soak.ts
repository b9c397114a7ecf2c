import { cp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { loginOf, readServer } from "../account.js";
import { lost, treeOf } from "../after-disaster.js";
import { openAppender } from "../appender.js";
import { type Result, eventsOf, runBackup, startBackup } from "../command.js";
import { startCyrus } from "../cyrus.js";
import { startDovecot } from "../dovecot.js";
import type { MailServer } from "../mail-server.js";
import type { Account } from "../oracle.js";
import { type Proxy, startProxy } from "../proxy.js";
import { type Published, readPublished } from "../published.js";
import { type Random, seededRandom } from "../random.js";
import { type TreeFolder, expectedTree } from "../tree.js";
import { SoakMailbox, forgetInbox } from "./mailbox.js";
import { type SoakPlace, localPlace, remotePlace } from "./place.js";

export interface SoakOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Ends after so many, if the rounds are not over by then. */
  readonly minutes?: number | undefined;
  readonly server: "dovecot" | "cyrus";
  /** To another host by ssh. */
  readonly remote: boolean;
  readonly say: (line: string) => void;
}

/** What a soak did. */
export interface Figures {
  rounds: number;
  changes: number;
  kills: number;
  cuts: number;
  /** Runs of the command. */
  runs: number;
}

/** Lines of `say` come after so many rounds. */
const OFTEN = 50;

/**
 * Lets an account change for many rounds, and holds the backup against it after each, whatever befell the runs.
 * @throws Error with all that is needed to see it again; what it found is kept
 */
export async function soak(options: SoakOptions): Promise<Figures> {
  const { rounds, seed, minutes = Number.POSITIVE_INFINITY, say } = options;
  await using server = await (options.server === "cyrus" ? startCyrus() : startDovecot());
  await using proxy = await startProxy({ target: server.tlsPort });
  await using place = await (options.remote ? remotePlace() : localPlace());
  const figures: Figures = { rounds: 0, changes: 0, kills: 0, cuts: 0, runs: 0 };
  const began = performance.now();
  const spent = (): number => (performance.now() - began) / 60_000;
  const told = (): string => `${JSON.stringify(figures)} in ${spent().toFixed(1)} minutes, seed ${seed}`;
  const soaking = new Soak({ server, proxy, place, figures, random: seededRandom(seed) });
  await soaking.fill();
  while (figures.rounds < rounds && spent() < minutes) {
    try {
      await soaking.round();
    } catch (error) {
      const kept = await place.keep();
      await cp(server.mailDir("alice"), join(kept, "mail"), { recursive: true });
      const again = `npm run soak -- --seed ${seed} --rounds ${figures.rounds + 1} --server ${options.server}`;
      const steps = soaking.steps.map((step) => `  ${step}`).join("\n");
      throw new Error(`round ${figures.rounds + 1} of seed ${seed}:\n${steps}\nkept in ${kept}; again: ${again}`, {
        cause: error,
      });
    }
    figures.rounds++;
    if (figures.rounds % OFTEN === 0) say(told());
  }
  say(told());
  return figures;
}

interface SoakInput {
  readonly server: MailServer;
  readonly proxy: Proxy;
  readonly place: SoakPlace;
  readonly figures: Figures;
  readonly random: Random;
}

type Disaster = "kill" | "line" | "none";

class Soak {
  readonly #input: SoakInput;
  readonly #mailbox: SoakMailbox;
  #account: Account = { folders: [] };
  /** Of a good run, milliseconds. */
  #length = 1000;
  /** Of a good run, from the server. */
  #bytes = 20_000;
  /** What the round did so far. */
  steps: string[] = [];

  constructor(input: SoakInput) {
    this.#input = input;
    const { server, random } = input;
    const inbox = server.mailDir("alice");
    const forgetUids = async (): Promise<void> => await forgetInbox(inbox);
    this.#mailbox = new SoakMailbox({ random, ...(inbox.endsWith("/Maildir") ? { forgetUids } : {}) });
  }

  async fill(): Promise<void> {
    this.#account = await readServer(this.#input.server);
    for (let turn = 0; turn < 8; turn++) await this.#change();
    await this.#good("first", []);
  }

  async round(): Promise<void> {
    const { random, figures, place } = this.#input;
    this.steps = [];
    await this.#change();
    const disaster: Disaster = random.below(3) > 0 ? "none" : random.below(2) ? "kill" : "line";
    if (disaster !== "none") await this.#bad(disaster);
    await this.#good("good", []);
    await this.#listed();
    await this.#idle(figures.rounds % 10 === 9 ? ["--full"] : []);
    await place.check();
  }

  async #change(): Promise<void> {
    const { server, figures } = this.#input;
    await using appender = await openAppender(loginOf(server));
    const done = await this.#mailbox.change(appender, this.#account);
    this.steps.push(...done);
    figures.changes += done.filter((step) => step !== "nothing").length;
    this.#account = await readServer(server);
  }

  /** A run in which something happens. */
  async #bad(disaster: "kill" | "line"): Promise<void> {
    const { place, proxy, figures, random } = this.#input;
    const before = await readPublished(place.at);
    proxy.fault =
      disaster === "kill"
        ? undefined
        : {
            kind: random.pick(["cut", "truncate", "stall"] as const),
            afterBytes: random.below(this.#bytes),
            times: 1 + random.below(3),
          };
    const atMs = 150 + random.next() ** 0.7 * this.#length;
    this.steps.push(disaster === "kill" ? `kill after ${Math.round(atMs)} ms` : JSON.stringify(proxy.fault));
    const struckBefore = proxy.struck;
    const { child, result } = startBackup(this.#args(["--timeout", "1"]), place.env);
    figures.runs++;
    if (disaster === "kill") {
      const over = new AbortController();
      void result.finally(() => over.abort());
      await setTimeout(atMs, undefined, { signal: over.signal }).catch(() => {});
      child.kill("SIGKILL");
    }
    const ended = await result;
    proxy.fault = undefined;
    if (ended.signal === "SIGKILL") figures.kills++;
    else if (![0, 1, 3].includes(ended.code ?? -1)) throw failure("the bad run", ended);
    if (proxy.struck > struckBefore) figures.cuts++;
    const after = await readPublished(place.at);
    const gone = lost({ before, after, account: this.#account });
    if (gone.length > 0) throw new Error(`lost in the bad run: ${describe(gone)}`);
    if (ended.code === 0) await this.#compare();
  }

  async #good(what: string, more: readonly string[]): Promise<Result> {
    const { place, proxy, figures } = this.#input;
    this.steps.push(["run", what, ...more].join(" "));
    const began = performance.now();
    const before = proxy.bytes.fromServer;
    const published = await readPublished(place.at);
    let result = await runBackup(this.#args(more), place.env);
    figures.runs++;
    if (result.code === 1 && result.stdout.includes('"DELETION_LIMIT"')) {
      // More than half of all was deleted at the server: it is asked for, and until then all stays.
      if (!isDeepStrictEqual(await readPublished(place.at), published))
        throw new Error("a refused run changed the copy");
      this.steps.push("run with --allow-deletes");
      result = await runBackup(this.#args([...more, "--allow-deletes"]), place.env);
      figures.runs++;
    }
    if (result.code !== 0 || result.stderr !== "") throw failure(`the ${what} run`, result);
    this.#length = 0.8 * this.#length + 0.2 * (performance.now() - began);
    this.#bytes = Math.round(0.8 * this.#bytes + 0.4 * (proxy.bytes.fromServer - before));
    await this.#compare();
    return result;
  }

  async #listed(): Promise<void> {
    const { place } = this.#input;
    const result = await runBackup(["ls", place.destination, ...place.options], place.env);
    if (result.code !== 0) throw failure("backup ls", result);
  }

  /** Nothing changed: nothing is to be done. */
  async #idle(more: readonly string[]): Promise<void> {
    const plan = eventsOf(await this.#good("idle", more)).find((event) => event.type === "plan");
    if (plan?.type !== "plan") throw new Error("the idle run says no plan");
    if (plan.add + plan.move + plan.rename + plan.remove > 0)
      throw new Error(`the idle run plans ${JSON.stringify(plan)}`);
  }

  async #compare(): Promise<void> {
    const tree = await treeOf(this.#input.place.at, this.#account);
    const expected = expectedTree(this.#account);
    if (!isDeepStrictEqual(tree, expected)) throw new Error(`the copy is another: ${difference(tree, expected)}`);
  }

  #args(more: readonly string[]): readonly string[] {
    const { server, proxy, place } = this.#input;
    const from = ["imap", "alice", place.destination, `imaps://localhost:${proxy.port}`, "--json"];
    return [...from, "--srcsecret", place.secret, "--tls-ca", server.caFile, ...place.options, ...more];
  }
}

function failure(what: string, { code, signal, stderr, stdout }: Result): Error {
  return new Error(`${what} ended with ${code ?? signal}: ${stderr}${stdout.slice(-2000)}`);
}

function describe(messages: readonly Published[]): string {
  return messages.map(({ directory, uid, sha256 }) => `${directory} ${uid} ${sha256}`).join(", ");
}

/** Lines that only one of them has. */
function difference(tree: readonly TreeFolder[], expected: readonly TreeFolder[]): string {
  const [here, there] = [linesOf(tree), linesOf(expected)];
  const extra = here.filter((line) => !there.includes(line)).map((line) => `+ ${line}`);
  const missing = there.filter((line) => !here.includes(line)).map((line) => `- ${line}`);
  return ["", ...extra, ...missing].slice(0, 40).join("\n");
}

function linesOf(tree: readonly TreeFolder[]): readonly string[] {
  return tree.flatMap(({ directory, uidvalidities, messages }) => [
    `${directory} ${uidvalidities.join(" ")}`,
    ...messages.map((message) => `${directory} ${JSON.stringify(message)}`),
  ]);
}
