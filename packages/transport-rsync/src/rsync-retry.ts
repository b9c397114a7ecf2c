import { isBackupError, throwIfAborted } from "@backup/core";
import pRetry from "p-retry";

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Before the first retry, milliseconds; doubled for each, and spread at random. Default 1000. */
  readonly waitMs?: number | undefined;
  /** Default 5. */
  readonly retries?: number | undefined;
}

/** Does it again, so many times, while it fails with what may go away by itself. */
export async function retryTransient<T>(
  work: () => Promise<T>,
  { signal, waitMs = 1000, retries = 5 }: RetryOptions,
): Promise<T> {
  throwIfAborted(signal);
  try {
    return await pRetry(work, {
      retries,
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
