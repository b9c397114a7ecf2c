import type { Job } from "bullmq";
import { BackupError } from "@backup/core";
import { type AccountJob, isAccountJob } from "./account.js";
import { KEYS } from "./keys.js";
import type { Queues } from "./queues.js";
import { readRegistry } from "./registry.js";

/** Accounts that somebody names; empty: all. */
type Names = readonly string[];

const PORTION = 500;

/**
 * Jobs that were given up are tried again, those that wait for another time at once.
 * @returns how many
 */
export async function retry(
  queues: Queues,
  names: Names,
  { delayed = false }: { readonly delayed?: boolean } = {},
): Promise<number> {
  const wanted = new Set(names);
  let count = 0;
  for (const { queue } of await queues.all()) {
    const failed = await jobsOf((start, end) => queue.getFailed(start, end), wanted);
    for (const job of failed) await job.retry("failed", { resetAttemptsMade: true });
    const waiting = delayed ? await jobsOf((start, end) => queue.getDelayed(start, end), wanted) : [];
    for (const job of waiting) await job.promote();
    count += failed.length + waiting.length;
  }
  return count;
}

async function jobsOf(
  get: (start: number, end: number) => Promise<readonly unknown[]>,
  wanted: ReadonlySet<string>,
): Promise<readonly Job<AccountJob>[]> {
  const found: Job<AccountJob>[] = [];
  for (let start = 0; ; start += PORTION) {
    // What the type calls the base of a job is one.
    const jobs = (await get(start, start + PORTION - 1)) as readonly Job<AccountJob>[];
    found.push(
      ...jobs.filter(({ data }) => wanted.size === 0 || (isAccountJob(data) && wanted.has(data.account.name))),
    );
    if (jobs.length < PORTION) return found;
  }
}

/**
 * Accounts that are no longer to be backed up: their schedules and jobs go, their backups stay. A job that runs ends.
 * @throws BackupError NOT_FOUND for a name that no account has; then nothing is changed
 */
export async function forget(queues: Queues, names: Names): Promise<number> {
  const registry = await readRegistry(queues.redis);
  const found = [...registry].filter(([, { name }]) => names.includes(name));
  const missing = names.find((name) => !found.some(([, known]) => known.name === name));
  if (missing !== undefined)
    throw new BackupError(
      "NOT_FOUND",
      `the queue knows no account '${missing}'; its name is that of its action, as 'USER → DESTINATION'`,
    );
  for (const [id, { host }] of found) {
    const queue = queues.of(host);
    await queue.removeJobScheduler(id);
    for (const state of ["wait", "delayed", "failed", "completed", "prioritized"] as const)
      for (const job of (await queue.getJobs([state])) as readonly Job<AccountJob>[])
        if (job.data.id === id) await job.remove();
    await queues.redis.multi().hdel(KEYS.accounts, id).zrem(KEYS.known, id).zrem(KEYS.success, id).exec();
  }
  return found.length;
}
