/** Lets so many pieces of work go on at a time. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/**
 * Works on something and on all that this adds, so many at a time, the latest first. After a failure no other is begun; it
 * rejects when those that were begun have settled.
 */
export function workThrough<T>(
  first: T,
  lanes: number,
  work: (item: T, add: (more: T) => void) => Promise<void>,
): Promise<void> {
  const waiting = [first];
  let failure: { readonly error: unknown } | undefined;
  let busy = 0;
  return new Promise((resolve, reject) => {
    const begin = async (item: T): Promise<void> => {
      busy++;
      try {
        await work(item, (more) => {
          waiting.push(more);
          next();
        });
      } catch (error) {
        failure ??= { error };
      }
      busy--;
      next();
    };
    const next = (): void => {
      while (!failure && busy < lanes) {
        const item = waiting.pop();
        if (item === undefined) break;
        void begin(item);
      }
      if (busy > 0) return;
      if (failure) reject(failure.error instanceof Error ? failure.error : new Error(String(failure.error)));
      else resolve();
    };
    next();
  });
}

/** Works on items, so many at a time. After a failure no other is begun; it rejects when those that were begun have settled. */
export async function workOnEach<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = items.values();
  let isFailed = false;
  const lane = async (): Promise<void> => {
    for (const item of left) {
      if (isFailed) return;
      await work(item).catch((error: unknown) => {
        isFailed = true;
        throw error;
      });
    }
  };
  const lines = Array.from({ length: Math.min(lanes, items.length) }, lane);
  for (const result of await Promise.allSettled(lines)) if (result.status === "rejected") throw result.reason;
}
