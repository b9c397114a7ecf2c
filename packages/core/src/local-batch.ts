import { close, constants, futimes, link, open, unlink, write } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { ContentHash, digestOf } from "./digest.js";
import { ignoring } from "./disk-error.js";
import { throwIfAborted } from "./errors.js";
import type { OpenFile, Part } from "./local-files.js";
import type { FileWorker } from "./local-files-worker.js";
import { NO_LINK } from "./local-link.js";
import type { PutOptions } from "./local-put.js";
import type { Body, Content, Item, Outcome, Path } from "./model.js";
import { syncDirectory } from "./sync-directory.js";

/** A file under its temporary name, complete and not yet synced. */
interface Written<I> extends OpenFile {
  readonly item: I;
  readonly content: Content;
}

// The callback functions: a FileHandle for each file costs as much again.
const openFile = promisify(open);
const setTimes = promisify(futimes);
const closeFile = promisify(close);
const unlinkFile = promisify(unlink);
const linkFile = promisify(link);

export interface BatchOptions<I extends Item> extends PutOptions<I> {
  readonly temporaryName: () => string;
  /** Holds what is not written yet: the messages themselves are garbage at once. Nobody else has it now. */
  readonly buffer: Uint8Array;
}

/** Files that are written, synced and renamed together: published whole or not at all. */
export class LocalBatch<I extends Item> {
  readonly #options: BatchOptions<I>;
  readonly #parts: (Part & { readonly item: I })[] = [];
  readonly #written: Written<I>[] = [];
  readonly #failed: Outcome<I>[] = [];
  /** Of the buffer, in use. */
  #filled = 0;
  files = 0;
  bytes = 0;

  constructor(options: BatchOptions<I>) {
    this.#options = options;
  }

  /** Whether there is room for it; what is larger than any batch fits into an empty one. */
  fits(body: Body<I>): boolean {
    const size = "error" in body || !(body.bytes instanceof Uint8Array) ? 0 : body.bytes.byteLength;
    return this.files === 0 || this.#filled + size <= this.#options.buffer.byteLength;
  }

  /** Keeps bytes that are here; waits for bytes that come in pieces. */
  async add(body: Body<I>): Promise<void> {
    const { buffer, temporaryName } = this.#options;
    this.files++;
    if ("error" in body) this.#failed.push(body);
    else if (!(body.bytes instanceof Uint8Array)) await this.#writePieces(body.item, body.bytes);
    else if (body.bytes.byteLength > buffer.byteLength) await this.#writePieces(body.item, once(body.bytes));
    else {
      const { item, bytes } = body;
      const start = this.#filled;
      const end = start + bytes.byteLength;
      buffer.set(bytes, start);
      this.#filled = end;
      this.bytes += bytes.byteLength;
      this.#parts.push({ item, temporary: temporaryName(), start, end, mtime: item.mtime });
    }
  }

  /** Makes all of the batch durable and visible. */
  async publish(worker: FileWorker): Promise<readonly Outcome<I>[]> {
    const { signal, place, at, buffer } = this.#options;
    const parts = this.#parts.splice(0);
    const written = await worker.write(
      buffer,
      parts.map(({ temporary, start, end, mtime }) => ({ temporary, start, end, mtime })),
    );
    for (const [index, { descriptor, temporary, sha256 }] of written.entries()) {
      const part = parts[index];
      if (!part) throw new Error(`${temporary} was not asked for`);
      const content = { digest: digestOf(sha256), size: part.end - part.start };
      this.#written.push({ item: part.item, content, descriptor, temporary });
    }
    throwIfAborted(signal);
    // Placed first: a path that is refused throws while `discard` still has all of the batch.
    const placed = this.#written.map((file) => {
      const { path, same } = place(file.item, file.content);
      return { ...file, path, target: at(path), same };
    });
    const isLinked = await all(placed.map((file) => this.#link(file)));
    await worker.sync(placed.flatMap(({ descriptor }, index) => (isLinked[index] ? [] : [descriptor])));
    throwIfAborted(signal);
    this.#written.length = 0;
    await worker.finish(
      placed.map(({ descriptor, temporary, target }, index) => ({
        descriptor,
        temporary,
        target: isLinked[index] ? undefined : target,
      })),
    );
    for (const directory of new Set(placed.map(({ target }) => dirname(target)))) await syncDirectory(directory);
    return [...this.#failed, ...placed.map(({ item, path, content }) => ({ item, path, content }))];
  }

  /** Makes the target another name of the file that has its bytes; false: where that cannot be, or where one is. */
  async #link({ same, target }: { readonly same: Path | undefined; readonly target: string }): Promise<boolean> {
    if (same === undefined) return false;
    const linked = linkFile(this.#options.at(same), target).then(() => true as const);
    return (await ignoring(NO_LINK, linked)) ?? false;
  }

  /** Removes what was not published. What it cannot remove, the next lease clears. */
  async discard(): Promise<void> {
    for (const { descriptor, temporary } of this.#written.splice(0)) await drop(descriptor, temporary);
  }

  /** If the bytes throw, that is this item's outcome. A failure of the disk is thrown. */
  async #writePieces(item: I, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const source = pieces[Symbol.asyncIterator]();
    const temporary = this.#options.temporaryName();
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    const descriptor = await openFile(temporary, flags, 0o600).catch(async (error: unknown) => {
      await source.return?.();
      throw error;
    });
    const hash = new ContentHash();
    try {
      for (;;) {
        let next: IteratorResult<Uint8Array>;
        try {
          next = await source.next();
          throwIfAborted(this.#options.signal);
        } catch (error) {
          throwIfAborted(this.#options.signal);
          await drop(descriptor, temporary);
          this.#failed.push({ item, error: error instanceof Error ? error : new Error(String(error)) });
          return;
        }
        if (next.done) break;
        hash.update(next.value);
        this.bytes += next.value.byteLength;
        await writeAll(descriptor, next.value);
      }
      await setTime(descriptor, item.mtime);
      this.#written.push({ item, content: hash.content(), descriptor, temporary });
    } catch (error) {
      await drop(descriptor, temporary);
      throw error;
    } finally {
      await source.return?.();
    }
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Waits for all, also when one fails, so that nothing goes on behind the error. */
async function all<T>(tasks: readonly Promise<T>[]): Promise<readonly T[]> {
  const results = await Promise.allSettled(tasks);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** As a text, because Node takes a number before 1970 for the present. */
function setTime(descriptor: number, mtime: number): Promise<void> {
  const seconds = String(mtime / 1000);
  return setTimes(descriptor, seconds, seconds);
}

/** write(2) until all is written. */
function writeAll(descriptor: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const from = (offset: number): void => {
      if (offset >= bytes.byteLength) return resolve();
      write(descriptor, bytes, offset, bytes.byteLength - offset, null, (error, count) => {
        if (error) reject(error);
        else from(offset + count);
      });
    };
    from(0);
  });
}

async function drop(descriptor: number, temporary: string): Promise<void> {
  await ignoring(["EBADF", "EIO", "ENOSPC", "EDQUOT"], closeFile(descriptor));
  await ignoring(["ENOENT", "EIO", "EROFS"], unlinkFile(temporary));
}
