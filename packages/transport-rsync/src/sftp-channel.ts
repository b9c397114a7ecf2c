import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, type EventSink, isBackupError, throwIfAborted } from "@backup/core";
import pRetry from "p-retry";
import type { Host } from "./connection.js";
import type { SftpCalls } from "./sftp-calls.js";
import { SftpSession } from "./sftp-session.js";

export interface SftpChannelOptions {
  readonly host: Host;
  readonly compress: boolean;
  readonly onEvent?: EventSink | undefined;
  /** How long the server may owe answers without sending any, milliseconds. Default 60 s. */
  readonly timeoutMs?: number | undefined;
  /** Before the first attempt to connect again, milliseconds; it doubles. Default 500. */
  readonly retryMs?: number | undefined;
}

/** Connecting anew after a connection was lost: at most so often before it counts as failed. */
const RETRIES = 5;

/** What a task that was told to stop may still take to clean up, milliseconds. */
const GRACE_MS = 500;

/** Where there was no connection yet, these are mistakes of whoever names the host, or have taken long enough; later, a host that restarts. */
const MISTAKES: readonly ErrorCode[] = ["CONNECTION_REFUSED", "HOST_UNKNOWN", "TIMEOUT"];

/** SFTP to a host, over one connection at a time: a lost one is replaced. */
export class SftpChannel implements AsyncDisposable {
  readonly #options: SftpChannelOptions;
  readonly #disposed = new AbortController();
  #session: Promise<SftpSession> | undefined;
  #isKnown = false;

  constructor(options: SftpChannelOptions) {
    this.#options = options;
  }

  /** Begins to connect, and returns at once; whether that fails is told to the first that needs it. */
  connect(): void {
    this.#current().catch(() => {});
  }

  /**
   * Runs a task, and runs it again from its beginning on another connection when one is lost: it must be idempotent.
   * Other tasks may run at the same time. Rejects within a second after the signal fires; the task should look at it
   * too, and send no more.
   * @throws BackupError as Host.connect and Connection.sftp; ABORTED
   */
  async run<T>(task: (sftp: SftpCalls) => Promise<T>, signal: AbortSignal): Promise<T> {
    throwIfAborted(signal);
    const either = AbortSignal.any([signal, this.#disposed.signal]);
    let isOfTask = false;
    const work = pRetry(
      async () => {
        isOfTask = false;
        const session = await this.#current();
        throwIfAborted(either);
        try {
          return await task(session.calls);
        } catch (error) {
          if (session.lost.aborted && !either.aborted) throw session.lost.reason;
          isOfTask = true;
          throw error;
        }
      },
      {
        retries: RETRIES,
        factor: 2,
        minTimeout: this.#options.retryMs ?? 500,
        randomize: true,
        signal: either,
        // What a task says of itself is final, transient or not.
        shouldRetry: ({ error }) => !isOfTask && this.#isWorthwhile(error),
      },
    );
    return await untilAborted(work, either);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort();
    const session = await this.#session?.catch(() => undefined);
    await session?.[Symbol.asyncDispose]();
  }

  #isWorthwhile(error: unknown): boolean {
    if (!isBackupError(error)) return false;
    return MISTAKES.includes(error.code) ? this.#isKnown : error.transient;
  }

  #current(): Promise<SftpSession> {
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<SftpSession> {
    const { host, compress, timeoutMs = 60_000 } = this.#options;
    try {
      const session = await SftpSession.open({ host, compress, timeoutMs, signal: this.#disposed.signal });
      this.#isKnown = true;
      const forget = (): void => {
        this.#session = undefined;
        // It may be the network that is gone: the end of what is left of it is not waited for.
        session[Symbol.asyncDispose]().catch(() => {});
        if (this.#disposed.signal.aborted) return;
        const reason = isBackupError(session.lost.reason) ? session.lost.reason.message : "the connection was lost";
        this.#options.onEvent?.({ type: "warning", code: "RECONNECTING", message: `${reason}; connecting again` });
      };
      if (session.lost.aborted) forget();
      else session.lost.addEventListener("abort", forget, { once: true });
      return session;
    } catch (error) {
      // The next that needs a connection tries again.
      this.#session = undefined;
      throw error;
    }
  }
}

/** The result of the work, or ABORTED soon after the signal fires, whether the work has ended or not. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const settled = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    const expire = (): void => {
      sleep(GRACE_MS, undefined, { signal: settled.signal }).then(reject, () => {});
    };
    if (signal.aborted) expire();
    else signal.addEventListener("abort", expire, { once: true, signal: settled.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    settled.abort();
  }
}
