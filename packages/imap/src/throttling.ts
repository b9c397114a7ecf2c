import { setTimeout as sleep } from "node:timers/promises";
import { BackupError, type EventSink, throwIfAborted } from "@backup/core";
import type { ImapFlow } from "imapflow";
import { isSentAtOnce } from "./pipeline.js";

/** How long a server that asks for it is waited for. */
export interface Patience {
  /** In all, of one connection and those that replace it; milliseconds. Default half an hour. 0: not at all. */
  readonly totalMs?: number | undefined;
  /** The first pause where the server suggests none, milliseconds; each further one is twice as long. Default 2,000. */
  readonly pauseMs?: number | undefined;
}

/** What a server answers that wants less of us. */
interface Throttle {
  /** `account`: nothing at all can be had now. `command`: this cannot; perhaps it never can. */
  readonly scope: "account" | "command";
  /** In its words. */
  readonly text: string;
  /** Milliseconds. */
  readonly suggestedMs: number | undefined;
}

const TOTAL_MS = 30 * 60 * 1000;
const PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 5 * 60 * 1000;
/** Times that one command is sent again when it alone is refused for now. */
const TRIES = 3;
/** Codes of RFC 5530, section 3, that say `not now`. */
const NOT_NOW = new Set<unknown>(["UNAVAILABLE", "INUSE", "LIMIT"]);
/** Words of Microsoft 365, Gmail, Yahoo, Dovecot and Courier. */
const THROTTLED =
  /throttl|too many (?:\w+ )?connections|maximum number of connections|(?:command or )?bandwidth limit|server (?:is )?(?:too )?busy/i;

/** What imapflow's errors hold; `response` is parsed until it was made a text. */
interface Refusal {
  readonly code?: unknown;
  readonly responseStatus?: unknown;
  readonly responseText?: unknown;
  readonly response?: unknown;
  readonly serverResponseCode?: unknown;
  /** Of a BYE. */
  readonly reason?: unknown;
}

/** Whether an error of imapflow means that the server wants to be left alone for a while. */
function throttleOf(error: unknown): Throttle | undefined {
  if (!(error instanceof Error) || error instanceof BackupError) return undefined;
  const refusal: Refusal & Error = error;
  const code = codeOf(refusal);
  const said = [refusal.responseText, refusal.response, refusal.reason].find((part) => typeof part === "string");
  const text = [typeof code === "string" ? `[${code}]` : "", typeof said === "string" ? said : ""].join(" ").trim();
  if (refusal.code === "ETHROTTLE" || code === "THROTTLED" || THROTTLED.test(text))
    return { scope: "account", text, suggestedMs: suggestionIn(text) };
  const isRefused = refusal.responseStatus === "NO" || refusal.responseStatus === "BAD";
  return isRefused && NOT_NOW.has(code) ? { scope: "command", text, suggestedMs: undefined } : undefined;
}

/** `Suggested Backoff Time: 92415 milliseconds` (Microsoft 365). */
function suggestionIn(text: string): number | undefined {
  const [, number] = /backoff time[:=\s]+(\d{1,9})/i.exec(text) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** In brackets before the text, upper case. */
function codeOf({ serverResponseCode, response }: Refusal): unknown {
  if (serverResponseCode !== undefined) return serverResponseCode;
  const { attributes } = (response ?? {}) as { attributes?: readonly { section?: readonly { value?: unknown }[] }[] };
  const value = attributes?.[0]?.section?.[0]?.value;
  return typeof value === "string" ? value.toUpperCase() : undefined;
}

export interface BackoffOptions {
  /** Whom to name to a person. */
  readonly server: string;
  readonly patience: Patience;
  /** A server's words as a person may see them. */
  readonly clean: (text: string) => string;
  readonly onEvent: EventSink | undefined;
}

/** Waits when a server asks for it, and knows how long it may yet. */
export class Backoff {
  readonly #options: BackoffOptions;
  #leftMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#leftMs = options.patience.totalMs ?? TOTAL_MS;
  }

  /**
   * Does a task, and again after a pause for as long as the server asks for that.
   * @throws BackupError THROTTLED when it was waited for long enough; otherwise what the task throws
   */
  async run<T>(task: () => Promise<T>, signal: () => AbortSignal | undefined): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await task();
      } catch (error) {
        const throttle = throttleOf(error);
        if (!throttle || (throttle.scope === "command" && attempt >= TRIES)) throw error;
        if (!(await this.#pause(throttle, attempt, signal()))) throw this.#givenUp(throttle, error);
      }
    }
  }

  /**
   * Waits if that is what an error asks for.
   * @throws BackupError THROTTLED as `run`
   */
  async heed(error: unknown, signal: AbortSignal): Promise<void> {
    const throttle = throttleOf(error);
    if (!throttle || (await this.#pause(throttle, 0, signal)) || throttle.scope === "command") return;
    throw this.#givenUp(throttle, error);
  }

  /** False: no longer. */
  async #pause(throttle: Throttle, attempt: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { patience, server, clean, onEvent } = this.#options;
    const growing = Math.min((patience.pauseMs ?? PAUSE_MS) * 2 ** attempt, LONGEST_PAUSE_MS);
    const pauseMs = throttle.suggestedMs ?? growing;
    if (this.#leftMs <= 0 || pauseMs > this.#leftMs) return false;
    this.#leftMs -= pauseMs;
    const message = `${server} asks to wait (${JSON.stringify(clean(throttle.text))}); going on in ${inWords(pauseMs)}`;
    onEvent?.({ type: "warning", code: "THROTTLED", message });
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
    if (signal) throwIfAborted(signal);
    return true;
  }

  #givenUp({ scope, text }: Throttle, error: unknown): unknown {
    if (scope === "command") return error;
    const { server, clean } = this.#options;
    return new BackupError(
      "THROTTLED",
      `${server} gives no more for now (${JSON.stringify(clean(text))}), and was waited for as long as may be; ` +
        "what was copied is kept, and a run in some hours goes on",
      { transient: true },
    );
  }
}

function inWords(ms: number): string {
  return ms < 120_000 ? `${Math.max(1, Math.round(ms / 1000))} s` : `${Math.round(ms / 60_000)} minutes`;
}

/** What imapflow's types do not have. */
interface Internals {
  exec(...command: readonly unknown[]): Promise<unknown>;
  throttleWait(ms: number): Promise<boolean>;
}

/**
 * Has every command of a connection sent again after the pause that the server asks for. Rows that came before come again.
 * Imapflow itself waits for Microsoft 365 alone, unseen, and with the rows before it missing from what it fetches again.
 */
export function retryCommands(client: ImapFlow, backoff: Backoff, signal: () => AbortSignal | undefined): void {
  const internals = client as unknown as Internals;
  const exec = internals.exec.bind(client);
  internals.exec = async (...command) => {
    if (isSentAtOnce(client)) return await exec(...command);
    return await backoff.run(async () => await exec(...command), signal);
  };
  internals.throttleWait = async () => await Promise.resolve(false);
}
