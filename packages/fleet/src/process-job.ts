import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import type { Redis } from "ioredis";
import { type AccountJob, isAccountJob } from "./account.js";
import { KEYS } from "./keys.js";
import { MOST_PARTLY, type Pauses, around, nextDay } from "./pauses.js";
import { type WriteLimits, takePermit } from "./permits.js";
import { type ChildEvent, type Command, runCommand } from "./run-command.js";
import { type Verdict, verdictOf } from "./verdict.js";

export interface ProcessJob {
  readonly redis: Redis;
  readonly command: Command;
  readonly env: NodeJS.ProcessEnv;
  readonly pauses: Pauses;
  readonly limits: WriteLimits;
  /** For the command's plan. */
  readonly directory: string;
  /** Fired: running commands are told to end, and their jobs go back. */
  readonly stop: AbortSignal;
  /** Told of each job when it has ended here. */
  readonly onVerdict: (verdict: Verdict["is"], seconds: number) => void;
  readonly onTrouble: (error: unknown) => void;
}

/** Progress is written down this often at most, milliseconds. */
const PROGRESS_MS = 2000;
/** What is told to end is killed after this, milliseconds. */
const GRACE_MS = 9000;
/** Lines that one run may write to its job's log. */
const MOST_LINES = 30;

/**
 * One run of one job: the command as a child process. What this resolves to is kept as the job's result; what it throws
 * says to BullMQ what becomes of the job. Moving it to another state is done here.
 */
export async function processJob(job: Job<AccountJob>, token: string, options: ProcessJob): Promise<unknown> {
  const { redis, stop, pauses, limits, onVerdict, onTrouble } = options;
  const started = performance.now();
  const end = (is: Verdict["is"]): void => onVerdict(is, (performance.now() - started) / 1000);
  if (!isAccountJob(job.data)) {
    end("failed");
    throw new UnrecoverableError("this is no job of backup fleet; remove it, or correct what made it");
  }
  const { id, account } = job.data;
  const host = account.destinationHost;
  const limit = host === undefined ? undefined : await limits.of(host);
  await using permit = host === undefined || limit === undefined ? FREE : await takePermit({ redis, host, limit });
  if (!permit) return await postpone(job, token, Date.now() + around(pauses.busyMs));
  if (stop.aborted) return await putBack(job, token);
  const verdict = await run(job, options);
  end(verdict.is);
  if (verdict.is === "back") return await putBack(job, token);
  if (verdict.is === "later") return await later(job, token, verdict, pauses);
  if (verdict.is === "again") throw new Error(verdict.reason);
  if (verdict.is === "failed") throw new UnrecoverableError(verdict.reason);
  // Its answer comes before that of what ends the job, by the same connection: nobody has to wait for both.
  redis.zadd(KEYS.success, "GT", Date.now(), id).catch(onTrouble);
  return verdict.note ?? "done";
}

/** The permit to write where there is no limit. */
const FREE: AsyncDisposable = { async [Symbol.asyncDispose]() {} };

async function run(job: Job<AccountJob>, { command, directory, env, stop }: ProcessJob): Promise<Verdict> {
  const teller = new Teller(job);
  const { plan } = job.data.account;
  const ended = await runCommand({
    command,
    plan,
    directory,
    env,
    stop,
    graceMs: GRACE_MS,
    onEvent: (event) => teller.tell(event),
  });
  return verdictOf({ ...ended, code: teller.isBudgetSpent && ended.status === 3 ? "BUDGET_SPENT" : ended.code });
}

async function later(
  job: Job<AccountJob>,
  token: string,
  { why, reason }: Verdict & { readonly is: "later" },
  pauses: Pauses,
): Promise<never> {
  if (why === "busy") return await postpone(job, token, Date.now() + around(3 * pauses.busyMs));
  const partly = (job.data.partly ?? 0) + 1;
  if (why === "partly" && partly > MOST_PARTLY)
    throw new UnrecoverableError(`${reason}; ended partly ${partly} times in a row`);
  await job.updateData({ ...job.data, partly });
  await job.log(`${new Date().toISOString()} partly: ${reason}`);
  return await postpone(job, token, why === "budget" ? nextDay(Date.now()) : Date.now() + around(pauses.partlyMs));
}

async function postpone(job: Job, token: string, time: number): Promise<never> {
  await job.moveToDelayed(time, token);
  throw new DelayedError();
}

async function putBack(job: Job, token: string): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

/** Writes what a run says into its job: progress now and then, and lines that a person would want to read. */
class Teller {
  readonly #job: Job;
  #lines = 0;
  #told = 0;
  isBudgetSpent = false;

  constructor(job: Job) {
    this.#job = job;
  }

  tell(event: ChildEvent): void {
    if (event.type === "progress" && Date.now() - this.#told > PROGRESS_MS) {
      this.#told = Date.now();
      const { items, bytes, totalItems, totalBytes } = event;
      send(this.#job.updateProgress({ items, bytes, totalItems, totalBytes }));
    }
    if ("code" in event && event.code === "BUDGET_SPENT") this.isBudgetSpent = true;
    const line = lineOf(event);
    if (line === undefined || this.#lines >= MOST_LINES) return;
    this.#lines++;
    send(this.#job.log(`${new Date().toISOString()} ${line}`));
  }
}

/** One connection keeps them in order. A job that another worker has meanwhile is told nothing more. */
function send(write: Promise<unknown>): void {
  write.catch(() => {});
}

function lineOf(event: ChildEvent): string | undefined {
  if (event.type === "lease") return `writes to ${event.destination} as ${event.fence}`;
  if (event.type === "warning") return `warning: ${event.message}`;
  if (event.type === "failed") return `missing: ${event.message}`;
  if (event.type === "error") return `${event.code}: ${event.message}`;
  if (event.type !== "end") return undefined;
  const { result, added, removed, bytes, seconds } = event.report;
  return `${result}: ${added} new, ${removed} deleted, ${bytes} bytes, ${seconds.toFixed(1)} s`;
}
