import { close, constants, fsync, futimes, link, open, rename, unlink, write } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { ContentHash, contentOf } from "./digest.js";
import { ignoring } from "./disk-error.js";
import { throwIfAborted } from "./errors.js";
import { NO_LINK } from "./local-link.js";
import type { PutOptions } from "./local-put.js";
import type { Body, Content, Item, Outcome, Path } from "./model.js";
import { syncDirectory } from "./sync-directory.js";

/** A file under its temporary name, complete and not yet synced. */
interface Written<I> {
  readonly item: I;
  readonly content: Content;
  readonly descriptor: number;
  readonly temporary: string;
}

// The callback functions: a FileHandle for each of 20,000 files costs a second of CPU more.
const openFile = promisify(open);
const setTimes = promisify(futimes);
const syncFile = promisify(fsync);
const closeFile = promisify(close);
const renameFile = promisify(rename);
const unlinkFile = promisify(unlink);
const linkFile = promisify(link);

/** Files that are written, synced and renamed together: published whole or not at all. */
export class LocalBatch<I extends Item> {
  readonly #options: PutOptions<I>;
  readonly #temporaryName: () => string;
  readonly #writes: Promise<Written<I> | undefined>[] = [];
  readonly #failed: Outcome<I>[] = [];
  #failure: { readonly error: unknown } | undefined;
  files = 0;
  bytes = 0;

  constructor(options: PutOptions<I>, temporaryName: () => string) {
    this.#options = options;
    this.#temporaryName = temporaryName;
  }

  /** Starts to write bytes that are here; waits for bytes that come in pieces. */
  async add(body: Body<I>): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    this.files++;
    if ("error" in body) this.#failed.push(body);
    else if (body.bytes instanceof Uint8Array) {
      this.bytes += body.bytes.byteLength;
      this.#track(this.#writeWhole(body.item, body.bytes));
    } else {
      const task = this.#writePieces(body.item, body.bytes);
      this.#track(task);
      await task;
    }
  }

  /** Makes all of the batch durable and visible. */
  async publish(): Promise<readonly Outcome<I>[]> {
    const { signal, place, at } = this.#options;
    const written = (await Promise.all(this.#writes)).filter((file) => file !== undefined);
    if (this.#failure) throw this.#failure.error;
    throwIfAborted(signal);
    // Placed first: a path that is refused throws while `discard` still has all of the batch.
    const placed = written.map((file) => {
      const { path, same } = place(file.item, file.content);
      return { ...file, path, target: at(path), same };
    });
    const isLinked = await all(placed.map((file) => this.#link(file)));
    const rest = placed.filter((_file, index) => !isLinked[index]);
    const linked = placed.filter((_file, index) => isLinked[index]);
    await all(rest.map(({ descriptor }) => syncFile(descriptor)));
    throwIfAborted(signal);
    this.#writes.length = 0;
    try {
      await all(placed.map(({ descriptor }) => closeFile(descriptor)));
      await all(rest.map(({ temporary, target }) => renameFile(temporary, target)));
    } catch (error) {
      // Only those that were not renamed are still there; the next put takes the same temporary names.
      await all(placed.map(({ temporary }) => ignoring(["ENOENT", "EIO", "EROFS"], unlinkFile(temporary))));
      throw error;
    }
    await all(linked.map(({ temporary }) => ignoring(["ENOENT"], unlinkFile(temporary))));
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
    const written = await Promise.all(this.#writes);
    this.#writes.length = 0;
    for (const file of written) if (file) await drop(file.descriptor, file.temporary);
  }

  #track(task: Promise<Written<I> | undefined>): void {
    const settled = task.catch((error: unknown) => {
      this.#failure ??= { error };
      return undefined;
    });
    this.#writes.push(settled);
  }

  async #writeWhole(item: I, bytes: Uint8Array): Promise<Written<I>> {
    const temporary = this.#temporaryName();
    const descriptor = await openFile(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      await writeAll(descriptor, bytes);
      await setTime(descriptor, item.mtime);
      return { item, content: contentOf(bytes), descriptor, temporary };
    } catch (error) {
      await drop(descriptor, temporary);
      throw error;
    }
  }

  /** Undefined: the bytes threw, and that is this item's outcome. A failure of the disk is thrown. */
  async #writePieces(item: I, pieces: AsyncIterable<Uint8Array>): Promise<Written<I> | undefined> {
    const temporary = this.#temporaryName();
    const descriptor = await openFile(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    const hash = new ContentHash();
    const source = pieces[Symbol.asyncIterator]();
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
          return undefined;
        }
        if (next.done) break;
        hash.update(next.value);
        this.bytes += next.value.byteLength;
        await writeAll(descriptor, next.value);
      }
      await setTime(descriptor, item.mtime);
      return { item, content: hash.content(), descriptor, temporary };
    } catch (error) {
      await drop(descriptor, temporary);
      throw error;
    } finally {
      await source.return?.();
    }
  }
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
