import { closeSync, createReadStream, futimesSync, openSync, rmSync, writeSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { type Body, type Content, ContentHash, type Item, type Outcome, contentOf, throwIfAborted } from "@backup/core";
import type { RemotePutOptions } from "./remote-put.js";
import type { Outgoing, Upload } from "./sender.js";
import { spoolError } from "./spool.js";

/** A file that is complete, and not yet there. */
interface Held<I> {
  readonly item: I;
  readonly content: Content;
  readonly bytes: Uint8Array | { readonly file: string } | { readonly upload: Upload };
}

/** Bodies that are sent together. */
export class RemoteBatch<I extends Item> {
  readonly #options: RemotePutOptions<I>;
  readonly #held: Held<I>[] = [];
  readonly #failed: Outcome<I>[] = [];
  files = 0;
  bytes = 0;

  constructor(options: RemotePutOptions<I>) {
    this.#options = options;
  }

  async add(body: Body<I>): Promise<void> {
    this.files++;
    if ("error" in body) this.#failed.push(body);
    else if (body.bytes instanceof Uint8Array) await this.#hold(body.item, body.bytes);
    else await this.#receive(body.item, body.bytes);
  }

  /**
   * Sends all; what it gives is durable.
   * @param onSent see Sender.send
   */
  async publish(onSent: () => void): Promise<readonly Outcome<I>[]> {
    const { place, sender, link, signal } = this.#options;
    throwIfAborted(signal);
    const placed = this.#held.map(({ item, content, bytes }) => {
      const { path, same } = place(item, content);
      return { item, content, bytes, path, same };
    });
    const known = placed.flatMap(({ path, same }) => (same === undefined ? [] : [{ from: same, to: path }]));
    const made = link && known.length > 0 ? await link(known, signal) : [];
    const linked = new Set(known.filter((_pair, index) => made[index]).map(({ to }) => to));
    const rest = placed.filter(({ path }) => !linked.has(path));
    const outgoing: Outgoing[] = [];
    for (const { item, content, bytes, path } of rest)
      if (!("upload" in bytes)) outgoing.push({ path, mtime: item.mtime, size: content.size, content: bytes });
    const release = (): void => {
      this.#release();
      onSent();
    };
    if (outgoing.length > 0) await sender.send(outgoing, signal, release);
    for (const { item, bytes, path } of rest) if ("upload" in bytes) await bytes.upload.publish(path, item.mtime);
    return [...this.#failed, ...placed.map(({ item, path, content }) => ({ item, path, content }))];
  }

  /** Removes what is held here, and what was uploaded and not published. */
  async discard(): Promise<void> {
    this.#release();
    for (const { bytes } of this.#held.splice(0)) if ("upload" in bytes) await bytes.upload.discard();
  }

  /** Removes its files from the spool. */
  #release(): void {
    for (const { bytes } of this.#held) if ("file" in bytes) rmSync(bytes.file, { force: true });
  }

  async #hold(item: I, bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.byteLength;
    const content = contentOf(bytes);
    if (!this.#options.sender.fromFiles) {
      this.#held.push({ item, content, bytes });
      return;
    }
    const file = await this.#options.spool.newName();
    this.#held.push({ item, content, bytes: { file } });
    try {
      writeNow(file, bytes, item.mtime);
    } catch (error) {
      throw spoolError(error, await this.#options.spool.directory());
    }
  }

  /** Takes bytes as they come: into the spool, or, when they outgrow it, straight to their host. */
  async #receive(item: I, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const { signal, spool, upload } = this.#options;
    const file = await spool.newName();
    let target: Upload | undefined;
    let isHeld = false;
    const hash = new ContentHash();
    let size = 0;
    const source = pieces[Symbol.asyncIterator]();
    try {
      await using handle = await this.#open(file);
      for (;;) {
        let next: IteratorResult<Uint8Array>;
        try {
          next = await source.next();
          throwIfAborted(signal);
        } catch (error) {
          throwIfAborted(signal);
          this.#failed.push({ item, error: error instanceof Error ? error : new Error(String(error)) });
          return;
        }
        if (next.done) break;
        hash.update(next.value);
        size += next.value.byteLength;
        if (!target && upload && size > spool.limitBytes / 2) {
          target = await upload(signal);
          for await (const piece of createReadStream(file)) await target.write(piece);
          await handle.truncate(0);
        }
        if (target) await target.write(next.value);
        else await this.#write(handle, next.value);
      }
      if (!target) {
        this.bytes += size;
        await handle.utimes(...timesOf(item.mtime));
      }
      this.#held.push({ item, content: hash.content(), bytes: target ? { upload: target } : { file } });
      isHeld = true;
    } finally {
      await source.return?.();
      if (!isHeld) await target?.discard();
      if (!isHeld || target) await rm(file, { force: true });
    }
  }

  async #open(file: string): Promise<FileHandle> {
    try {
      return await open(file, "wx", 0o600);
    } catch (error) {
      throw spoolError(error, file);
    }
  }

  async #write(handle: FileHandle, bytes: Uint8Array): Promise<void> {
    try {
      await handle.writeFile(bytes);
    } catch (error) {
      throw spoolError(error, await this.#options.spool.directory());
    }
  }
}

/**
 * Writes a small file of the spool. Not asynchronous: it is some microseconds on a local disk, and waiting for a thread
 * costs ten times that.
 */
function writeNow(file: string, bytes: Uint8Array, mtime: number): void {
  const descriptor = openSync(file, "wx", 0o600);
  try {
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(descriptor, bytes, at);
    futimesSync(descriptor, ...timesOf(mtime));
  } finally {
    closeSync(descriptor);
  }
}

/** As a text, because Node takes a number before 1970 for the present. */
function timesOf(mtime: number): [string, string] {
  const seconds = String(mtime / 1000);
  return [seconds, seconds];
}
