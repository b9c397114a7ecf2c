import type { SFTPWrapper } from "ssh2";
import { SftpCalls } from "./sftp-calls.js";
import type { Connection, Host } from "./connection.js";
import { lostError, silentError } from "./sftp-errors.js";

export interface SessionOptions {
  readonly host: Host;
  readonly compress: boolean;
  /** How long the server may owe answers without sending any, milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** One connection with one SFTP channel, until it is lost or disposed of. */
export class SftpSession implements AsyncDisposable {
  readonly calls: SftpCalls;
  /** Aborts when the session has ended; its reason is a BackupError. */
  readonly lost: AbortSignal;
  readonly #connection: Connection;
  readonly #sftp: SFTPWrapper;
  readonly #watch: NodeJS.Timeout;
  readonly #lose: (reason: unknown) => void;

  private constructor(connection: Connection, sftp: SFTPWrapper, { host, timeoutMs }: SessionOptions) {
    const ended = new AbortController();
    this.lost = ended.signal;
    this.#connection = connection;
    this.#sftp = sftp;
    this.#lose = (reason) => {
      const error = lostError(host.name, reason);
      clearInterval(this.#watch);
      this.calls.end(error);
      ended.abort(error);
    };
    this.calls = new SftpCalls(sftp, this.#lose);
    this.#watch = setInterval(
      () => {
        if (this.calls.silentMs > timeoutMs) this.#lose(silentError(host.name, timeoutMs));
      },
      Math.max(10, timeoutMs / 10),
    );
    // An answer that is waited for keeps the process alive by its socket or its program.
    this.#watch.unref();
    sftp.on("error", this.#lose);
    sftp.on("end", this.#lose);
    sftp.on("close", this.#lose);
    const lostConnection = (): void => this.#lose(connection.lost.reason);
    if (connection.lost.aborted) lostConnection();
    else connection.lost.addEventListener("abort", lostConnection, { once: true });
  }

  /** @throws BackupError as Host.connect and Connection.sftp */
  static async open(options: SessionOptions): Promise<SftpSession> {
    const { host, compress, signal } = options;
    const connection = await host.connect({ compress }, signal);
    try {
      return new SftpSession(connection, await connection.sftp(signal), options);
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lose(undefined);
    this.#sftp.end();
    await this.#connection[Symbol.asyncDispose]();
  }
}
