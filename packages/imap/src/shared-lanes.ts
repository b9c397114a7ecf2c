import { throwIfAborted } from "@backup/core";
import type { ImapFlow } from "imapflow";
import { ALONE, type Connections, type Lane } from "./connections.js";
import type { ImapSession } from "./session.js";

/** Tasks that have a connection at the same time. */
export const TOGETHER = 4;

/** A connection that is logged on, for a task that shares it. */
export interface SharedLane {
  readonly session: ImapSession;
  readonly client: ImapFlow;
}

interface Shared extends SharedLane {
  readonly lane: Lane;
  users: number;
  /** No task takes it any more. */
  isClosed: boolean;
}

/**
 * Tasks that share connections: each sends what it wants at once, behind what others have sent, and no later. So the
 * server has always something to do, and a task does not wait for a round trip of its own.
 */
export class SharedLanes {
  readonly #connections: Connections;
  readonly #shared = new Set<Shared>();
  readonly #waiting: ((shared: Shared | undefined) => void)[] = [];
  #opening = 0;
  #tasks = 0;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /**
   * Does a task.
   * @returns undefined where that failed, for whatever reason: it is to be done alone
   * @throws BackupError ABORTED
   */
  async use<T>(task: (lane: SharedLane) => Promise<T | undefined>, signal: AbortSignal): Promise<T | undefined> {
    throwIfAborted(signal);
    this.#tasks++;
    const shared = await this.#join(signal);
    if (!shared) return undefined;
    let result: T | undefined;
    try {
      result = await task(shared);
    } catch {
      // Whoever does it alone is told.
    }
    shared.isClosed ||= result === undefined;
    this.#leave(shared);
    throwIfAborted(signal);
    return result;
  }

  /** Undefined: there is no connection to be had so. */
  #join(signal: AbortSignal): Promise<Shared | undefined> {
    const [free] = [...this.#shared].filter(hasRoom).toSorted((a, b) => a.users - b.users);
    if (free) {
      free.users++;
      return Promise.resolve(free);
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      void this.#open(signal);
    });
  }

  #leave(shared: Shared): void {
    shared.users--;
    this.#fill(shared);
    if (shared.users > 0) return;
    this.#shared.delete(shared);
    this.#connections.release(shared.lane);
    // Without one, those that wait would do so for ever.
    if (this.#shared.size === 0 && this.#opening === 0) this.#giveUp();
  }

  /** Lets those that wait have it. */
  #fill(shared: Shared): void {
    while (hasRoom(shared)) {
      const next = this.#waiting.shift();
      if (!next) return;
      shared.users++;
      next(shared);
    }
  }

  #giveUp(): void {
    for (const next of this.#waiting.splice(0)) next(undefined);
  }

  /** One more connection, if there is work for it. */
  async #open(signal: AbortSignal): Promise<void> {
    const isFirst = this.#shared.size === 0 && this.#opening === 0;
    if (!isFirst && this.#tasks <= ALONE) return;
    this.#opening++;
    let lane: Lane | undefined;
    try {
      lane = await (isFirst ? this.#connections.first(signal) : this.#connections.spare(signal));
      if (lane) {
        const client = await lane.session.client(signal);
        const shared = { lane, session: lane.session, client, users: 0, isClosed: false };
        this.#shared.add(shared);
        this.#fill(shared);
        // Others did all meanwhile.
        if (shared.users === 0) {
          this.#shared.delete(shared);
          this.#connections.release(lane);
        }
      }
    } catch {
      // Whoever needs it next is told.
      if (lane) this.#connections.release(lane);
    } finally {
      this.#opening--;
      if (this.#shared.size === 0 && this.#opening === 0) this.#giveUp();
    }
  }
}

function hasRoom({ users, isClosed, client }: Shared): boolean {
  return users < TOGETHER && !isClosed && client.usable;
}
