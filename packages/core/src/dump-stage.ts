import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ContentHash } from "./digest.js";
import { ignoring } from "./disk-error.js";
import type { Dump } from "./dump.js";
import { BackupError, systemCode, throwIfAborted } from "./errors.js";
import type { Content } from "./model.js";
import { makeOwnedDirectory } from "./owned-directory.js";

export interface DumpStageOptions {
  /** Where its private directory is made. Default: the system's directory for temporary files. */
  readonly directory?: string | undefined;
  /** Bytes of dumps that it keeps at most. Default 1 GiB. */
  readonly limitBytes?: number | undefined;
}

interface Staged {
  readonly file: string;
  readonly size: number;
}

const GIB = 1024 ** 3;
/** With these a disk says that nothing more goes there: what does not fit is produced twice. */
const FULL = ["ENOSPC", "EDQUOT", "EFBIG"];

/**
 * Dumps that were produced in order to know their digests, until they are read: files in a private directory of this machine.
 * One for which there is no room is not kept, and is produced once more when it is read.
 */
export class DumpStage implements AsyncDisposable {
  readonly #parent: string;
  readonly #limitBytes: number;
  readonly #staged = new Map<string, Staged>();
  #directory: Promise<string> | undefined;
  #bytes = 0;
  #files = 0;

  constructor({ directory = tmpdir(), limitBytes = GIB }: DumpStageOptions = {}) {
    this.#parent = resolve(directory);
    this.#limitBytes = limitBytes;
  }

  /**
   * Produces a dump, and says what its bytes are.
   * @param keep whether they are kept, for `read`
   */
  async add(
    key: string,
    dump: Dump,
    { keep, signal }: { readonly keep: (content: Content) => boolean; readonly signal: AbortSignal },
  ): Promise<Content> {
    await this.drop(key);
    const file = join(await this.#made(), String(this.#files++));
    const hash = new ContentHash();
    let size = 0;
    let isKept = false;
    let handle = await ignoring(FULL, open(file, "wx", 0o600));
    try {
      for await (const piece of this.#produced(dump, signal)) {
        hash.update(piece);
        size += piece.byteLength;
        const fits = this.#bytes + size <= this.#limitBytes;
        const isWritten =
          handle &&
          fits &&
          (await ignoring(
            FULL,
            handle.writeFile(piece).then(() => true),
          ));
        if (isWritten) continue;
        await handle?.close();
        handle = undefined;
        await rm(file, { force: true });
      }
      const content = hash.content();
      isKept = handle !== undefined && keep(content);
      if (!isKept) return content;
      this.#staged.set(key, { file, size });
      this.#bytes += size;
      return content;
    } finally {
      await handle?.close();
      if (!isKept) await rm(file, { force: true });
    }
  }

  /** The bytes of a dump, from its file, which is removed then, or produced. */
  read(key: string, dump: Dump, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const file = this.#staged.get(key)?.file;
    return file === undefined ? this.#produced(dump, signal) : this.#taken(key, { file, dump, signal });
  }

  async drop(key: string): Promise<void> {
    const staged = this.#staged.get(key);
    if (!staged) return;
    this.#staged.delete(key);
    this.#bytes -= staged.size;
    await rm(staged.file, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async *#taken(
    key: string,
    { file, dump, signal }: { readonly file: string; readonly dump: Dump; readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of createReadStream(file, { signal })) yield piece;
    } catch (error) {
      throwIfAborted(signal);
      throw dumpError(error, dump);
    } finally {
      await this.drop(key);
    }
  }

  async *#produced(dump: Dump, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    throwIfAborted(signal);
    let own: Promise<string> | undefined;
    const directory = async (): Promise<string> => await mkdtemp(join(await this.#made(), "dump-"));
    try {
      for await (const piece of dump.produce({ directory: () => (own ??= directory()), signal })) {
        throwIfAborted(signal);
        yield piece;
      }
      throwIfAborted(signal);
    } catch (error) {
      throwIfAborted(signal);
      throw dumpError(error, dump);
    } finally {
      const made = await own?.catch(() => undefined);
      if (made !== undefined) await rm(made, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  #made(): Promise<string> {
    this.#directory ??= this.#make();
    return this.#directory;
  }

  async #make(): Promise<string> {
    try {
      await mkdir(this.#parent, { recursive: true, mode: 0o700 });
      return await makeOwnedDirectory({ parent: this.#parent, prefix: "backup-dumps-" });
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      const message = `the directory for temporary files ${this.#parent} cannot be written (${code}); set TMPDIR to one that can`;
      throw new BackupError("SPOOL_UNWRITABLE", message, { cause: error });
    }
  }
}

/** What a person is told where a system call failed. */
function dumpError(error: unknown, { name }: Dump): unknown {
  const code = systemCode(error);
  if (error instanceof BackupError || code === undefined || !(error instanceof Error)) return error;
  return new BackupError("ITEM_UNREADABLE", `${name} could not be dumped: ${error.message}`, { cause: error });
}
