import { BackOff, type BackOffTiming } from "./back-off.js";
import { BackupError, isBackupError } from "./errors.js";

/** What tells the time, for spans alone, and waits. */
export interface FollowClock {
  /** Milliseconds; never goes back. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  /** Waits so long, milliseconds, or until the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** All in milliseconds. */
export interface FollowTiming {
  /** A run begins when nothing has changed for so long. */
  readonly quietMs: number;
  /** It does not wait for that longer than this after the first change. */
  readonly longestWaitMs: number;
  /** So long after a run there is another one, whatever was told. */
  readonly passMs: number;
  /** Who has listened for so long before it failed has not just failed before. */
  readonly steadyMs: number;
  readonly backOff: BackOffTiming;
}

const FOLLOW_TIMING: FollowTiming = {
  quietMs: 2000,
  longestWaitMs: 30_000,
  passMs: 60 * 60_000,
  steadyMs: 60_000,
  backOff: { firstMs: 1000, longestMs: 5 * 60_000 },
};

/** What fails and is tried again. `listening`: to be told of changes. */
export type FollowPart = "listening" | "running";

export interface FollowOptions {
  /** See Source.changes. */
  readonly changes: (signal: AbortSignal) => AsyncIterable<unknown>;
  /** One run; it rejects when it failed. There are never two at a time. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly clock: FollowClock;
  readonly timing?: Partial<FollowTiming> | undefined;
  /** Something failed, and not of the same cause as the last time; it is tried again after the pause, milliseconds. */
  readonly onTrouble: (part: FollowPart, error: BackupError, pauseMs: number) => void;
  /** What had failed goes well again. */
  readonly onRecovery: (part: FollowPart) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs, then listens, and runs again after each change and once in a while anyway, until the signal fires and the run that
 * is under way has ended. Every change is followed by a run that began after it. What fails is tried again for ever, with
 * growing pauses.
 * @throws BackupError what is wrong for good before it ever went well; any error that is none of ours
 */
export async function follow(options: FollowOptions): Promise<void> {
  const ending = new AbortController();
  const end = (): void => ending.abort(options.signal.reason);
  if (options.signal.aborted) end();
  options.signal.addEventListener("abort", end, { once: true });
  const { clock, timing } = options;
  const given: Given = { ...options, timing: { ...FOLLOW_TIMING, ...timing }, signal: ending.signal };
  const changes = new Changes(clock, ending.signal);
  let listening: Promise<void> | undefined;
  // After the first run. It hears at once that something may have changed, so that there is another one.
  const listenFromNowOn = (): void => {
    if (listening) return;
    // Its error ends the runs, and is thrown when they have ended.
    listening = listen(given, changes).finally(end);
    listening.catch(() => {});
  };
  try {
    await runAfter(given, changes, listenFromNowOn);
  } finally {
    end();
    options.signal.removeEventListener("abort", end);
    await listening;
  }
}

interface Given extends FollowOptions {
  readonly timing: FollowTiming;
}

/** Changes that no run has followed yet. */
class Changes {
  readonly #clock: FollowClock;
  #first: number | undefined;
  #last = 0;
  #wake = new AbortController();

  constructor(clock: FollowClock, signal: AbortSignal) {
    this.#clock = clock;
    signal.addEventListener("abort", () => this.#wake.abort(), { once: true });
  }

  note(): void {
    this.#last = this.#clock.now();
    this.#first ??= this.#last;
    this.#wake.abort();
  }

  /** From now on they are those of the run that begins. */
  take(): void {
    this.#first = undefined;
  }

  /** When the run for them is due. */
  due({ quietMs, longestWaitMs }: FollowTiming): number {
    if (this.#first === undefined) return Number.POSITIVE_INFINITY;
    return Math.min(this.#last + quietMs, this.#first + longestWaitMs);
  }

  /** Waits so long, or until the next change, or the end. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#wake = new AbortController();
    await this.#clock.sleep(ms, this.#wake.signal);
  }
}

async function listen(given: Given, changes: Changes): Promise<void> {
  const { clock, timing, signal } = given;
  const attempts = new Attempts("listening", given);
  while (!signal.aborted) {
    let since: number | undefined;
    const error = await errorOf(signal, async (own) => {
      for await (const _change of given.changes(own)) {
        if (since === undefined) attempts.wentWell();
        since ??= clock.now();
        changes.note();
      }
      throw new BackupError("CONNECTION_LOST", "the source tells of no changes any more", { transient: true });
    });
    if (signal.aborted) return;
    if (since !== undefined && clock.now() - since >= timing.steadyMs) attempts.reset();
    await clock.sleep(attempts.failed(error), signal);
  }
}

/** @param onSuccess called after each run that went well */
async function runAfter(given: Given, changes: Changes, onSuccess: () => void): Promise<void> {
  const { clock, timing, signal } = given;
  const attempts = new Attempts("running", given);
  /** When there is one whatever changes. */
  let pass = clock.now();
  let retry: number | undefined;
  while (!signal.aborted) {
    const due = retry ?? Math.min(pass, changes.due(timing));
    const left = due - clock.now();
    if (left > 0) {
      await changes.wait(Math.min(left, timing.passMs), signal);
      continue;
    }
    changes.take();
    pass = clock.now() + timing.passMs;
    const error = await errorOf(signal, async (own) => await given.run(own));
    if (signal.aborted) return;
    retry = error === undefined ? undefined : clock.now() + attempts.failed(error);
    if (error !== undefined) continue;
    attempts.wentWell();
    attempts.reset();
    onSuccess();
  }
}

/** What is tried for ever once it went well. */
class Attempts {
  readonly #part: FollowPart;
  readonly #given: Given;
  readonly #backOff: BackOff;
  #everWell = false;
  #isTold = false;

  constructor(part: FollowPart, given: Given) {
    this.#part = part;
    this.#given = given;
    this.#backOff = new BackOff(given.timing.backOff, () => given.clock.random());
  }

  /** The pause before it is tried again, milliseconds. @throws the error, if trying again makes no sense */
  failed(error: unknown): number {
    if (!isBackupError(error) || !(this.#everWell || error.transient)) throw error;
    const { pauseMs, isNew } = this.#backOff.failed(error);
    if (isNew) this.#given.onTrouble(this.#part, error, pauseMs);
    this.#isTold ||= isNew;
    return pauseMs;
  }

  wentWell(): void {
    this.#everWell = true;
    if (this.#isTold) this.#given.onRecovery(this.#part);
    this.#isTold = false;
  }

  /** The next failure is the first one. */
  reset(): void {
    this.#backOff.reset();
  }
}

/** The task gets a signal of its own: what listens to that goes with the task, and not with the end of all. */
async function errorOf(signal: AbortSignal, task: (own: AbortSignal) => Promise<void>): Promise<unknown> {
  const own = new AbortController();
  const end = (): void => own.abort(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  try {
    await task(own.signal);
    return undefined;
  } catch (error) {
    return error ?? new Error("failed without an error");
  } finally {
    signal.removeEventListener("abort", end);
  }
}
