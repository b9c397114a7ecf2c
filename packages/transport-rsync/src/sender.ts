import type { Path } from "@backup/core";

/** A file that is held here until the host has it. */
export interface Outgoing {
  readonly path: Path;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** Bytes. */
  readonly size: number;
  /** The bytes, or the file of the spool that has them, with this time. */
  readonly content: Uint8Array | { readonly file: string };
}

/** Sends files in batches. */
export interface Sender {
  /** For a person: `rsync 3.5.0, 3.2.7 there`, `SFTP`. */
  describe(signal: AbortSignal): Promise<string>;
  /** Whether every file must be one of the spool: a program that sends files knows no others. */
  readonly fromFiles: boolean;
  /** At most so many files, and about so many bytes, in one batch. */
  readonly batchFiles: number;
  readonly batchBytes: number;
  /**
   * Sends all of them, 0600, each to a temporary name that is renamed when it is complete, replacing what is there.
   * When it has returned all are durable under their paths. Retries what is transient, and goes on where it was.
   * Directories of the paths exist.
   * @param onSent called when all is there, and the host has work of its own left: the next batch may be sent meanwhile.
   * The files of the spool are needed to the end all the same
   * @throws BackupError DISK_FULL, DESTINATION_UNWRITABLE, CONNECTION_LOST, ABORTED
   */
  send(files: readonly Outgoing[], signal: AbortSignal, onSent?: () => void): Promise<void>;
}

/** A file that is written while its bytes come in: too large to be held here. */
export interface Upload {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it durable under this path. */
  publish(path: Path, mtime: number): Promise<void>;
  /** Removes what was written. Never throws. */
  discard(): Promise<void>;
}
