import type { Redis } from "ioredis";
import { Semaphore } from "redis-semaphore";
import { KEYS } from "./keys.js";

/** A permit of a worker that died is free after this, milliseconds. */
const EXPIRY_MS = 60_000;

/**
 * The permit to write to a host, of which there are so many over all workers; undefined: all are taken. It is released
 * when it is disposed of. Where the host has no limit it is one of any number.
 */
export async function takePermit(redis: Redis, host: string | undefined): Promise<AsyncDisposable | undefined> {
  const limit = host === undefined ? null : await redis.hget(KEYS.destinations, host);
  if (host === undefined || limit === null) return { async [Symbol.asyncDispose]() {} };
  const semaphore = new Semaphore(redis, `backup-fleet:writing:${host}`, Number(limit), {
    lockTimeout: EXPIRY_MS,
    // Tried once: the job gives way to others.
    acquireAttemptsLimit: 1,
    // A queue that was away for a while costs politeness alone: the lease at the destination is what counts.
    onLockLost: () => {},
  });
  if (!(await semaphore.tryAcquire())) return undefined;
  return { [Symbol.asyncDispose]: () => semaphore.release() };
}
