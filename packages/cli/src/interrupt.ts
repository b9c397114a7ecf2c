import { BackupError } from "@backup/core";
import { EXIT } from "./exit-code.js";

/** Patience with what was told to stop, milliseconds. */
const PATIENCE = 2000;

export interface Interruption {
  readonly signal: AbortSignal;
  /** Another patience than the default. */
  readonly allowToEnd: (ms: number) => void;
  readonly dispose: () => void;
}

/**
 * Turns SIGINT and SIGTERM into an abort; the second one, or a run that does not stop, ends the process. `leave` is
 * called before that: a progress bar hides the cursor.
 */
export function abortOnSignals(leave: () => void): Interruption {
  const controller = new AbortController();
  let patience = PATIENCE;
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
    setTimeout(exit, patience, message).unref();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const dispose = (): void => {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  };
  const allowToEnd = (ms: number): void => {
    patience = ms;
  };
  return { signal: controller.signal, allowToEnd, dispose };
}
