import { setImmediate } from "node:timers/promises";
import type { FollowClock } from "../../src/follow.js";

/** A time that passes at once, as soon as nothing is left to do at a moment of it. */
export interface VirtualClock extends FollowClock {
  /** Does something at this time, milliseconds from the start. */
  at(ms: number, task: () => void): void;
  /** Resolves when so much time has passed, milliseconds. */
  wait(ms: number): Promise<void>;
  /** Lets time pass until then, milliseconds from the start. */
  passTo(ms: number): Promise<void>;
}

export function virtualClock(random: () => number = () => 1): VirtualClock {
  let passed = 0;
  const timers: { readonly at: number; readonly go: () => void }[] = [];
  const at = (ms: number, go: () => void): void => void timers.push({ at: ms, go });
  return {
    now: () => passed,
    random,
    at,
    wait: (ms) => new Promise((go) => at(passed + ms, go)),
    sleep: (ms, signal) =>
      new Promise((go) => {
        const wake = (): void => {
          signal.removeEventListener("abort", wake);
          go();
        };
        signal.addEventListener("abort", wake);
        if (signal.aborted) wake();
        else at(passed + ms, wake);
      }),
    async passTo(until) {
      for (;;) {
        // Whatever the last timer began comes to where it waits.
        await setImmediate();
        const next = timers.toSorted((a, b) => a.at - b.at)[0];
        if (!next || next.at > until) break;
        timers.splice(timers.indexOf(next), 1);
        passed = Math.max(passed, next.at);
        next.go();
      }
      passed = until;
    },
  };
}
