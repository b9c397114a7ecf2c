import { once } from "node:events";
import { throwIfAborted } from "@backup/core";

/** What is waited for, or the abort, whatever comes first. @throws BackupError ABORTED */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const settled = new AbortController();
  const aborted = once(signal, "abort", { signal: settled.signal });
  aborted.catch(() => undefined);
  try {
    throwIfAborted(signal);
    await Promise.race([work, aborted]);
    throwIfAborted(signal);
    return await work;
  } finally {
    settled.abort();
  }
}
