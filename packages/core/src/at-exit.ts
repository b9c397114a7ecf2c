/**
 * Calls back when this process ends while that is not disposed of: in a hurry, by a second signal or by an error that nobody
 * expected. What was begun last is called first. It must not wait for anything.
 */
export function atExit(work: () => void): Disposable {
  // As many listen as there are programs that run: that is no leak.
  process.setMaxListeners(process.getMaxListeners() + 1);
  process.prependListener("exit", work);
  return {
    [Symbol.dispose]() {
      process.off("exit", work);
      process.setMaxListeners(process.getMaxListeners() - 1);
    },
  };
}
