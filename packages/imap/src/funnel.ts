/** What waits to be taken, and whoever waits for that. */
interface Waiting<T> {
  readonly value: T;
  readonly weight: number;
  readonly taken: (() => void) | undefined;
}

/**
 * Values of several producers for one consumer, in the order in which they come. A producer waits while what stands ready
 * weighs more than `room`.
 */
export class Funnel<T> {
  readonly #room: number;
  readonly #ready: Waiting<T>[] = [];
  #weight = 0;
  #full: (() => void)[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(room: number) {
    this.#room = room;
  }

  /** Resolves when there is room for more; at once, mostly. */
  async push(value: T, weight: number): Promise<void> {
    this.#add({ value, weight, taken: undefined });
    while (this.#weight > this.#room) await new Promise<void>((resolve) => this.#full.push(resolve));
  }

  /** Resolves when the consumer is done with it: it asked for the next one. */
  async hand(value: T): Promise<void> {
    await new Promise<void>((taken) => this.#add({ value, weight: 0, taken }));
  }

  /** No more will come. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The consumer gets this error when it has taken what stands ready. The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.end();
  }

  async *drain(): AsyncGenerator<T> {
    let current: Waiting<T> | undefined;
    try {
      for (;;) {
        current?.taken?.();
        current = this.#ready.shift();
        if (current) {
          this.#weight -= current.weight;
          if (this.#weight <= this.#room) this.#release();
          yield current.value;
        } else if (this.#ended) break;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
      if (this.#failure) throw this.#failure.error;
    } finally {
      // Nobody takes any more: no producer waits for that.
      this.#weight = Number.NEGATIVE_INFINITY;
      this.#release();
      current?.taken?.();
      for (const { taken } of this.#ready.splice(0)) taken?.();
    }
  }

  #add(entry: Waiting<T>): void {
    this.#ready.push(entry);
    this.#weight += entry.weight;
    this.#wake?.();
  }

  #release(): void {
    for (const resume of this.#full.splice(0)) resume();
  }
}
