import type { Redis } from "ioredis";
import { Semaphore } from "redis-semaphore";
import { KEYS } from "./keys.js";

/** A permit of a worker that died is free after this, milliseconds. */
const EXPIRY_MS = 60_000;
/** So long a job waits for a permit before it gives way to others, and tries this often, milliseconds. */
const PATIENCE_MS = 1000;
const RETRY_MS = 100;
/** What enqueue sets is known to a worker after this, milliseconds. */
const KNOWN_MS = 2000;

/** How many may write to each host, over all workers. */
export class WriteLimits {
  readonly #redis: Redis;
  #limits: Promise<Readonly<Record<string, string>>> = Promise.resolve({});
  #asked = Number.NEGATIVE_INFINITY;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Undefined: any number. */
  async of(host: string): Promise<number | undefined> {
    if (performance.now() - this.#asked > KNOWN_MS) {
      this.#asked = performance.now();
      this.#limits = this.#redis.hgetall(KEYS.destinations);
    }
    const limit = (await this.#limits)[host];
    return limit === undefined ? undefined : Number(limit);
  }
}

export interface TakePermit {
  readonly redis: Redis;
  readonly host: string;
  readonly limit: number;
}

/**
 * The permit to write to a host, of which there are so many over all workers; undefined: all are taken. It is released
 * when it is disposed of. Whoever gets none has waited a moment: a worker does not spin over jobs that cannot begin.
 */
export async function takePermit({ redis, host, limit }: TakePermit): Promise<AsyncDisposable | undefined> {
  const semaphore = new Semaphore(redis, `backup-fleet:writing:${host}`, limit, {
    lockTimeout: EXPIRY_MS,
    acquireTimeout: PATIENCE_MS,
    retryInterval: RETRY_MS,
    // A queue that was away for a while costs politeness alone: the lease at the destination is what counts.
    onLockLost: () => {},
  });
  if (!(await semaphore.tryAcquire())) return undefined;
  return { [Symbol.asyncDispose]: () => semaphore.release() };
}
