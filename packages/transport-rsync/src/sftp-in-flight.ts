import { throwIfAborted } from "@backup/core";

export interface InFlightOptions {
  /** At most so many at a time. */
  readonly limit: number;
  readonly signal?: AbortSignal;
}

/**
 * Does `work` for each item, many at a time, begun in their order. After a failure or an abort no other is begun; it
 * rejects when those that were begun have settled.
 */
export async function inFlight<T>(
  items: Iterable<T>,
  { limit, signal }: InFlightOptions,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  const remaining = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = remaining.next(); !failure && !next.done; next = remaining.next())
      try {
        if (signal) throwIfAborted(signal);
        await work(next.value);
      } catch (error) {
        failure ??= { error };
        return;
      }
  };
  const workers: Promise<void>[] = [];
  for (let n = 0; n < limit; n++) workers.push(worker());
  await Promise.all(workers);
  if (failure) throw failure.error;
}

/** Waits for all, also when one fails, so that nothing goes on behind the error. */
export async function settleAll(tasks: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(tasks)) if (result.status === "rejected") throw result.reason;
}

/** Bounds the bytes that are sent and not yet answered. */
export class ByteWindow {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Undefined when there is room; else to be awaited, and asked again. */
  room(bytes: number): Promise<void> | undefined {
    if (this.#used === 0 || this.#used + bytes <= this.#limit) {
      this.#used += bytes;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async take(bytes: number): Promise<void> {
    for (let wait = this.room(bytes); wait; wait = this.room(bytes)) await wait;
  }

  release(bytes: number): void {
    this.#used -= bytes;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
