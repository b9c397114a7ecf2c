import { resolve } from "node:path";
import { throwIfAborted } from "@backup/core";
import { parseRemote } from "@backup/transport-rsync/remote";
import type { Action } from "./action.js";

export interface TurnLimits {
  /** Actions at once. */
  readonly concurrency: number;
  /** Actions at once that read from one host. */
  readonly perHost: number;
}

interface Waiting {
  readonly action: Action;
  readonly go: () => void;
}

/** Whose turn it is: so many actions at once, so many on one host, one on one destination; who came first goes first. */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #running = new Set<Action>();
  readonly #waiting = new Set<Waiting>();

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Waits for its turn, which lasts until what is returned is disposed of. @throws BackupError ABORTED */
  async take(action: Action, signal: AbortSignal): Promise<Disposable> {
    throwIfAborted(signal);
    let waiting: Waiting | undefined;
    const stop = new AbortController();
    await new Promise<void>((go) => {
      waiting = { action, go };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", () => go(), { once: true, signal: stop.signal });
      this.#admit();
    });
    stop.abort();
    if (waiting && this.#waiting.delete(waiting)) throwIfAborted(signal);
    return {
      [Symbol.dispose]: () => {
        this.#running.delete(action);
        this.#admit();
      },
    };
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.action)) continue;
      this.#waiting.delete(waiting);
      this.#running.add(waiting.action);
      waiting.go();
    }
  }

  #fits({ host, destination }: Action): boolean {
    const running = [...this.#running];
    if (running.length >= this.#limits.concurrency) return false;
    if (running.filter((other) => other.host === host).length >= this.#limits.perHost) return false;
    return !running.some((other) => placeOf(other.destination) === placeOf(destination));
  }
}

/** Equal for two ways to write the same destination, as far as its text tells. */
export function placeOf(destination: string): string {
  const remote = parseRemote(destination);
  if (!remote) return resolve(destination);
  const { user, host, directory } = remote;
  return `${user ?? ""}@${host.toLowerCase()}:${directory.replace(/\/+$/, "")}`;
}
