import type { Job } from "bullmq";
import type { AccountQueue, Queues } from "./queues.js";
import { KEYS } from "./keys.js";
import { type Known, portions, readRegistry } from "./registry.js";

/** Counts of jobs. */
export interface Counts {
  readonly waiting: number;
  readonly running: number;
  /** Tried again later: after a failure, or because something was missing. */
  readonly delayed: number;
  /** Of those that the queue still has. */
  readonly done: number;
  /** Given up until somebody says `retry`. */
  readonly failed: number;
}

export interface HostStatus extends Counts {
  readonly host: string;
}

export interface FailedJob {
  readonly name: string;
  readonly host: string;
  readonly reason: string;
  readonly runs: number;
  /** When it was given up, milliseconds since 1970. */
  readonly at?: number | undefined;
}

export interface LateAccount {
  readonly name: string;
  readonly host: string;
  /** Milliseconds since 1970; undefined: never. */
  readonly success?: number | undefined;
}

export interface FleetStatus {
  readonly accounts: number;
  readonly hosts: readonly HostStatus[];
  readonly total: Counts;
  readonly failed: readonly FailedJob[];
  /** Will be tried again. */
  readonly retrying: readonly FailedJob[];
  /** Accounts without a success within the time that was asked for, those that have waited longest first. */
  readonly late: readonly LateAccount[];
}

export interface StatusOptions {
  /** Late is who had no success for so long, milliseconds. Undefined: nobody. */
  readonly lateMs?: number | undefined;
  /** Failed jobs that are named at most, of each host. */
  readonly most: number;
  readonly now: number;
}

/** What there is to do, was done, and went wrong. Changes nothing. */
export async function fleetStatus(queues: Queues, { lateMs, most, now }: StatusOptions): Promise<FleetStatus> {
  const all = await queues.all();
  const hosts = await Promise.all(all.map(async ({ host, queue }) => ({ host, ...(await countsOf(queue)) })));
  const failed = await Promise.all(
    all.map(({ host, queue }) => described(host, most, (last) => queue.getFailed(0, last))),
  );
  const delayed = await Promise.all(
    all.map(({ host, queue }) => described(host, most, (last) => queue.getDelayed(0, last))),
  );
  const late = lateMs === undefined ? [] : await lateAccounts(queues, now - lateMs);
  const accounts = await queues.redis.hlen(KEYS.accounts);
  return {
    accounts,
    hosts,
    total: sum(hosts),
    failed: failed.flat(),
    retrying: delayed.flat().filter(({ reason }) => reason !== ""),
    late,
  };
}

async function countsOf(queue: AccountQueue): Promise<Counts> {
  const counts = await queue.getJobCounts("wait", "prioritized", "active", "delayed", "completed", "failed");
  const of = (...names: readonly string[]): number => names.reduce((total, name) => total + (counts[name] ?? 0), 0);
  return {
    waiting: of("wait", "prioritized"),
    running: of("active"),
    delayed: of("delayed"),
    done: of("completed"),
    failed: of("failed"),
  };
}

function sum(hosts: readonly Counts[]): Counts {
  const of = (key: keyof Counts): number => hosts.reduce((total, counts) => total + counts[key], 0);
  return {
    waiting: of("waiting"),
    running: of("running"),
    delayed: of("delayed"),
    done: of("done"),
    failed: of("failed"),
  };
}

async function described(
  host: string,
  most: number,
  get: (
    last: number,
  ) => Promise<readonly Partial<Pick<Job, "data" | "failedReason" | "attemptsStarted" | "finishedOn" | "id">>[]>,
): Promise<readonly FailedJob[]> {
  if (most === 0) return [];
  const jobs = await get(most - 1);
  return jobs.map(({ data, failedReason = "", attemptsStarted = 0, finishedOn, id = "" }) => {
    return { name: nameOf(data) ?? id, host, reason: failedReason, runs: attemptsStarted, at: finishedOn };
  });
}

/** Of a job that may be anything. */
function nameOf(data: unknown): string | undefined {
  const name: unknown = Object(Object(data).account).name;
  return typeof name === "string" ? name : undefined;
}

/** Accounts that are known since before then, and had no success since. */
async function lateAccounts({ redis }: Queues, before: number): Promise<readonly LateAccount[]> {
  const ids = await redis.zrangebyscore(KEYS.known, "-inf", before);
  const found: { readonly id: string; readonly success: number | undefined }[] = [];
  for (const portion of portions(ids)) {
    const scores = await redis.zmscore(KEYS.success, ...portion);
    for (const [index, score] of scores.entries()) {
      const success = score === null ? undefined : Number(score);
      if (success === undefined || success < before) found.push({ id: portion[index] ?? "", success });
    }
  }
  const registry = found.length === 0 ? new Map<string, Known>() : await readRegistry(redis);
  return found
    .toSorted((a, b) => (a.success ?? 0) - (b.success ?? 0))
    .flatMap(({ id, success }) => {
      const known = registry.get(id);
      return known ? [{ name: known.name, host: known.host, success }] : [];
    });
}
