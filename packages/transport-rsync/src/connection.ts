import type { RemoteShell } from "@backup/core";
import type { SFTPWrapper } from "ssh2";

export type { RemoteShell };

/** One authenticated connection to a host, over which channels are opened. */
export interface Connection extends AsyncDisposable {
  /** Aborts when the connection has ended, by whatever side; its reason is a BackupError. */
  readonly lost: AbortSignal;
  /**
   * Opens a channel for the SSH File Transfer Protocol, version 3. Ended with `end()`; emits `close`.
   * @throws BackupError TRANSPORT_MISSING where the account has no SFTP, PROTOCOL where its shell prints something first
   */
  sftp(signal: AbortSignal): Promise<SFTPWrapper>;
  /** Undefined: programs cannot use this connection. */
  readonly shell: RemoteShell | undefined;
}

/** A host and all that is needed to get there. */
export interface Host {
  /** What a person calls it. */
  readonly name: string;
  /** The library or program that connects: for messages. */
  readonly by: "OpenSSH" | "ssh2";
  /** Whether its key is known already: of two connections that are made at once, neither pins it. */
  isPinned(): Promise<boolean>;
  /**
   * Connects and authenticates; the host's key is checked, and pinned at the first contact.
   * @param options.compress for many small similar things: listings, renames
   * @throws BackupError HOST_UNKNOWN, CONNECTION_REFUSED, TIMEOUT, CONNECTION_LOST (transient), AUTH_FAILED,
   * HOST_KEY_CHANGED, HOST_KEY_UNKNOWN, SECRET_MISSING for a passphrase
   */
  connect(options: { readonly compress: boolean }, signal: AbortSignal): Promise<Connection>;
}
