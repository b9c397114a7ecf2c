import { closeSync, createReadStream, futimesSync, openSync, rmSync, writeSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import {
  type Body,
  type Content,
  ContentHash,
  type Item,
  type Outcome,
  type Path,
  type Place,
  contentOf,
  throwIfAborted,
} from "@backup/core";
import type { RemotePutOptions } from "./remote-put.js";
import type { Outgoing, Upload } from "./sender.js";
import { spoolError } from "./spool.js";

/** A file that is complete, and not yet there. */
interface Held<I> {
  readonly item: I;
  readonly content: Content;
  readonly bytes: Uint8Array | { readonly file: string } | { readonly upload: Upload };
}

/** One whose path is known. */
interface Placed<I> extends Held<I>, Place {}

/** One that has the bytes of another. */
interface Repeat<I> extends Placed<I> {
  /** Resolves when the batch that the other is in has ended; undefined: it is this one. */
  readonly first: Promise<void> | undefined;
}

/** By likeness, what batches bring whose outcomes are not told yet. */
export type Arriving = Map<string, { readonly path: Path; readonly done: Promise<void> }>;

export interface RemoteBatchOptions<I extends Item> extends RemotePutOptions<I> {
  readonly arriving: Arriving;
}

/** Bodies that are sent together. */
export class RemoteBatch<I extends Item> {
  readonly #options: RemoteBatchOptions<I>;
  readonly #held: Held<I>[] = [];
  readonly #failed: Outcome<I>[] = [];
  readonly #announced: string[] = [];
  files = 0;
  bytes = 0;

  constructor(options: RemoteBatchOptions<I>) {
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
    const { place, signal } = this.#options;
    throwIfAborted(signal);
    const placed = this.#held.map((held) => ({ ...held, ...place(held.item, held.content) }));
    const known = await this.#link(placed.filter(({ same }) => same !== undefined));
    const { firsts, repeats } = this.#apart(placed.filter((file) => !known.has(file)));
    const end = this.#announce(firsts);
    try {
      await this.#send(firsts, onSent);
      // What they repeat may be in a batch that is still on its way.
      for (const { first } of repeats) await first;
      const linked = await this.#link(repeats);
      await this.#send(
        repeats.filter((file) => !linked.has(file)),
        () => {},
      );
    } finally {
      end();
    }
    return [...this.#failed, ...placed.map(({ item, path, content }) => ({ item, path, content }))];
  }

  /** Those that bring bytes, and those that bring the same with the same time once more. */
  #apart(files: readonly Placed<I>[]): {
    readonly firsts: readonly Placed<I>[];
    readonly repeats: readonly Repeat<I>[];
  } {
    const { link, arriving } = this.#options;
    const here = new Map<string, Path>();
    const firsts: Placed<I>[] = [];
    const repeats: Repeat<I>[] = [];
    for (const file of files) {
      const likeness = likenessOf(file);
      const path = likeness && here.get(likeness);
      const elsewhere = likeness === undefined ? undefined : arriving.get(likeness);
      const same = path === undefined ? elsewhere?.path : path;
      if (link && same !== undefined && same !== file.path)
        repeats.push({ ...file, same, first: path === undefined ? elsewhere?.done : undefined });
      else firsts.push(file);
      if (likeness !== undefined && same === undefined) here.set(likeness, file.path);
    }
    return { firsts, repeats };
  }

  /** Tells the batches after this one what it brings. */
  #announce(files: readonly Placed<I>[]): () => void {
    const { arriving } = this.#options;
    let end = (): void => {};
    const done = new Promise<void>((resolve) => {
      end = resolve;
    });
    for (const file of files) {
      const likeness = likenessOf(file);
      if (likeness === undefined || arriving.has(likeness)) continue;
      arriving.set(likeness, { path: file.path, done });
      this.#announced.push(likeness);
    }
    return end;
  }

  /** To be called when its outcomes are told: from then on whoever reads them knows what it brought. */
  forget(): void {
    for (const likeness of this.#announced) this.#options.arriving.delete(likeness);
  }

  /** Those that are now another name of the file that has their bytes. */
  async #link(files: readonly Placed<I>[]): Promise<ReadonlySet<Placed<I>>> {
    const { link, signal } = this.#options;
    if (!link || files.length === 0) return new Set();
    const made = await link(
      files.map(({ same = "", path }) => ({ from: same, to: path })),
      signal,
    );
    return new Set(files.filter((_file, index) => made[index]));
  }

  async #send(files: readonly Placed<I>[], onSent: () => void): Promise<void> {
    const { sender, signal } = this.#options;
    const outgoing: Outgoing[] = [];
    for (const { item, content, bytes, path } of files)
      if (!("upload" in bytes)) outgoing.push({ path, mtime: item.mtime, size: content.size, content: bytes });
    if (outgoing.length > 0) await sender.send(outgoing, signal, onSent);
    for (const { item, bytes, path } of files) if ("upload" in bytes) await bytes.upload.publish(path, item.mtime);
  }

  /** Removes what is held here, and what was uploaded and not published. */
  async discard(): Promise<void> {
    for (const { bytes } of this.#held.splice(0)) {
      removeFile(bytes);
      if ("upload" in bytes) await bytes.upload.discard();
    }
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

/** Equal where one may be another name of the other. A sidecar never is. */
function likenessOf({ item, content }: Placed<Item>): string | undefined {
  return item.sidecar ? undefined : `${content.digest} ${Math.floor(item.mtime / 1000)}`;
}

function removeFile(bytes: Held<unknown>["bytes"]): void {
  if ("file" in bytes) rmSync(bytes.file, { force: true });
}
