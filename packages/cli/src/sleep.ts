import { setTimeout } from "node:timers/promises";

/** Waits so long, milliseconds, or until the signal fires. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
