import { posix, resolve } from "node:path";
import { throwIfAborted } from "@backup/core";
import { parseRemote } from "@backup/transport-rsync/remote";
import type { Action } from "./action.js";

export interface TurnLimits {
  /** Actions at once. */
  readonly concurrency: number;
  /** Actions at once that read from one host. */
  readonly perHost: number;
}

/** What an action must not share with too many others. */
interface Claim {
  readonly host: string;
  /** Its destination, in the one form of it. */
  readonly place: string;
}

interface Waiting {
  readonly claim: Claim;
  readonly go: () => void;
}

/**
 * Whose turn it is: so many actions at once, so many on one host, one on one destination. Who came first goes first; one
 * that has to wait for a host or a destination lets others pass, but none that would take just that away from it.
 */
export class Turns {
  #limits: TurnLimits;
  readonly #running = new Set<Claim>();
  readonly #waiting = new Set<Waiting>();

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** From now on; those that run go on. */
  setLimits(limits: TurnLimits): void {
    this.#limits = limits;
    this.#admit();
  }

  /** Waits for its turn, which lasts until what is returned is disposed of. @throws BackupError ABORTED */
  async take({ host, destination }: Pick<Action, "host" | "destination">, signal: AbortSignal): Promise<Disposable> {
    throwIfAborted(signal);
    const claim: Claim = { host, place: placeOf(destination) };
    await this.#turn(claim, signal);
    if (!this.#running.has(claim)) throwIfAborted(signal);
    return {
      [Symbol.dispose]: () => {
        if (this.#running.delete(claim)) this.#admit();
      },
    };
  }

  /** Ends when the claim is among the running, or the signal fired. */
  #turn(claim: Claim, signal: AbortSignal): Promise<void> {
    return new Promise((end) => {
      const waiting: Waiting = {
        claim,
        go: () => {
          signal.removeEventListener("abort", leave);
          end();
        },
      };
      const leave = (): void => {
        this.#waiting.delete(waiting);
        // Others may have waited because of it.
        this.#admit();
        end();
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(waiting);
      this.#admit();
    });
  }

  #admit(): void {
    const passed: Claim[] = [];
    for (const waiting of this.#waiting) {
      if (this.#running.size >= this.#limits.concurrency) return;
      if (this.#fits(waiting.claim, passed)) {
        this.#waiting.delete(waiting);
        this.#running.add(waiting.claim);
        waiting.go();
      } else passed.push(waiting.claim);
    }
  }

  #fits({ host, place }: Claim, passed: readonly Claim[]): boolean {
    const taken = [...this.#running, ...passed];
    const there = taken.filter((other) => other.host === host).length;
    return there < this.#limits.perHost && !taken.some((other) => other.place === place);
  }
}

/** Equal for two ways to write the same destination, as far as its text tells. */
export function placeOf(destination: string): string {
  const remote = parseRemote(destination);
  if (!remote) return resolve(destination);
  const { user, host, directory } = remote;
  return `${user ?? ""}@${host.toLowerCase()}:${posix.normalize(directory).replace(/\/$/, "")}`;
}
