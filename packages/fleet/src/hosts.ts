import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Job, Worker, createRedisBackend } from "bullmq";
import type { AccountJob } from "./account.js";
import { PREFIX, queueName } from "./keys.js";
import { PAUSES, around } from "./pauses.js";
import { WriteLimits } from "./permits.js";
import { processJob } from "./process-job.js";
import type { WorkOptions, WorkTiming } from "./worker.js";

/** A job that was taken, and what runs it. Never rejects. */
export interface Taken {
  run(): Promise<void>;
}

export interface HostsOptions extends WorkOptions {
  readonly timing: WorkTiming;
  /** A private one, for the plans of running jobs. */
  readonly directory: string;
  /** Fired: what runs goes back to the queue. */
  readonly stop: AbortSignal;
}

/** A BullMQ worker for each host, which are asked in turn. */
export class Hosts implements AsyncDisposable {
  readonly #options: HostsOptions;
  readonly #limits: WriteLimits;
  readonly #workers = new Map<string, Worker<AccountJob>>();
  /** Of jobs that run here: they are not another worker's while their locks are extended. */
  readonly #locks = new Map<Worker<AccountJob>, Map<string, string>>();
  readonly #extending: NodeJS.Timeout;
  /** Hosts that gave no job: they are not asked again before this, by performance.now(). */
  readonly #resting = new Map<string, number>();
  #order: string[] = [];
  #looked = 0;

  constructor(options: HostsOptions) {
    this.#options = options;
    this.#limits = new WriteLimits(options.queues.redis);
    this.#extending = setInterval(() => this.#extend(), options.timing.lockMs / 3);
  }

  /** The next job of a host; the one that was asked before comes last. */
  async take(): Promise<Taken | undefined> {
    const { idleMs } = this.#options.timing;
    try {
      await this.#look();
      for (const host of this.#order) {
        if ((this.#resting.get(host) ?? 0) > performance.now()) continue;
        const worker = this.#of(host);
        const token = randomUUID();
        const job = await worker.getNextJob(token, { block: false });
        this.#order = [...this.#order.filter((other) => other !== host), host];
        if (job) return { run: () => this.#run({ host, worker, job, token }) };
        this.#resting.set(host, performance.now() + idleMs);
      }
    } catch (error) {
      this.#trouble(error);
      await new Promise((resolve) => setTimeout(resolve, idleMs));
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#extending);
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()));
  }

  /** Hosts that became known since. */
  async #look(): Promise<void> {
    const { queues, timing } = this.#options;
    if (this.#order.length > 0 && Date.now() - this.#looked < 5 * timing.idleMs) return;
    this.#looked = Date.now();
    const hosts = await queues.hosts();
    const known = new Set(this.#order);
    this.#order.push(...hosts.filter((host) => !known.has(host)));
  }

  #of(host: string): Worker<AccountJob> {
    const there = this.#workers.get(host);
    if (there) return there;
    const { queues, timing, concurrency, pauses = PAUSES, onVerdict = () => {} } = this.#options;
    const onTrouble = (error: unknown): void => this.#trouble(error);
    const options = { ...this.#options, redis: queues.redis, limits: this.#limits, pauses, onVerdict, onTrouble };
    const worker: Worker<AccountJob> = new Worker(
      queueName(host),
      async (job: Job<AccountJob>, token = "") => await processJob(job, token, options),
      {
        connection: queues.redis,
        prefix: PREFIX,
        name: `${hostname()}:${process.pid}`,
        autorun: false,
        lockDuration: timing.lockMs,
        stalledInterval: timing.lockMs / 2,
        // What ends its worker again and again is left alone in the end.
        maxStalledCount: 20,
        settings: { backoffStrategy: (attempts) => around(pauses.failureMs * 2 ** (attempts - 1)) },
        // Its own would need its own loop.
        skipLockRenewal: true,
        concurrency,
      },
      // Without its own connection to wait for a job: a worker of a thousand hosts would have a thousand of them.
      (name, given) => createRedisBackend(name, given),
    );
    worker.on("error", onTrouble);
    worker.startStalledCheckTimer().catch(onTrouble);
    this.#workers.set(host, worker);
    this.#locks.set(worker, new Map());
    return worker;
  }

  async #run({ host, worker, job, token }: Running): Promise<void> {
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
      // Where a host allows so many at once, there is room for one more.
      this.#resting.delete(host);
    }
  }

  #extend(): void {
    for (const [worker, locks] of this.#locks)
      if (locks.size > 0)
        worker
          .extendJobLocks([...locks.keys()], [...locks.values()], this.#options.timing.lockMs)
          .catch((error: unknown) => this.#trouble(error));
  }

  #trouble(error: unknown): void {
    this.#options.onTrouble?.(error instanceof Error ? error : new Error(String(error)));
  }
}

interface Running {
  readonly host: string;
  readonly worker: Worker<AccountJob>;
  readonly job: Job<AccountJob>;
  readonly token: string;
}
