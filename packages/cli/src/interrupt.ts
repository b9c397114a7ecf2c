import { BackupError } from "@backup/core";
import { EXIT } from "./exit-code.js";

/** Patience with a run that was told to stop, milliseconds. */
const PATIENCE = 2000;

/**
 * Turns SIGINT and SIGTERM into an abort; the second one, or a run that does not stop, ends the process. `leave` is
 * called before that: a progress bar hides the cursor.
 */
export function abortOnSignals(leave: () => void): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const exit = (): never => {
    leave();
    process.exit(EXIT.interrupted);
  };
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) exit();
    const message = `stopped by ${name}; what was copied is kept, and the next run goes on from there`;
    controller.abort(new BackupError("ABORTED", message, { transient: true }));
    setTimeout(exit, PATIENCE).unref();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const dispose = (): void => {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  };
  return { signal: controller.signal, dispose };
}
