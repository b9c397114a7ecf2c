import type { Socket } from "node:net";

export interface RelayOptions {
  readonly from: Socket;
  readonly to: Socket;
  /** Milliseconds that the bytes which arrive now stay on the way. */
  readonly delay: () => number;
  /** What of these bytes goes on. */
  readonly accept: (data: Buffer) => Buffer;
}

export interface Relay {
  /** Takes no more bytes from now on. */
  stop(): void;
  /** Takes no more bytes; when the accepted ones are delivered, calls `then` in place of forwarding the end. */
  finish(then: () => void): void;
}

/**
 * One direction of a connection. Bytes are delayed and keep their order; the delay does not limit throughput,
 * since reading goes on meanwhile. A receiver that does not read stops the sender, as TCP does.
 */
export function relay({ from, to, delay, accept }: RelayOptions): Relay {
  const queue: { readonly due: number; readonly deliver: () => void }[] = [];
  let timer: NodeJS.Timeout | undefined;
  let open = true;

  const drain = (): void => {
    timer = undefined;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const waitMs = next.due - performance.now();
      if (waitMs > 0) {
        // A timer may fire a little early: then the head of the queue is looked at again.
        timer = setTimeout(drain, Math.ceil(waitMs));
        return;
      }
      queue.shift();
      next.deliver();
    }
  };
  const later = (deliver: () => void): void => {
    queue.push({ due: performance.now() + delay(), deliver });
    if (timer === undefined) drain();
  };

  from.on("data", (data: Buffer) => {
    if (!open) return;
    const kept = accept(data);
    if (kept.length === 0) return;
    later(() => {
      if (to.destroyed || to.write(kept) || from.isPaused()) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
  });
  from.on("end", () => {
    if (open) later(() => to.end());
  });

  return {
    stop: () => {
      open = false;
    },
    finish: (then) => {
      open = false;
      // In the next microtask: the bytes that are being accepted right now go first.
      queueMicrotask(() => later(then));
    },
  };
}
