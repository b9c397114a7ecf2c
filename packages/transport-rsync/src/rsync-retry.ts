import { isBackupError, throwIfAborted } from "@backup/core";
import pRetry from "p-retry";

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Before the first retry, milliseconds; doubled for each, and spread at random. Default 1000. */
  readonly waitMs?: number | undefined;
}

/** Does it up to five times more while it fails with what may go away by itself. */
export async function retryTransient<T>(work: () => Promise<T>, { signal, waitMs = 1000 }: RetryOptions): Promise<T> {
  throwIfAborted(signal);
  try {
    return await pRetry(work, {
      retries: 5,
      factor: 2,
      randomize: true,
      minTimeout: waitMs,
      maxTimeout: 30 * waitMs,
      signal,
      shouldRetry: ({ error }) => !signal.aborted && isBackupError(error) && error.transient,
    });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}
