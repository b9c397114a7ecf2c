import { once } from "node:events";
import {
  BackupError,
  type Body,
  type Cloned,
  type Content,
  type Description,
  type Digested,
  type Directory,
  type FileContent,
  type FileTree,
  type FileTreeOptions,
  type Item,
  type Lease,
  type Move,
  type Outcome,
  type Path,
  type Place,
  type Reach,
  type Store,
  type Stored,
  throwIfAborted,
} from "@backup/core";

/** A store, and what it stands on, which is disposed of after it in this order. */
export interface Opened {
  readonly store: Store;
  readonly owned: readonly AsyncDisposable[];
}

/**
 * A store that is being opened: it connects at once, while the caller does something else, and every method waits for
 * that. What fails shows at the first use.
 */
export class PendingStore implements Store {
  readonly name: string;
  /** Resolves when it is open, or never will be. */
  readonly settled: Promise<void>;
  readonly #abort = new AbortController();
  readonly #reached = new AbortController();
  readonly #opening: Promise<Opened>;
  #opened: Store | undefined;

  /**
   * @param open gets a signal that fires when this store is disposed of before it is open, and one that fires when `reach`
   * is called: programs will be run there
   */
  constructor(name: string, open: (signal: AbortSignal, reached: AbortSignal) => Promise<Opened>) {
    this.name = name;
    this.#opening = open(this.#abort.signal, this.#reached.signal).then((opened) => {
      this.#opened = opened.store;
      return opened;
    });
    // What fails is shown at the first use; until then it must not count as unhandled.
    this.settled = this.#opening.then(
      () => {},
      () => {},
    );
  }

  get can(): Store["can"] {
    return this.#opened?.can ?? { colon: true };
  }

  async lease(signal: AbortSignal): Promise<Lease> {
    return (await this.#store(signal)).lease(signal);
  }

  async directories(leaves: readonly string[], signal: AbortSignal, at?: Path): Promise<readonly Directory[]> {
    return (await this.#store(signal)).directories(leaves, signal, at);
  }

  async subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]> {
    return (await this.#store(signal)).subdirectories(directories, signal);
  }

  async list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]> {
    return (await this.#store(signal)).list(directories, signal);
  }

  async read(path: Path, signal: AbortSignal): Promise<Uint8Array> {
    return (await this.#store(signal)).read(path, signal);
  }

  async *contents(files: readonly Stored[], signal: AbortSignal): AsyncGenerator<FileContent> {
    yield* (await this.#store(signal)).contents(files, signal);
  }

  async heads(paths: readonly Path[], bytes: number, signal: AbortSignal): Promise<ReadonlyMap<Path, Uint8Array>> {
    return (await this.#store(signal)).heads(paths, bytes, signal);
  }

  async link(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]> {
    return (await this.#store(signal)).link(links, signal);
  }

  async *digests(paths: readonly Path[], signal: AbortSignal): AsyncGenerator<Digested> {
    yield* (await this.#store(signal)).digests(paths, signal);
  }

  async makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    return (await this.#store(signal)).makeDirectories(paths, signal);
  }

  async move(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    return (await this.#store(signal)).move(moves, signal);
  }

  async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    yield* (await this.#store(signal)).put(bodies, place, signal);
  }

  async write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    return (await this.#store(signal)).write(path, bytes, signal);
  }

  async remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    return (await this.#store(signal)).remove(paths, signal);
  }

  async removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    return (await this.#store(signal)).removeDirectories(paths, signal);
  }

  async clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned> {
    return (await this.#store(signal)).clone(from, to, signal);
  }

  async moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    return (await this.#store(signal)).moveTree(from, to, signal);
  }

  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    return (await this.#store(signal)).removeTree(path, signal);
  }

  async tree(at: Path, options: FileTreeOptions, signal: AbortSignal): Promise<FileTree | undefined> {
    return (await this.#store(signal)).tree?.(at, options, signal);
  }

  async reach(signal: AbortSignal): Promise<Reach | undefined> {
    this.#reached.abort();
    return (await this.#store(signal)).reach?.(signal);
  }

  async describe(signal: AbortSignal): Promise<Description> {
    return (await this.#store(signal)).describe(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new BackupError("ABORTED", `${this.name} was closed while it was being opened`));
    // One that never opened holds nothing, and why was shown by the method that waited for it.
    const opened = await this.#opening.catch(() => undefined);
    await opened?.store[Symbol.asyncDispose]();
    for (const resource of opened?.owned ?? []) await resource[Symbol.asyncDispose]();
  }

  /** Waits for the store, at most until the signal fires. */
  async #store(signal: AbortSignal): Promise<Store> {
    throwIfAborted(signal);
    if (this.#opened) return this.#opened;
    const settled = new AbortController();
    const aborted = once(signal, "abort", { signal: settled.signal });
    // It ends with `settled` or is not waited for.
    aborted.catch(() => {});
    try {
      const opened = await Promise.race([this.#opening, aborted]);
      throwIfAborted(signal);
      if ("store" in opened) return opened.store;
      throw new TypeError("an abort signal fired and is not aborted");
    } finally {
      settled.abort();
    }
  }
}
