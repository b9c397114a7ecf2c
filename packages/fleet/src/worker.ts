import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Job, Worker } from "bullmq";
import type { AccountJob } from "./account.js";
import { PREFIX, queueName } from "./keys.js";
import { PAUSES, type Pauses, around } from "./pauses.js";
import { processJob } from "./process-job.js";
import type { Queues } from "./queues.js";
import type { Command } from "./run-command.js";
import type { Verdict } from "./verdict.js";

export interface WorkOptions {
  readonly queues: Queues;
  /** Jobs at once in this worker. */
  readonly concurrency: number;
  /** The command that each job runs. */
  readonly command: Command;
  /** Of the commands. */
  readonly env: NodeJS.ProcessEnv;
  /** Fired: no further job is taken; those that run may go on for `graceMs`, then they go back to the queue. */
  readonly signal: AbortSignal;
  readonly graceMs: number;
  readonly pauses?: Pauses | undefined;
  /** Ends when nothing waits, and nothing runs. Default: never. */
  readonly untilEmpty?: boolean | undefined;
  readonly onVerdict?: ((verdict: Verdict["is"], seconds: number) => void) | undefined;
  /** Told of what goes wrong with the queue itself; it is tried again. */
  readonly onTrouble?: ((error: Error) => void) | undefined;
  readonly timing?: WorkTiming | undefined;
}

/** Milliseconds. */
export interface WorkTiming {
  /** Between two looks at queues that were empty. */
  readonly idleMs: number;
  /** A job whose worker has died is another one's after this. */
  readonly lockMs: number;
}

const TIMING: WorkTiming = { idleMs: 1000, lockMs: 60_000 };

/**
 * Takes jobs of all hosts in turn and runs them, so many at once, until the signal fires. A job that runs when its worker
 * dies is run again by another one: nothing but the lease at the destination keeps two apart.
 */
export async function work(options: WorkOptions): Promise<void> {
  const { concurrency, signal, queues, graceMs, untilEmpty = false, timing = TIMING } = options;
  const stop = new AbortController();
  const told = fired(signal);
  await using hosts = new Hosts(options, timing, stop.signal);
  const running = new Set<Promise<void>>();
  while (!signal.aborted) {
    while (running.size >= concurrency && !signal.aborted) await Promise.race([...running, told]);
    if (signal.aborted) break;
    const taken = await hosts.take();
    if (taken) {
      const task: Promise<void> = taken.run().finally(() => running.delete(task));
      running.add(task);
    } else if (untilEmpty && running.size === 0 && (await isEmpty(queues))) return;
    else await pause(timing.idleMs, [told, ...running]);
  }
  const late = setTimeout(() => stop.abort(), graceMs);
  await Promise.all(running);
  clearTimeout(late);
}

/** A job that was taken, and what runs it. Never rejects. */
interface Taken {
  run(): Promise<void>;
}

/** A BullMQ worker for each host, which are asked in turn. */
class Hosts implements AsyncDisposable {
  readonly #options: WorkOptions;
  readonly #timing: WorkTiming;
  /** Fired: what runs goes back to the queue. */
  readonly #stop: AbortSignal;
  readonly #workers = new Map<string, Worker<AccountJob>>();
  /** Of jobs that run here: they are not another worker's while their locks are extended. */
  readonly #locks = new Map<Worker<AccountJob>, Map<string, string>>();
  readonly #extending: NodeJS.Timeout;
  #order: string[] = [];
  #looked = 0;

  constructor(options: WorkOptions, timing: WorkTiming, stop: AbortSignal) {
    this.#options = options;
    this.#timing = timing;
    this.#stop = stop;
    this.#extending = setInterval(() => this.#extend(), timing.lockMs / 3);
  }

  /** The next job of a host; the one that gave none before comes last. */
  async take(): Promise<Taken | undefined> {
    try {
      await this.#look();
      for (const host of this.#order) {
        const worker = this.#of(host);
        const token = randomUUID();
        const job = await worker.getNextJob(token, { block: false });
        this.#order = [...this.#order.filter((other) => other !== host), host];
        if (job) return { run: () => this.#run(worker, job, token) };
      }
    } catch (error) {
      this.#trouble(error);
      await pause(this.#timing.idleMs, []);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#extending);
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()));
  }

  /** Hosts that became known since. */
  async #look(): Promise<void> {
    if (this.#order.length > 0 && Date.now() - this.#looked < 5 * this.#timing.idleMs) return;
    this.#looked = Date.now();
    const hosts = await this.#options.queues.hosts();
    const known = new Set(this.#order);
    this.#order.push(...hosts.filter((host) => !known.has(host)));
  }

  #of(host: string): Worker<AccountJob> {
    const there = this.#workers.get(host);
    if (there) return there;
    const { queues, command, env, pauses = PAUSES, onVerdict = () => {} } = this.#options;
    const { lockMs } = this.#timing;
    const worker: Worker<AccountJob> = new Worker(
      queueName(host),
      async (job: Job<AccountJob>, token = "") => {
        const { redis } = queues;
        return await processJob(job, token, { redis, command, env, pauses, stop: this.#stop, onVerdict });
      },
      {
        connection: queues.redis,
        prefix: PREFIX,
        name: `${hostname()}:${process.pid}`,
        autorun: false,
        lockDuration: lockMs,
        stalledInterval: lockMs / 2,
        // What ends its worker again and again is left alone in the end.
        maxStalledCount: 20,
        settings: { backoffStrategy: (attempts) => around(pauses.failureMs * 2 ** (attempts - 1)) },
        // Its own would need its own loop.
        skipLockRenewal: true,
        concurrency: this.#options.concurrency,
      },
    );
    worker.on("error", (error) => this.#trouble(error));
    worker.startStalledCheckTimer().catch((error: unknown) => this.#trouble(error));
    this.#workers.set(host, worker);
    this.#locks.set(worker, new Map());
    return worker;
  }

  async #run(worker: Worker<AccountJob>, job: Job<AccountJob>, token: string): Promise<void> {
    const locks = this.#locks.get(worker);
    const id = job.id ?? "";
    locks?.set(id, token);
    try {
      await worker.processJob(job, token, () => false);
    } catch (error) {
      // Its lock was lost: another worker has the job, or will have it.
      this.#trouble(error);
    } finally {
      locks?.delete(id);
    }
  }

  #extend(): void {
    for (const [worker, locks] of this.#locks)
      if (locks.size > 0)
        worker
          .extendJobLocks([...locks.keys()], [...locks.values()], this.#timing.lockMs)
          .catch((error: unknown) => this.#trouble(error));
  }

  #trouble(error: unknown): void {
    this.#options.onTrouble?.(error instanceof Error ? error : new Error(String(error)));
  }
}

async function isEmpty(queues: Queues): Promise<boolean> {
  for (const { queue } of await queues.all()) {
    const counts = await queue.getJobCounts("wait", "active", "delayed", "prioritized");
    if (Object.values(counts).some((count) => count > 0)) return false;
  }
  return true;
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Ends after this time, or with the first of these. */
async function pause(ms: number, sooner: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([over, ...sooner]);
  clearTimeout(timer);
}
