const FIRST_BYTES = 4 * 1024 * 1024;
const LEAST_BYTES = 512 * 1024;
/** Seconds that a batch should take. */
const SECONDS = 10;
/** How much larger the next batch may be. */
const GROWTH = 4;

/** How large batches are, so that each takes some seconds: small ones on a thin line, as large as allowed on a fast one. */
export class Pace {
  readonly #mostBytes: number;
  readonly #now: () => number;
  #batchBytes: number;

  /** @param now the clock, milliseconds */
  constructor(mostBytes: number, now: () => number = () => performance.now()) {
    this.#mostBytes = mostBytes;
    this.#now = now;
    this.#batchBytes = Math.min(FIRST_BYTES, mostBytes);
  }

  /** Bytes of the next batch. */
  get batchBytes(): number {
    return this.#batchBytes;
  }

  /** Learns from how long the sending of so many bytes takes. */
  async measure<T>(bytes: number, sending: Promise<T>): Promise<T> {
    const started = this.#now();
    const result = await sending;
    const seconds = Math.max((this.#now() - started) / 1000, 0.001);
    // A small batch says little: most of its time is not the line's.
    const fits = bytes < this.#batchBytes / 2 ? this.#batchBytes : (bytes / seconds) * SECONDS;
    const least = Math.min(LEAST_BYTES, this.#mostBytes);
    this.#batchBytes = Math.max(least, Math.min(fits, this.#batchBytes * GROWTH, this.#mostBytes));
    return result;
  }
}
