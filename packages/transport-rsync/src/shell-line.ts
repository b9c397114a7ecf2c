import { BackupError } from "@backup/core";
import type { Connection, Host, RemoteShell } from "./connection.js";

/** A connection that programs use; made when it is first needed, and anew when it was lost. */
export class ShellLine implements AsyncDisposable {
  readonly #host: Host;
  #connection: Promise<Connection> | undefined;

  constructor(host: Host) {
    this.#host = host;
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

  async #connected(signal: AbortSignal): Promise<Connection> {
    const connection = await this.#connection;
    if (connection && !connection.lost.aborted) return connection;
    await connection?.[Symbol.asyncDispose]();
    this.#connection = this.#host.connect({ compress: false }, signal);
    try {
      return await this.#connection;
    } catch (error) {
      // The next that needs it tries again.
      this.#connection = undefined;
      throw error;
    }
  }
}
