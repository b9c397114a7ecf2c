import { type BackupError, isBackupError } from "@backup/core";
import pRetry from "p-retry";
import { givenUp } from "./report-failed.js";

/** Twice more, after one second and after three: who waits for the end of a run waits for its reports too. */
const TRIES = { retries: 2, minTimeout: 1000, factor: 3 } as const;

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** What could not be done, for the message when the signal fires before there is any other reason. */
  readonly what: string;
}

/** Sends a report, again while it fails with what may go away by itself. @throws BackupError REPORT_FAILED */
export async function retryReport(send: () => Promise<void>, { signal, what }: RetryOptions): Promise<void> {
  // Who is told of it says by itself what was not done.
  if (signal.aborted) return await send();
  let last: BackupError | undefined;
  const attempt = async (): Promise<void> => {
    try {
      await send();
    } catch (error) {
      // What the signal itself ended says nothing.
      if (!signal.aborted && isBackupError(error)) last = error;
      throw error;
    }
  };
  try {
    await pRetry(attempt, {
      ...TRIES,
      signal,
      shouldRetry: ({ error }) => !signal.aborted && isBackupError(error) && error.transient,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw last ?? (isBackupError(error, "REPORT_FAILED") ? error : givenUp(what, signal, error));
  }
}
