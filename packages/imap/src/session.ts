import type { SecureContext } from "node:tls";
import { BackupError, type EventSink, scrub, systemCode, throwIfAborted } from "@backup/core";
import { ImapFlow } from "imapflow";
import pRetry from "p-retry";
import { limitAnswers } from "./answer-limit.js";
import { beginQuickly } from "./begin-session.js";
import { expectGreeting } from "./expect-greeting.js";
import { readUsualRows } from "./fetch-usual.js";
import { imapError, plainText } from "./imap-errors.js";
import { type Credentials, type Login, logOn, secretsOf, toPlace } from "./login.js";
import { pipelineCommands } from "./pipeline.js";
import { type Server, formatServer } from "./server.js";
import { Backoff, type Patience, retryCommands } from "./throttling.js";
import { trust } from "./trust.js";

export interface SessionOptions {
  readonly server: Server;
  readonly login: Login;
  /** Certificates (PEM) that are trusted besides the system's. */
  readonly ca?: string | undefined;
  /** Shared with other connections; default: made of `ca`. */
  readonly secureContext?: (() => SecureContext) | undefined;
  /** Longest silence of the server, milliseconds. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Connections tried again after one was lost. Default 5, with growing pauses. */
  readonly reconnects?: number | undefined;
  /** With a server that asks to be left alone for a while. */
  readonly patience?: Patience | undefined;
  readonly onEvent?: EventSink | undefined;
  /** Tells every command and answer as a `debug` event. Costs time for each row. */
  readonly trace?: boolean | undefined;
}

/** What imapflow's log says. */
interface LogEntry {
  readonly msg?: unknown;
  /** `s`: from the server. */
  readonly src?: unknown;
  readonly payloadBytes?: unknown;
}

interface Logger {
  debug(entry: unknown): void;
  info(entry: unknown): void;
  warn(entry: unknown): void;
  error(entry: unknown): void;
}

/** What imapflow's types do not have. */
interface CommandRunner {
  run(command: "ENABLE", extensions: readonly string[]): Promise<unknown>;
}

/** Largest answer that is held in memory; what is larger is fetched in parts. */
const MAX_LITERAL = 32 * 1024 * 1024;

/**
 * One connection to the server, made when it is needed and again after it was lost. Mailboxes are opened with EXAMINE.
 * Errors are BackupErrors.
 */
export class ImapSession implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #backoff: Backoff;
  readonly #secureContext: () => SecureContext;
  #client: ImapFlow | undefined;
  /** Of the call that is under way: the one whose abort closes the connection. */
  #signal: AbortSignal | undefined;
  #connected = false;
  #unreadable = 0;
  /** The connection that ENABLE was last sent on. */
  #asked: ImapFlow | undefined;
  /** Told of each UID that the server says has vanished from the open folder. */
  onVanished: ((uid: number) => void) | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#secureContext = options.secureContext ?? trust(options.ca);
    const { server, login, patience = {}, onEvent } = options;
    const clean = (text: string): string => plainText(text, secretsOf(login));
    this.#backoff = new Backoff({ server: formatServer(server), patience, clean, onEvent });
  }

  /** A connection that is logged on. The first failure of the very first connection is final. */
  async client(signal: AbortSignal): Promise<ImapFlow> {
    throwIfAborted(signal);
    this.#obey(signal);
    if (this.#client?.usable) return this.#client;
    this.drop();
    if (!this.#connected) return this.#connect(signal);
    const retried = pRetry(() => this.#connect(signal), {
      retries: this.#options.reconnects ?? 5,
      minTimeout: 500,
      maxTimeout: 30_000,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => mayPass(error) && !signal.aborted,
    });
    return retried.catch((error: unknown) => {
      throwIfAborted(signal);
      throw error;
    });
  }

  /** Answers so far that could not be read, and were skipped: what they said is missing from the results. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Closes the connection at once; the next call makes a new one. */
  readonly drop = (): void => {
    this.#client?.close();
    this.#client = undefined;
  };

  /** A command that hangs ends with its own caller's signal, not with that of whoever connected. */
  #obey(signal: AbortSignal | undefined): void {
    if (signal === this.#signal) return;
    this.#signal?.removeEventListener("abort", this.drop);
    this.#signal = signal;
    signal?.addEventListener("abort", this.drop);
  }

  /**
   * Has the server tell of changes by number (CONDSTORE), and of vanished messages by UID (QRESYNC), where it can:
   * RFC 7162, section 3.1.8. Valid only while no folder is open (RFC 5161, section 3.1).
   */
  async enableChanges(client: ImapFlow): Promise<void> {
    // Refused once, it would be refused for each folder.
    if (this.#asked === client || !client.capabilities.has("ENABLE")) return;
    this.#asked = client;
    if (client.mailbox) await client.mailboxClose();
    // Imapflow's own list for after the login has UTF8=ACCEPT too, which changes what a server sends.
    await (client as unknown as CommandRunner).run("ENABLE", ["CONDSTORE", "QRESYNC"]);
  }

  /**
   * Waits if that is what the answer to a command asks for that was sent once.
   * @throws BackupError THROTTLED
   */
  async heed(error: unknown, signal: AbortSignal): Promise<void> {
    await this.#backoff.heed(error, signal);
  }

  error(error: unknown): BackupError {
    const { server, login } = this.#options;
    return imapError(error, { server, ...toPlace(login) });
  }

  /** What the server said, as a person may see it. */
  said(text: unknown): string {
    return JSON.stringify(plainText(typeof text === "string" ? text : "", secretsOf(this.#options.login)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#obey(undefined);
    const client = this.#client;
    this.#client = undefined;
    if (!client?.usable) return client?.close();
    // A server that does not answer LOGOUT is left without a word.
    const patience = setTimeout(() => client.close(), 1000);
    try {
      await client.logout();
    } catch (error) {
      if (!systemCode(error)) throw error;
    } finally {
      clearTimeout(patience);
      client.close();
    }
  }

  #connect(signal: AbortSignal): Promise<ImapFlow> {
    return logOn(this.#options.login, signal, (auth) => this.#patiently(auth, signal));
  }

  /** A connection as soon as the server lets us in. */
  async #patiently(auth: Credentials, signal: AbortSignal): Promise<ImapFlow> {
    try {
      return await this.#backoff.run(
        async () => await this.#connectAs(auth, signal),
        () => signal,
      );
    } catch (error) {
      throwIfAborted(signal);
      const problem = this.error(error);
      throw this.#connected ? passing(problem) : problem;
    }
  }

  /** Errors are imapflow's. */
  async #connectAs(auth: Credentials, signal: AbortSignal): Promise<ImapFlow> {
    throwIfAborted(signal);
    const { server, timeoutMs = 60_000 } = this.#options;
    const client = new ImapFlow({
      host: server.host,
      port: server.port,
      secure: server.security === "tls",
      ...(server.security === "starttls" ? { doSTARTTLS: true } : {}),
      auth,
      tls: { rejectUnauthorized: true, secureContext: this.#secureContext() },
      logger: this.#logger(),
      expungeHandler: ({ uid }) => void (uid !== undefined && this.onVanished?.(uid)),
      disableAutoIdle: true,
      disableAutoEnable: true,
      disableIMAP4rev2: true,
      // Deflate costs more CPU than a local network saves.
      disableCompression: true,
      connectionTimeout: Math.min(timeoutMs, 30_000),
      greetingTimeout: Math.min(timeoutMs, 30_000),
      socketTimeout: timeoutMs,
      maxLineLength: MAX_LITERAL,
      maxLiteralSize: MAX_LITERAL,
      maxResponseSize: 2 * MAX_LITERAL,
    });
    // What goes wrong reaches the command that is waiting; unheard, the event would end the process.
    client.on("error", () => {});
    // A trace has all that was said.
    if (!this.#options.trace) readUsualRows(client);
    limitAnswers(client);
    expectGreeting(client);
    pipelineCommands(client);
    beginQuickly(client, auth);
    // From now on, so that an abort ends a connection that is only being made.
    this.#client = client;
    try {
      await client.connect();
    } catch (error) {
      client.close();
      throw error;
    }
    this.#connected = true;
    // Otherwise imapflow puts the first personal prefix before every name, also before those of other namespaces.
    client.namespace = { prefix: "", delimiter: client.namespace?.delimiter ?? "/" };
    retryCommands(client, this.#backoff, () => this.#signal);
    return client;
  }

  #logger(): Logger {
    const { onEvent, login, trace } = this.#options;
    const say = (entry: unknown): void => {
      const { msg, src } = entry as LogEntry;
      if (typeof msg === "string")
        onEvent?.({
          type: "debug",
          message: `imap ${typeof src === "string" ? `${src} ` : ""}${scrub(msg, secretsOf(login))}`,
        });
    };
    // imapflow skips what it cannot parse, and tells nobody but its log.
    const watch = (entry: unknown): void => {
      const { msg, src, payloadBytes } = entry as LogEntry;
      const skipped = src === "s" && payloadBytes !== undefined;
      if (skipped || msg === "Failed to process untagged response") this.#unreadable++;
      say(entry);
    };
    const problems = { warn: watch, error: watch };
    // For a level without a method imapflow does not even make the entry.
    return (trace ? { ...problems, debug: say, info: say } : problems) as Logger;
  }
}

/** Whether trying again at once may help; where the server was waited for, it does not. */
export function mayPass(error: unknown): boolean {
  return error instanceof BackupError && error.transient && error.code !== "THROTTLED";
}

/**
 * What is wrong for good before the first login is a passing trouble after it: the password, the name and the port were
 * right, so a server that is restarted, or has too many connections, is tried again.
 */
function passing(problem: BackupError): BackupError {
  const { code, message, cause } = problem;
  if (code !== "AUTH_FAILED" && code !== "HOST_UNKNOWN" && code !== "PROTOCOL") return problem;
  return new BackupError(code, message, { transient: true, cause });
}
