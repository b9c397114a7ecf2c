import { type Dump, type DumpCollection, type DumpItem, UNREAD, dumpId, dumpKey } from "./dump.js";
import { dumpFileName, dumpLayout } from "./dump-layout.js";
import { DumpStage, type DumpStageOptions } from "./dump-stage.js";
import { BackupError, isBackupError, throwIfAborted } from "./errors.js";
import {
  type Body,
  type Collection,
  type Content,
  type Naming,
  type Path,
  type Unavailable,
  isUnavailable,
} from "./model.js";
import { isSafe } from "./paths.js";
import type { Source, View } from "./source.js";

export interface DumpSourceOptions {
  /** `Source.id`. */
  readonly id: string;
  /** `Source.collections`. */
  readonly collections: (signal: AbortSignal) => AsyncIterable<DumpCollection | Unavailable>;
  /** Whether the source would list this collection if there were one: what was left out stays at the destination. Default: any. */
  readonly wants?: ((path: Path) => boolean) | undefined;
  /** Where dumps wait that have changed. */
  readonly stage?: DumpStageOptions | undefined;
  /** Called at the end. */
  readonly dispose?: (() => Promise<void>) | undefined;
  /** The clock, milliseconds: the time of a file is when its dump was begun, if the dump says no other. */
  readonly now?: (() => number) | undefined;
}

/** Longest name of a file, bytes. */
const LONGEST = 255;
const ANY_DIGEST = "a".repeat(26);

/**
 * A source whose items are made by a program when they are asked for, as dumps of databases.
 *
 * One dump at a time: where the destination has one of that name, it is produced when the collection is listed, and is the
 * same if the digest is; then nothing is transferred. Otherwise it waits in a private directory until it is read, or, where
 * that has no room, is produced once more. One that the destination has not is produced when it is read, straight into
 * the store. A dump that fails costs no other.
 */
export class DumpSource implements Source<DumpItem> {
  readonly id: string;
  readonly leaves = dumpLayout.leaves;
  readonly unit = dumpLayout.unit;
  readonly #options: DumpSourceOptions;
  readonly #stage: DumpStage;
  readonly #now: () => number;
  readonly #collections = new Map<Path, DumpCollection>();
  readonly #dumps = new Map<string, Dump>();

  constructor(options: DumpSourceOptions) {
    this.id = options.id;
    this.#options = options;
    this.#stage = new DumpStage(options.stage);
    this.#now = options.now ?? Date.now;
  }

  naming(limits: { readonly colon: boolean }): Naming<DumpItem> {
    return dumpLayout.naming(limits);
  }

  collectionAt(directory: Path): Path | undefined {
    const path = dumpLayout.collectionAt(directory);
    return path !== undefined && (this.#options.wants?.(path) ?? true) ? path : undefined;
  }

  async *collections(signal: AbortSignal): AsyncGenerator<Collection | Unavailable> {
    throwIfAborted(signal);
    this.#collections.clear();
    for await (const entry of this.#options.collections(signal)) {
      throwIfAborted(signal);
      if (!isUnavailable(entry)) this.#collections.set(entry.path, entry);
      yield isUnavailable(entry) ? entry : collectionOf(entry);
    }
  }

  async *list(
    { path }: Collection,
    { known }: View,
    signal: AbortSignal,
  ): AsyncGenerator<readonly (DumpItem | Unavailable)[]> {
    throwIfAborted(signal);
    const collection = this.#collections.get(path);
    if (!collection) throw new BackupError("COLLECTION_UNAVAILABLE", `${path} was not listed`);
    const there = new Map<string, Set<string>>();
    for (const { identity } of known) there.set(identity.id, (there.get(identity.id) ?? new Set()).add(identity.rev));
    for await (const entry of collection.dumps(signal)) {
      throwIfAborted(signal);
      yield [isUnavailable(entry) ? entry : await this.#itemOf(path, entry, there.get(dumpId(entry)), signal)];
    }
  }

  async *read(items: readonly DumpItem[], signal: AbortSignal): AsyncGenerator<Body<DumpItem>> {
    for (const item of items) {
      throwIfAborted(signal);
      const key = dumpKey(item.collection, item.id);
      const dump = this.#dumps.get(key);
      if (dump) yield { item, bytes: this.#stage.read(key, dump, signal) };
      else yield { item, error: new BackupError("ITEM_UNREADABLE", `${item.id} was not listed`) };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stage[Symbol.asyncDispose]();
    await this.#options.dispose?.();
  }

  /** @param there revisions that the destination has of it; undefined: none */
  async #itemOf(
    collection: Path,
    dump: Dump,
    there: ReadonlySet<string> | undefined,
    signal: AbortSignal,
  ): Promise<DumpItem | Unavailable> {
    const { name, extension, size = 0, mtime = this.#now() } = dump;
    const id = dumpId(dump);
    const key = dumpKey(collection, id);
    const file = dumpFileName(name, ANY_DIGEST, extension);
    if (Buffer.byteLength(file) > LONGEST || !isSafe(file)) {
      const message = `${JSON.stringify(name.slice(0, 40))} cannot be a file's name, or one of more than ${LONGEST} bytes, and was left out`;
      return { name: id, error: new BackupError("UNSAFE_PATH", message) };
    }
    this.#dumps.set(key, dump);
    const item = { collection, id, name, extension, mtime, replaces: true };
    if (!there) return { ...item, rev: UNREAD, size };
    try {
      const keep = ({ digest }: Content): boolean => !there.has(digest);
      const content = await this.#stage.add(key, dump, { keep, signal });
      return { ...item, rev: content.digest, size: content.size };
    } catch (error) {
      throwIfAborted(signal);
      if (!isBackupError(error)) throw error;
      return { name: id, error };
    }
  }
}

function collectionOf({ path, name, fingerprint }: DumpCollection): Collection {
  return { path, name, ...(fingerprint === undefined ? {} : { fingerprint }) };
}
