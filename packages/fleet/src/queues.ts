import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { AccountJob } from "./account.js";
import { KEYS, PREFIX, queueName } from "./keys.js";

export type AccountQueue = Queue<AccountJob>;

/** The queues of all hosts: one each, so that what one host allows is no matter of another. */
export class Queues implements AsyncDisposable {
  readonly redis: Redis;
  readonly #queues = new Map<string, AccountQueue>();

  constructor(redis: Redis) {
    this.redis = redis;
  }

  /** Hosts that have one, in order. */
  async hosts(): Promise<readonly string[]> {
    const hosts = await this.redis.smembers(KEYS.hosts);
    return hosts.toSorted();
  }

  of(host: string): AccountQueue {
    const known = this.#queues.get(host);
    if (known) return known;
    const queue: AccountQueue = new Queue(queueName(host), {
      connection: this.redis,
      prefix: PREFIX,
      streams: { events: { maxLen: 1000 } },
    });
    // Commands wait for the connection, and what they are asked for tells what is wrong.
    queue.on("error", () => {});
    this.#queues.set(host, queue);
    return queue;
  }

  async all(): Promise<readonly { readonly host: string; readonly queue: AccountQueue }[]> {
    return (await this.hosts()).map((host) => ({ host, queue: this.of(host) }));
  }

  /** Leaves the connection as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }
}
