import { type Appender } from "./appender.js";
import { makeMessages } from "./messages.js";
import type { Random } from "./random.js";
import { incompressible } from "./remote.js";

const SMALL = { minBytes: 400, maxBytes: 8000 };

/** A mailbox of about 150 messages that never stands still: what a backup over a bad line has to follow. */
export class RemoteMailbox {
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
      ["INBOX", 80],
      ["Archive/2023", 40],
      ["Archive/2024", 30],
      ["Empty", 0],
    ] as const) {
      if (name !== "INBOX") await this.#appender.createFolder(name);
      this.#uids.set(name, []);
      await this.#append(name, count);
    }
    await this.large();
  }

  async small(): Promise<void> {
    await this.#append("INBOX", 1);
  }

  /** A message that takes a while. */
  async large(): Promise<void> {
    const uids = await this.#appender.append("INBOX", [{ bytes: incompressible(1_500_000), date: new Date(1e12) }]);
    this.#uids.get("INBOX")?.push(...uids);
  }

  /** New mail and flags each time, and now and then messages or folders that go or move. */
  async change(): Promise<void> {
    const random = this.#random;
    await this.#append("INBOX", 3 + random.below(8));
    const flagged = this.#any();
    await this.#appender.setFlags(
      flagged,
      this.#some(flagged, 8),
      random.below(2) ? ["\\Seen", "Urgent"] : ["\\Flagged"],
    );
    const [from, gone] = [this.#any(), random.below(4)];
    const some = this.#some(from, 5);
    const targets = [...this.#uids.keys()].filter((name) => name !== from && name !== "Empty");
    if (gone === 0) {
      await this.#appender.move(from, some, random.pick(targets));
      this.#uids.delete(from);
      this.#uids.set(from, await this.#present(from));
    } else if (gone === 1) await this.#appender.copy(from, some, random.pick(targets));
    else {
      await this.#appender.expunge(from, some);
      this.#uids.set(from, await this.#present(from));
    }
    const folders = [...this.#uids.keys()].filter((name) => name !== "INBOX" && name !== "Empty");
    switch (random.below(4)) {
      case 0: {
        const name = `Folder ${this.#folders++}`;
        await this.#appender.createFolder(name);
        this.#uids.set(name, []);
        await this.#append(name, 5 + random.below(20));
        break;
      }
      case 1: {
        const old = random.pick(folders);
        const name = `Renamed ${this.#folders++}`;
        await this.#appender.renameFolder(old, name);
        this.#uids.set(name, this.#uids.get(old) ?? []);
        this.#uids.delete(old);
        break;
      }
      case 2: {
        const small = folders.find((name) => name.startsWith("Folder"));
        if (small === undefined) break;
        await this.#appender.deleteFolder(small);
        this.#uids.delete(small);
        break;
      }
      default:
        await this.large();
    }
  }

  async #append(folder: string, count: number): Promise<void> {
    const uids = await this.#appender.append(folder, makeMessages({ ...SMALL, count, seed: this.#seed++ }));
    this.#uids.get(folder)?.push(...uids);
  }

  async #present(folder: string): Promise<number[]> {
    const { client } = this.#appender;
    await client.mailboxOpen(folder, { readOnly: true });
    const uids = await client.search({ all: true }, { uid: true });
    await client.mailboxClose();
    return uids || [];
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
