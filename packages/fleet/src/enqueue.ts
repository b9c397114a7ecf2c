import { BackupError } from "@backup/core";
import type { JobsOptions } from "bullmq";
import { type Account, type AccountJob, accountId } from "./account.js";
import { KEYS } from "./keys.js";
import { ATTEMPTS } from "./pauses.js";
import type { Queues } from "./queues.js";
import { type Conflict, allOf, conflictText, findConflicts, portions, register } from "./registry.js";

/** How often one account is backed up, and what its hosts allow. */
export interface EnqueueOptions {
  readonly accounts: readonly Account[];
  /** One job for each account in each of these periods: `2026-11-30`, say. Undefined with `everyMs`. */
  readonly period?: string | undefined;
  /** Again and again, this often, milliseconds. */
  readonly everyMs?: number | undefined;
  /** Recurring runs begin within this time from now, each account at a moment of its own; default: `everyMs`. */
  readonly jitterMs?: number | undefined;
  readonly limits: HostLimits;
  /** Told of each account that is left out because its destination is another one's; undefined: that is an error. */
  readonly onBad?: ((line: string) => void) | undefined;
  readonly now: number;
  readonly signal: AbortSignal;
}

/** For every host, over all workers; undefined: as it was, at first no limit. */
export interface HostLimits {
  /** Jobs at once that read from one host. */
  readonly perHost?: number | undefined;
  /** Jobs that begin in a minute on one host. */
  readonly ratePerMinute?: number | undefined;
  /** Jobs at once that write to one host. */
  readonly perDestination?: number | undefined;
}

export interface Enqueued {
  readonly added: number;
  /** Had a job of this period, or the same schedule, already. */
  readonly present: number;
  readonly left: number;
  readonly hosts: number;
}

/** A job that ended is kept so long that its period is over: its id is what keeps it from being added again. */
const KEPT_S = 3 * 24 * 60 * 60;

/**
 * Makes a job for each account, or a schedule of jobs. Idempotent: what is there already stays as it is.
 * @throws BackupError DESTINATION_OTHER where two plans mean one destination; then nothing is added
 */
export async function enqueue(queues: Queues, options: EnqueueOptions): Promise<Enqueued> {
  const { redis } = queues;
  const conflicts = await findConflicts(redis, options.accounts);
  const accounts = withoutConflicts(options, conflicts);
  await register(redis, accounts, options.now);
  const byHost = new Map<string, Account[]>();
  for (const account of accounts) {
    const group = byHost.get(account.host);
    if (group) group.push(account);
    else byHost.set(account.host, [account]);
  }
  for (const [host, group] of byHost) await setLimits(queues, host, group, options.limits);
  let added = 0;
  for (const [host, group] of byHost)
    for (const portion of portions(group)) {
      options.signal.throwIfAborted();
      added +=
        options.everyMs === undefined
          ? await addJobs(queues, host, portion, options)
          : await schedule(queues, host, portion, options);
    }
  return { added, present: accounts.length - added, left: conflicts.length, hosts: byHost.size };
}

function withoutConflicts({ accounts, onBad }: EnqueueOptions, conflicts: readonly Conflict[]): readonly Account[] {
  if (conflicts.length === 0) return accounts;
  const lines = conflicts.map(conflictText);
  if (!onBad) throw new BackupError("DESTINATION_OTHER", lines.join("\n"));
  for (const line of lines) onBad(line);
  const bad = new Set(conflicts.map(({ account }) => account));
  return accounts.filter((account) => !bad.has(account));
}

async function setLimits(
  queues: Queues,
  host: string,
  accounts: readonly Account[],
  limits: HostLimits,
): Promise<void> {
  const queue = queues.of(host);
  if (limits.perHost !== undefined) await queue.setGlobalConcurrency(limits.perHost);
  if (limits.ratePerMinute !== undefined) await queue.setGlobalRateLimit(limits.ratePerMinute, 60_000);
  if (limits.perDestination === undefined) return;
  const destinations = new Set(accounts.flatMap(({ destinationHost }) => destinationHost ?? []));
  for (const destination of destinations)
    await queues.redis.hset(KEYS.destinations, destination, limits.perDestination);
}

/** Jobs as they are tried, kept and logged. */
const JOB: JobsOptions = {
  attempts: ATTEMPTS,
  // Whoever runs it says how long; see worker.ts.
  backoff: { type: "custom" },
  removeOnComplete: { age: KEPT_S },
  removeOnFail: false,
  keepLogs: 100,
  stackTraceLimit: 0,
};

async function addJobs(
  queues: Queues,
  host: string,
  accounts: readonly Account[],
  { period = "" }: EnqueueOptions,
): Promise<number> {
  const queue = queues.of(host);
  const jobs = accounts.map((account) => {
    const id = accountId(account);
    const data: AccountJob = { id, account };
    return { name: account.type, data, opts: { ...JOB, jobId: `${id}-${period}` } };
  });
  const pipeline = queues.redis.pipeline();
  for (const { opts } of jobs) pipeline.exists(queue.toKey(opts.jobId));
  const there = (await allOf(pipeline.exec())).filter((count) => count === 1).length;
  await queue.addBulk(jobs);
  return jobs.length - there;
}

async function schedule(
  queues: Queues,
  host: string,
  accounts: readonly Account[],
  { everyMs = 0, jitterMs = everyMs, now }: EnqueueOptions,
): Promise<number> {
  const queue = queues.of(host);
  const keys = accounts.map((account) => `${queue.toKey("repeat")}:${accountId(account)}`);
  const pipeline = queues.redis.pipeline();
  for (const key of keys) pipeline.exists(key);
  const there = (await allOf(pipeline.exec())).map((count) => count === 1);
  await Promise.all(
    accounts.map(async (account) => {
      const id = accountId(account);
      const data: AccountJob = { id, account };
      // Of an account always the same: whoever enqueues again moves nothing.
      const startDate = now + (Number.parseInt(id.slice(0, 8), 16) / 2 ** 32) * jitterMs;
      await queue.upsertJobScheduler(id, { every: everyMs, startDate }, { name: account.type, data, opts: JOB });
    }),
  );
  return there.filter((is) => !is).length;
}
