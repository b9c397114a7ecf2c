import { BackupError } from "@backup/core";

/** Patience with a run that was told to stop, milliseconds. */
const PATIENCE = 2000;

/** Turns SIGINT and SIGTERM into an abort; the second one, or a run that does not stop, ends the process. */
export function abortOnSignals(): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(130);
    const message = `stopped by ${name}; what was copied is kept, and the next run goes on from there`;
    controller.abort(new BackupError("ABORTED", message, { transient: true }));
    setTimeout(() => process.exit(130), PATIENCE).unref();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const dispose = (): void => {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  };
  return { signal: controller.signal, dispose };
}
