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
  const exit = (message: string): never => {
    leave();
    // What a run that stops by itself says.
    process.stderr.write(`backup: ${message}\n`);
    process.exit(EXIT.interrupted);
  };
  const stop = (name: NodeJS.Signals): void => {
    const message = `stopped by ${name}; what was copied is kept, and the next run goes on from there`;
    if (controller.signal.aborted) exit(message);
    controller.abort(new BackupError("ABORTED", message, { transient: true }));
    setTimeout(exit, PATIENCE, message).unref();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const dispose = (): void => {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  };
  return { signal: controller.signal, dispose };
}
