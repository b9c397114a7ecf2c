/** A signal that fires so long after another one did, and never where that did not; to be made before that fires. */
export interface LaterSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** @param ms milliseconds */
export function signalAfter(first: AbortSignal, ms: number): LaterSignal {
  const controller = new AbortController();
  const fire = (): void => controller.abort(new DOMException("there is no more time", "TimeoutError"));
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = setTimeout(fire, ms).unref();
  };
  if (first.aborted) start();
  else first.addEventListener("abort", start, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      first.removeEventListener("abort", start);
    },
  };
}
