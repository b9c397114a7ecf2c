import { BackupError, throwIfAborted } from "@backup/core";
import type { Connection, Host, RemoteShell } from "./connection.js";
import { orAborted } from "./or-aborted.js";

/** A connection that programs use; made when it is first needed, or before, and anew when it was lost. */
export class ShellLine implements AsyncDisposable {
  readonly #host: Host;
  readonly #closed = new AbortController();
  #connection: Promise<Connection> | undefined;
  /** Nobody has been told yet what became of it. */
  #isBegun = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Begins to connect, and returns at once; whether that fails is told to the first that needs it. */
  begin(): void {
    if (this.#connection || this.#closed.signal.aborted) return;
    this.#isBegun = true;
    this.#connection = this.#host.connect({ compress: false }, this.#closed.signal);
    this.#connection.catch(() => {});
  }

  /** @throws BackupError TRANSPORT_MISSING where programs cannot use such a connection; as Host.connect */
  async shell(signal: AbortSignal): Promise<RemoteShell> {
    const { shell } = await orAborted(this.#connected(signal), signal);
    if (shell) return shell;
    throw new BackupError("TRANSPORT_MISSING", `rsync needs the program ssh, and ${this.#host.by} connects`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    const connection = await this.#connection?.catch(() => undefined);
    await connection?.[Symbol.asyncDispose]();
  }

  #connected(signal: AbortSignal): Promise<Connection> {
    // Of two that find it lost at once, the second waits for what the first one makes.
    this.#connection = this.#renewed(this.#connection, { signal, isBegun: this.#isBegun });
    this.#isBegun = false;
    this.#connection.catch(() => {});
    return this.#connection;
  }

  async #renewed(
    earlier: Promise<Connection> | undefined,
    { signal, isBegun }: { readonly signal: AbortSignal; readonly isBegun: boolean },
  ): Promise<Connection> {
    // One that failed is none, and it was told to whoever asked for it.
    const connection = isBegun ? await earlier : await earlier?.catch(() => undefined);
    if (connection && !connection.lost.aborted) return connection;
    await connection?.[Symbol.asyncDispose]();
    throwIfAborted(this.#closed.signal);
    return this.#host.connect({ compress: false }, AbortSignal.any([signal, this.#closed.signal]));
  }
}
