import { BackupError } from "@backup/core";
import { EXIT } from "./exit-code.js";

/** Patience with what was told to stop, milliseconds. */
const PATIENCE = 2000;
/** What comes again so soon is no second wish, milliseconds: timeout(1) signals its child, and then its child's group. */
const ECHO_MS = 300;

export interface Interruption {
  readonly signal: AbortSignal;
  /** Another patience than the default. */
  readonly allowToEnd: (ms: number) => void;
  readonly dispose: () => void;
}

/**
 * Turns SIGINT, SIGTERM, and SIGHUP where nobody else listens to it, into an abort; the second one, or a run that does not
 * stop, ends the process. `leave` is called before that: a progress bar hides the cursor.
 */
export function abortOnSignals(leave: () => void): Interruption {
  const controller = new AbortController();
  let patience = PATIENCE;
  let stoppedAt = 0;
  const exit = (message: string): never => {
    leave();
    // What a run that stops by itself says.
    process.stderr.write(`backup: ${message}\n`);
    process.exit(EXIT.interrupted);
  };
  const stop = (name: NodeJS.Signals): void => {
    const message = `stopped by ${name}; what was copied is kept, and the next run goes on from there`;
    if (controller.signal.aborted) {
      if (performance.now() - stoppedAt > ECHO_MS) exit(message);
      return;
    }
    stoppedAt = performance.now();
    controller.abort(new BackupError("ABORTED", message, { transient: true }));
    setTimeout(exit, patience, message).unref();
  };
  // The terminal was closed; a watch takes it for the wish to read its plan again.
  const hangUp = (name: NodeJS.Signals): void => {
    if (process.listenerCount("SIGHUP") === 1) stop(name);
  };
  process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", hangUp);
  const dispose = (): void => {
    process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", hangUp);
  };
  const allowToEnd = (ms: number): void => {
    patience = ms;
  };
  return { signal: controller.signal, allowToEnd, dispose };
}
