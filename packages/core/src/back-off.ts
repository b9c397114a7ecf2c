import { isBackupError } from "./errors.js";

/** Pauses between attempts, milliseconds. */
export interface BackOffTiming {
  /** The first one; each further one is twice as long. */
  readonly firstMs: number;
  /** The longest one, and what an error that does not go away by itself gets at once. */
  readonly longestMs: number;
}

/** Attempts of one thing that fail, one after the other. */
export class BackOff {
  readonly #timing: BackOffTiming;
  readonly #random: () => number;
  #failures = 0;
  #cause: string | undefined;

  /** @param random from 0 to 1: half of a pause is left to it, so that not all come back at the same moment */
  constructor(timing: BackOffTiming, random: () => number) {
    this.#timing = timing;
    this.#random = random;
  }

  /** Notes a failure: how long to wait now, and whether the one before it had another cause. */
  failed(error: unknown): { readonly pauseMs: number; readonly isNew: boolean } {
    const { firstMs, longestMs } = this.#timing;
    const grown = Math.min(longestMs, firstMs * 2 ** this.#failures++);
    const pauseMs = (isBackupError(error) && !error.transient ? longestMs : grown) * (0.5 + this.#random() / 2);
    const cause = isBackupError(error) ? error.code : String(error);
    const isNew = cause !== this.#cause;
    this.#cause = cause;
    return { pauseMs, isNew };
  }

  /** Begins anew. */
  reset(): void {
    this.#failures = 0;
    this.#cause = undefined;
  }
}
