import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Appender, Draft } from "../appender.js";
import { makeMessages } from "../messages.js";
import type { Account } from "../oracle.js";
import type { Random } from "../random.js";

/** Below what the deletion limit looks at, with all that one round takes away. */
const MOST_IN_FOLDER = 60;
const MOST_IN_ACCOUNT = 260;
const MOST_FOLDERS = 12;
const SIZES = { minBytes: 300, maxBytes: 6000 };
const FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"];
/** More than there are letters for. */
const KEYWORDS = Array.from({ length: 34 }, (_, index) => `key${index}`);
const FORGET = "forget the UIDs of";
const NAMES = ["Work", "Überweisungen", "a & b", "日本語", "Lists", "2024", "With space"];

export interface MailboxOptions {
  readonly random: Random;
  /** Makes a server forget the UIDs of a folder, where it is known how. */
  readonly forgetUids?: ((folder: string) => Promise<void>) | undefined;
}

/** A mailbox in which a handful of things changes at a time. */
export class SoakMailbox {
  readonly #options: MailboxOptions;
  #uids = new Map<string, number[]>();
  #serial = 0;

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  /** Does some of all that can be done, on an account that is as it was just read; says what it did. */
  async change(appender: Appender, { folders }: Account): Promise<readonly string[]> {
    const { random } = this.#options;
    this.#uids = new Map(folders.map(({ name, messages }) => [name, messages.map(({ uid }) => uid)]));
    const done: string[] = [];
    for (let left = 1 + random.below(6); left > 0; left--) {
      const step = await this.#step(appender);
      done.push(step);
      // A connection that had the folder open may be told that it was deleted.
      if (step.startsWith(FORGET)) break;
    }
    return done;
  }

  async #step(appender: Appender): Promise<string> {
    const { random } = this.#options;
    const [from, to] = [this.#any(), this.#any()];
    const some = this.#some(from);
    const size = this.#count();
    switch (random.below(12)) {
      case 0:
        if (some.length > 0 && from !== to && this.#uids.get(to) !== undefined) {
          await appender.move(from, some, to);
          this.#forget(from, some);
          return `move ${from} ${some.join(",")} to ${to}`;
        }
        break;
      case 1:
        if (some.length > 0 && from !== to && size < MOST_IN_ACCOUNT) {
          await appender.copy(from, some, to);
          return `copy ${from} ${some.join(",")} to ${to}`;
        }
        break;
      case 2:
      case 3:
        if (some.length > 0) {
          await appender.expunge(from, some);
          this.#forget(from, some);
          return `expunge ${from} ${some.join(",")}`;
        }
        break;
      case 4:
        if (this.#uids.size < MOST_FOLDERS) return await this.#create(appender);
        break;
      case 5:
        return await this.#rename(appender);
      case 6:
        return await this.#delete(appender);
      case 7:
        return await this.#renew(appender);
      case 8:
      case 9:
        if (some.length > 0) {
          const flags = this.#flags();
          await appender.setFlags(from, some, flags);
          return `flags ${from} ${some.join(",")} = ${flags.join(" ")}`;
        }
        break;
      default:
    }
    if (size >= MOST_IN_ACCOUNT) return "nothing";
    return await this.#append(appender, to);
  }

  async #append(appender: Appender, folder: string): Promise<string> {
    const { random } = this.#options;
    const count = 1 + random.below(6);
    const [first, ...others] = makeMessages({ ...SIZES, count, seed: 1 + random.below(1e6) });
    // Now and then the same message twice.
    const drafts: Draft[] = [first, ...others, ...(random.below(4) ? [] : [first])].flatMap((draft) =>
      draft ? [{ ...draft, flags: this.#flags() }] : [],
    );
    const uids = await appender.append(folder, drafts);
    this.#uids.get(folder)?.push(...uids);
    return `append ${folder} ${uids.join(",")}`;
  }

  async #create(appender: Appender): Promise<string> {
    const { random } = this.#options;
    const parent = random.below(2) ? "" : `${this.#any().split("/").slice(0, 2).join("/")}/`;
    const name = `${parent}${random.pick(NAMES)} ${this.#serial++}`;
    await appender.createFolder(name);
    this.#uids.set(name, []);
    return `create ${name}`;
  }

  async #rename(appender: Appender): Promise<string> {
    const name = this.#leaf();
    if (name === undefined) return "nothing";
    const to = `${this.#options.random.pick(NAMES)} ${this.#serial++}`;
    await appender.renameFolder(name, to);
    this.#uids.set(to, this.#uids.get(name) ?? []);
    this.#uids.delete(name);
    return `rename ${name} to ${to}`;
  }

  async #delete(appender: Appender): Promise<string> {
    const name = this.#leaf();
    if (name === undefined) return "nothing";
    await appender.deleteFolder(name);
    this.#uids.delete(name);
    return `delete ${name}`;
  }

  /** The same messages under a new UIDVALIDITY. */
  async #renew(appender: Appender): Promise<string> {
    const { random, forgetUids } = this.#options;
    if (forgetUids && random.below(2)) {
      const name = this.#any();
      await forgetUids(name);
      // Its UIDs are others now.
      this.#uids.delete(name);
      return `${FORGET} ${name}`;
    }
    const name = this.#leaf();
    const uids = this.#uids.get(name ?? "");
    if (name === undefined || uids === undefined) return "nothing";
    const temporary = `Temporary ${this.#serial++}`;
    await appender.createFolder(temporary);
    if (uids.length > 0) await appender.copy(name, uids, temporary);
    await appender.deleteFolder(name);
    await appender.renameFolder(temporary, name);
    this.#uids.delete(name);
    return `make ${name} anew`;
  }

  #any(): string {
    const names = [...this.#uids].filter(([, uids]) => uids.length < MOST_IN_FOLDER).map(([name]) => name);
    return names.length > 0 ? this.#options.random.pick(names) : "INBOX";
  }

  /** A folder that is not INBOX and has none below it. */
  #leaf(): string | undefined {
    const names = [...this.#uids.keys()];
    const leaves = names.filter((name) => name !== "INBOX" && !names.some((other) => other.startsWith(`${name}/`)));
    return leaves.length > 0 ? this.#options.random.pick(leaves) : undefined;
  }

  #some(folder: string): readonly number[] {
    const uids = this.#uids.get(folder) ?? [];
    if (uids.length === 0) return [];
    const count = 1 + this.#options.random.below(8);
    return [...new Set(Array.from({ length: count }, () => this.#options.random.pick(uids)))];
  }

  #flags(): readonly string[] {
    const { random } = this.#options;
    const flags = FLAGS.filter(() => random.below(4) === 0);
    const keywords = Array.from({ length: random.below(3) }, () => random.pick(KEYWORDS));
    return [...flags, ...new Set(keywords)];
  }

  #count(): number {
    return [...this.#uids.values()].reduce((sum, { length }) => sum + length, 0);
  }

  #forget(folder: string, uids: readonly number[]): void {
    const left = (this.#uids.get(folder) ?? []).filter((uid) => !uids.includes(uid));
    this.#uids.set(folder, left);
  }
}

/** Removes what Dovecot knows of INBOX beside its messages: it gives new UIDs, under a new UIDVALIDITY. */
export async function forgetInbox(mailDir: string): Promise<void> {
  for (const name of ["dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache"])
    await rm(join(mailDir, name), { force: true });
}
