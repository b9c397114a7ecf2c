import { BackupError } from "@backup/core";
import type { Connection, Host, RemoteShell } from "./connection.js";

/** A connection that programs use; made when it is first needed, and anew when it was lost. */
export class ShellLine implements AsyncDisposable {
  readonly #host: Host;
  #connection: Promise<Connection> | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Begins to connect, and returns at once; whether that fails is told to the first that needs it. */
  begin(signal: AbortSignal): void {
    this.#connected(signal).catch(() => {});
  }

  /** @throws BackupError TRANSPORT_MISSING where programs cannot use such a connection; as Host.connect */
  async shell(signal: AbortSignal): Promise<RemoteShell> {
    const { shell } = await this.#connected(signal);
    if (shell) return shell;
    throw new BackupError("TRANSPORT_MISSING", `rsync needs the program ssh, and ${this.#host.by} connects`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    await connection?.[Symbol.asyncDispose]();
  }

  #connected(signal: AbortSignal): Promise<Connection> {
    // Of two that find it lost at once, the second waits for what the first one makes.
    this.#connection = this.#renewed(this.#connection, signal);
    return this.#connection;
  }

  async #renewed(earlier: Promise<Connection> | undefined, signal: AbortSignal): Promise<Connection> {
    // One that failed is none: it was told to whoever asked for it.
    const connection = await earlier?.catch(() => undefined);
    if (connection && !connection.lost.aborted) return connection;
    await connection?.[Symbol.asyncDispose]();
    return this.#host.connect({ compress: false }, signal);
  }
}
