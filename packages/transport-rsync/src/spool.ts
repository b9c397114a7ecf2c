import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { BackupError, makeOwnedDirectory, systemCode } from "@backup/core";

export interface SpoolOptions {
  /** Where the spool is made; it is a directory of its own there. Default: the system's directory for temporary files. */
  readonly directory?: string | undefined;
  /** Bytes that it holds at most, apart from one file that is larger. Default 64 MiB. */
  readonly limitBytes?: number | undefined;
}

/**
 * Files on their way to another host, in a private directory of this machine. Nothing in it is worth keeping: it is
 * removed at the end, and one that a killed run left is removed by the next.
 */
export class Spool implements AsyncDisposable {
  readonly limitBytes: number;
  readonly #parent: string;
  #directory: Promise<string> | undefined;
  #files = 0;

  constructor({ directory = tmpdir(), limitBytes = 64 * 1024 * 1024 }: SpoolOptions = {}) {
    this.#parent = resolve(directory);
    this.limitBytes = limitBytes;
  }

  /** The directory, 0700; made when it is first asked for. @throws BackupError SPOOL_UNWRITABLE */
  directory(): Promise<string> {
    this.#directory ??= this.#make();
    return this.#directory;
  }

  /** A name in it that no file has. */
  async newName(): Promise<string> {
    return join(await this.directory(), String(this.#files++));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }

  async #make(): Promise<string> {
    try {
      await mkdir(this.#parent, { recursive: true, mode: 0o700 });
      return await makeOwnedDirectory({ parent: this.#parent, prefix: "backup-spool-" });
    } catch (error) {
      throw spoolError(error, this.#parent);
    }
  }
}

/** An error of the spool's disk as one for a person. */
export function spoolError(error: unknown, where: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new BackupError(
    "SPOOL_UNWRITABLE",
    `the spool in ${where} ${isFull ? "has no space left" : `cannot be written (${code})`}; name a directory with --spool`,
    { cause: error },
  );
}
