import { type EventSink, isBackupError, throwIfAborted } from "@backup/core";
import { ImapSession, type SessionOptions } from "./session.js";
import { trust } from "./trust.js";

/** A connection for one task at a time. */
export interface Lane {
  readonly session: ImapSession;
  /** The run goes on without it when it is lost. */
  readonly isSpare: boolean;
}

/** Tasks on one connection before another one is worth its login. */
export const ALONE = 6;

/**
 * Up to so many connections to one server, made when there is work for them. The first one is made again when it is lost.
 * The others are spare: a server that refuses one has said how many it allows, and the run goes on with those.
 */
export class Connections implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #lanes = new Set<Lane>();
  readonly #idle: Lane[] = [];
  readonly #waiting: ((lane: Lane) => void)[] = [];
  #most: number;
  /** Those that are being made. */
  readonly #connecting = new Set<ImapSession>();
  #isDisposed = false;
  #tasks = 0;

  /** @param most connections at the same time */
  constructor(options: SessionOptions, most: number) {
    this.#options = { ...options, secureContext: options.secureContext ?? trust(options.ca) };
    this.#most = Math.max(1, most);
    this.#add({ session: new ImapSession(this.#options), isSpare: false });
  }

  /** How many there may be, as far as is known. */
  get most(): number {
    return this.#most;
  }

  /** Does a task on whichever connection is free, and again on another one if a spare one is lost by it. */
  async use<T>(signal: AbortSignal, task: (session: ImapSession) => Promise<T>): Promise<T> {
    this.#tasks++;
    for (;;) {
      const lane = await this.#acquire(signal);
      try {
        return await task(lane.session);
      } catch (error) {
        throwIfAborted(signal);
        if (!isLost(lane, error)) throw error;
        this.retire(lane, error);
      } finally {
        this.release(lane);
      }
    }
  }

  /** The first connection, to be given back by `release`. Nothing else may use it at the time. */
  async first(signal: AbortSignal): Promise<Lane> {
    const at = this.#idle.findIndex(({ isSpare }) => !isSpare);
    const [first] = at < 0 ? [] : this.#idle.splice(at, 1);
    return first ?? (await this.#acquire(signal));
  }

  /** A connection that is free, or a new one, or the next that becomes free. */
  async #acquire(signal: AbortSignal): Promise<Lane> {
    const free = this.#idle.pop() ?? (this.#tasks > ALONE ? await this.#open(signal) : undefined);
    if (free) return free;
    throwIfAborted(signal);
    return this.#idle.pop() ?? (await new Promise((resolve) => this.#waiting.push(resolve)));
  }

  /** A spare connection, to be given back by `release`; undefined: the server, or the limit, allows no further one. */
  async spare(signal: AbortSignal): Promise<Lane | undefined> {
    const at = this.#idle.findIndex(({ isSpare }) => isSpare);
    const [idle] = at < 0 ? [] : this.#idle.splice(at, 1);
    return idle ?? (await this.#open(signal));
  }

  release(lane: Lane): void {
    if (!this.#lanes.has(lane)) return;
    const next = this.#waiting.shift();
    if (next) next(lane);
    else this.#idle.push(lane);
  }

  /** Gives a spare connection up that was lost by this error; if the server had too much of us, so many are not made again. */
  retire(lane: Lane, error: unknown): void {
    this.#lanes.delete(lane);
    lane.session.drop();
    if (isBackupError(error, "THROTTLED")) this.#limit(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    // One that nobody needs any more may still be on its way.
    const sessions = [...Array.from(this.#lanes, ({ session }) => session), ...this.#connecting];
    await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
  }

  /** There may be as many as there are now. */
  #limit({ message }: Error): void {
    this.#most = Math.max(1, this.#lanes.size);
    tell(this.#options.onEvent, `the server allows ${this.#most} connections at a time: ${message}`);
  }

  #add(lane: Lane): void {
    this.#lanes.add(lane);
    this.#idle.push(lane);
  }

  /** A new connection; undefined where there may be none, or the server refuses it, which is what it allows then. */
  async #open(signal: AbortSignal): Promise<Lane | undefined> {
    if (this.#isDisposed || this.#lanes.size + this.#connecting.size >= this.#most) return undefined;
    // Without it the others may go on at once; so it is not waited for.
    const session = new ImapSession({ ...this.#options, reconnects: 0, patience: { totalMs: 0 } });
    this.#connecting.add(session);
    try {
      await session.client(signal);
      if (this.#isDisposed) {
        await session[Symbol.asyncDispose]();
        return undefined;
      }
      const lane = { session, isSpare: true };
      this.#lanes.add(lane);
      return lane;
    } catch (error) {
      throwIfAborted(signal);
      if (!isBackupError(error)) throw error;
      if (!this.#isDisposed) this.#limit(error);
      return undefined;
    } finally {
      this.#connecting.delete(session);
    }
  }
}

/** Whether an error means that a spare connection is lost, and nothing else. */
export function isLost({ isSpare }: Lane, error: unknown): boolean {
  return isSpare && isBackupError(error) && error.code !== "COLLECTION_UNAVAILABLE";
}

function tell(onEvent: EventSink | undefined, message: string): void {
  onEvent?.({ type: "debug", message });
}
