import { throwIfAborted } from "@backup/core";
import type { RunRsync } from "./rsync-process.js";

/** One run after the other: rrsync(1) takes no second one. */
export function oneAtATime(run: RunRsync): RunRsync {
  let last: Promise<unknown> = Promise.resolve();
  return (options) => {
    const mine = last.then(() => {
      throwIfAborted(options.signal);
      return run(options);
    });
    last = mine.catch(() => {});
    return mine;
  };
}
