import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import type { Redis } from "ioredis";
import { type AccountJob, isAccountJob } from "./account.js";
import { KEYS } from "./keys.js";
import { MOST_PARTLY, type Pauses, around, nextDay } from "./pauses.js";
import { takePermit } from "./permits.js";
import { type ChildEvent, type Command, runCommand } from "./run-command.js";
import { type Verdict, verdictOf } from "./verdict.js";

export interface ProcessJob {
  readonly redis: Redis;
  readonly command: Command;
  readonly env: NodeJS.ProcessEnv;
  readonly pauses: Pauses;
  /** Fired: running commands are told to end, and their jobs go back. */
  readonly stop: AbortSignal;
  /** Told of each job when it has ended here. */
  readonly onVerdict: (verdict: Verdict["is"], seconds: number) => void;
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
  const { redis, stop, pauses, onVerdict } = options;
  const started = performance.now();
  const end = (is: Verdict["is"]): void => onVerdict(is, (performance.now() - started) / 1000);
  if (!isAccountJob(job.data)) {
    end("failed");
    throw new UnrecoverableError("this is no job of backup fleet; remove it, or correct what made it");
  }
  const { id, account } = job.data;
  await using permit = await takePermit(redis, account.destinationHost);
  if (!permit) return await postpone(job, token, Date.now() + around(pauses.busyMs));
  if (stop.aborted) return await putBack(job, token);
  const verdict = await run(job, options);
  end(verdict.is);
  if (verdict.is === "back") return await putBack(job, token);
  if (verdict.is === "later") return await later(job, token, verdict, pauses);
  if (verdict.is === "again") throw new Error(verdict.reason);
  if (verdict.is === "failed") throw new UnrecoverableError(verdict.reason);
  await redis.zadd(KEYS.success, "GT", Date.now(), id);
  return verdict.note ?? "done";
}

async function run(job: Job<AccountJob>, { command, env, stop }: ProcessJob): Promise<Verdict> {
  const teller = new Teller(job);
  const { plan } = job.data.account;
  const ended = await runCommand({
    command,
    plan,
    env,
    stop,
    graceMs: GRACE_MS,
    onEvent: (event) => teller.tell(event),
  });
  await teller.end();
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
  #writing: Promise<unknown> = Promise.resolve();
  isBudgetSpent = false;

  constructor(job: Job) {
    this.#job = job;
  }

  tell(event: ChildEvent): void {
    if (event.type === "progress" && Date.now() - this.#told > PROGRESS_MS) {
      this.#told = Date.now();
      const { items, bytes, totalItems, totalBytes } = event;
      this.#write(() => this.#job.updateProgress({ items, bytes, totalItems, totalBytes }));
    }
    if ("code" in event && event.code === "BUDGET_SPENT") this.isBudgetSpent = true;
    const line = lineOf(event);
    if (line === undefined || this.#lines >= MOST_LINES) return;
    this.#lines++;
    this.#write(() => this.#job.log(`${new Date().toISOString()} ${line}`));
  }

  async end(): Promise<void> {
    await this.#writing;
  }

  /** One after the other. A job that another worker has meanwhile is told nothing more. */
  #write(write: () => Promise<unknown>): void {
    this.#writing = this.#writing.then(write).catch(() => {});
  }
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
