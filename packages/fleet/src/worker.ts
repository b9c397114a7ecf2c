import { rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { makeOwnedDirectory } from "@backup/core";
import { Hosts } from "./hosts.js";
import type { Pauses } from "./pauses.js";
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

const HOUR_MS = 60 * 60 * 1000;
const TIMING: WorkTiming = { idleMs: 1000, lockMs: 60_000 };

/**
 * Takes jobs of all hosts in turn and runs them, so many at once, until the signal fires. A job that runs when its worker
 * dies is run again by another one: nothing but the lease at the destination keeps two apart.
 */
export async function work(options: WorkOptions): Promise<void> {
  const directory = await makeOwnedDirectory({ parent: tmpdir(), prefix: "backup-jobs-" });
  // What cleans up temporary files takes those that nobody has touched for days.
  const fresh = setInterval(() => {
    const now = new Date();
    utimes(directory, now, now).catch((error: Error) => options.onTrouble?.(error));
  }, HOUR_MS);
  try {
    await takeAndRun(options, directory);
  } finally {
    clearInterval(fresh);
    await rm(directory, { recursive: true, force: true });
  }
}

async function takeAndRun(options: WorkOptions, directory: string): Promise<void> {
  const { concurrency, signal, queues, graceMs, untilEmpty = false, timing = TIMING } = options;
  const stop = new AbortController();
  const told = fired(signal);
  await using hosts = new Hosts({ ...options, timing, directory, stop: stop.signal });
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
