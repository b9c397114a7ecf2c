import { systemCode } from "@backup/core";
import { HEALTH_BEAT_MS, type Health, removeHealth, writeHealth } from "./health.js";

/** What a watch says of itself in its file, again and again, until it is disposed of. */
export interface HealthBeat extends AsyncDisposable {
  /** Says this from now on, at once. */
  set(news: Partial<Pick<Health, "next" | "last">>): Promise<void>;
}

/** `onProblem` hears when the file can no longer be written: a watch goes on without it. */
export async function startHealthBeat(file: string, onProblem: (message: string) => void): Promise<HealthBeat> {
  let said: Pick<Health, "next" | "last"> = { next: null, last: null };
  let isBroken = false;
  // One after the other: what was said last is what stays.
  let writing = Promise.resolve();
  const write = async (): Promise<void> => {
    try {
      await writeHealth(file, { at: new Date().toISOString(), pid: process.pid, ...said });
      isBroken = false;
    } catch (error) {
      if (!isBroken) onProblem(`the health file ${file} cannot be written (${systemCode(error) ?? String(error)})`);
      isBroken = true;
    }
  };
  const beat = (): Promise<void> => {
    writing = writing.then(write);
    return writing;
  };
  const timer = setInterval(() => void beat(), HEALTH_BEAT_MS);
  await beat();
  return {
    set(news) {
      said = { ...said, ...news };
      return beat();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await writing;
      if (!isBroken) await removeHealth(file);
    },
  };
}
