import { contentOf } from "../digest.js";
import { BackupError, throwIfAborted } from "../errors.js";
import type { Lease } from "../lease.js";
import type { Body, Content, Directory, Item, Outcome, Path, Stored } from "../model.js";
import { PRIVATE, checkPath, parentOf } from "../paths.js";
import { readAhead } from "../read-ahead.js";
import type { Cloned, Description, Digested, FileContent, Move, Place, Store } from "../store.js";
import { MemoryDisk, type MemoryFile } from "./memory-disk.js";

export type { MemoryFile } from "./memory-disk.js";

export interface MemoryStoreOptions {
  /** Whether names may hold `:`. Default true. */
  readonly colon?: boolean;
  /** Files that are published together. Default 4. */
  readonly batchFiles?: number;
}

/** A file under its temporary name. */
interface Received<I extends Item> {
  readonly item: I;
  readonly temporary: string;
  readonly content: Content;
}

/**
 * A store in memory, for tests. It can be killed at any writing step, as a process is by a power failure,
 * and what it holds can be looked at and changed behind its back.
 */
export class MemoryStore implements Store {
  readonly name = "memory";
  readonly can: { readonly colon: boolean };
  readonly #options: MemoryStoreOptions;
  readonly #disk: MemoryDisk;
  #lost: AbortController | undefined;
  #killed = false;
  #stepsLeft = Number.POSITIVE_INFINITY;
  #steps = 0;
  #links = 0;

  constructor(options: MemoryStoreOptions = {}, disk = new MemoryDisk()) {
    this.can = { colon: options.colon ?? true };
    this.#options = options;
    this.#disk = disk;
  }

  /** Writing steps so far: each directory made, file published, moved or removed is one. */
  get steps(): number {
    return this.#steps;
  }

  /** Files that were made another name of one that was there. */
  get links(): number {
    return this.#links;
  }

  /** Another store on the same destination, as another process would open it. */
  reopen(options: MemoryStoreOptions = this.#options): MemoryStore {
    return new MemoryStore(options, this.#disk);
  }

  /** Lets so many more writing steps pass; the next one throws, and so does everything after it. */
  killAfter(steps: number): void {
    this.#stepsLeft = steps;
  }

  /** Makes the lease that was taken here fire `lost`. */
  loseLease(): void {
    this.#lost?.abort(new BackupError("LEASE_LOST", "another run took over memory", { transient: true }));
  }

  /** Every file that is not the store's own, by path. */
  files(): ReadonlyMap<Path, MemoryFile> {
    const files = new Map<Path, MemoryFile>();
    for (const [at, directory] of this.#disk.directories) {
      if (at.split("/")[0] === PRIVATE) continue;
      for (const [name, file] of directory.files) files.set(at === "" ? name : `${at}/${name}`, file);
    }
    return files;
  }

  /** What an interrupted call left under temporary names. */
  leftovers(): readonly string[] {
    return [...this.#disk.temporary.keys()];
  }

  /** Writes a file behind the store's back, and its directories. */
  plant(path: Path, bytes: Uint8Array, mtime = 0): void {
    this.#disk.makeDirectory(parentOf(path));
    this.#disk.set(path, { bytes, mtime });
  }

  /** Removes a file behind the store's back. */
  snatch(path: Path): void {
    this.#disk.delete(path);
  }

  async lease(signal: AbortSignal): Promise<Lease> {
    this.#begin(signal);
    if (this.#disk.holder?.isAlive())
      throw new BackupError("LEASE_HELD", "another run is writing to memory", { transient: true });
    this.#step();
    const holder = { isAlive: () => !this.#killed };
    const lost = new AbortController();
    this.#disk.holder = holder;
    this.#lost = lost;
    this.#disk.makeDirectory(PRIVATE);
    this.#disk.temporary.clear();
    return {
      lost: lost.signal,
      fence: ++this.#disk.fence,
      token: String(this.#disk.fence),
      [Symbol.asyncDispose]: async () => {
        // A killed process releases nothing.
        if (!this.#killed && this.#disk.holder === holder) this.#disk.holder = undefined;
      },
    };
  }

  async directories(leaves: readonly string[], signal: AbortSignal, at: Path = ""): Promise<readonly Directory[]> {
    this.#begin(signal);
    const found: Directory[] = [];
    const top = at === "" ? "" : `${at}/`;
    for (const [path, { stamp }] of this.#disk.directories) {
      if (path === "" || path === at || !path.startsWith(top)) continue;
      const names = path.slice(top.length).split("/");
      const isHidden = names.some((name) => name.startsWith("."));
      const isOther = names.some((_, depth) =>
        this.#disk.directories.has(`${top}${names.slice(0, depth + 1).join("/")}/.backup`),
      );
      if (!isHidden && !isOther && !names.slice(0, -1).some((name) => leaves.includes(name)))
        found.push({ path, stamp: String(stamp) });
    }
    return found;
  }

  async subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]> {
    this.#begin(signal);
    for (const path of directories) if (path !== "") checkPath(path);
    return [...this.#disk.directories.keys()].filter(
      (path) => path !== "" && directories.includes(parentOf(path)) && !/(?:^|\/)\.[^/]*$/.test(path),
    );
  }

  async list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]> {
    return directories.flatMap((directory) => {
      checkPath(directory);
      this.#begin(signal);
      const files = this.#disk.directories.get(directory)?.files ?? new Map<string, MemoryFile>();
      return Array.from(files, ([name, { bytes, mtime }]) => ({
        path: `${directory}/${name}`,
        size: bytes.byteLength,
        mtime,
      }));
    });
  }

  async read(path: Path, signal: AbortSignal): Promise<Uint8Array> {
    checkPath(path);
    this.#begin(signal);
    const file = this.#disk.get(path);
    if (!file) throw new BackupError("NOT_FOUND", `memory has no ${path}`);
    return file.bytes;
  }

  contents(files: readonly Stored[], signal: AbortSignal): AsyncGenerator<FileContent> {
    return readAhead(files, { read: (path) => this.read(path, signal), lanes: 4, signal });
  }

  async heads(paths: readonly Path[], bytes: number, signal: AbortSignal): Promise<ReadonlyMap<Path, Uint8Array>> {
    this.#begin(signal);
    return new Map(
      paths.flatMap((path): [Path, Uint8Array][] => {
        checkPath(path);
        const file = this.#disk.get(path);
        return file ? [[path, file.bytes.subarray(0, bytes)]] : [];
      }),
    );
  }

  async *digests(paths: readonly Path[], signal: AbortSignal): AsyncGenerator<Digested> {
    for (const path of paths) {
      checkPath(path);
      this.#begin(signal);
      const file = this.#disk.get(path);
      if (file) yield { path, digest: contentOf(file.bytes).digest };
      else yield { path, error: new BackupError("NOT_FOUND", `${path} is not there`) };
    }
  }

  async link(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]> {
    return links.map(({ from, to }) => {
      checkPath(from);
      checkPath(to);
      this.#begin(signal);
      const file = this.#disk.get(from);
      if (!file || this.#disk.get(to)) return false;
      this.#step();
      this.#disk.set(to, file);
      return true;
    });
  }

  async makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    for (const path of paths) checkPath(path);
    for (const path of paths) {
      this.#begin(signal);
      this.#disk.makeDirectory(path, () => this.#step());
    }
  }

  async move(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    for (const { from, to } of moves) {
      checkPath(from);
      checkPath(to);
      this.#begin(signal);
      const file = this.#disk.get(from);
      if (file) {
        this.#step();
        this.#disk.delete(from);
        this.#disk.set(to, file);
      } else if (!this.#disk.get(to)) throw new BackupError("NOT_FOUND", `memory has no ${from}`, { transient: true });
    }
  }

  async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    const source = bodies[Symbol.asyncIterator]();
    let sourceError: { readonly error: unknown } | undefined;
    let batch: (Received<I> | Outcome<I>)[] = [];
    try {
      for (;;) {
        const next = await source.next().catch((error: unknown) => {
          sourceError = { error };
        });
        this.#begin(signal);
        if (!next || next.done) break;
        batch.push(await this.#receive(next.value, signal));
        if (batch.length < (this.#options.batchFiles ?? 4)) continue;
        const full = batch;
        batch = [];
        yield this.#publish(full, place, signal);
      }
    } finally {
      await source.return?.();
    }
    if (batch.length > 0) yield this.#publish(batch, place, signal);
    if (sourceError) throw sourceError.error;
  }

  async write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    checkPath(path);
    this.#begin(signal);
    this.#step();
    this.#disk.set(path, { bytes: Uint8Array.from(bytes), mtime: Date.now() });
  }

  async remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    for (const path of paths) {
      checkPath(path);
      this.#begin(signal);
      if (!this.#disk.get(path)) continue;
      this.#step();
      this.#disk.delete(path);
    }
  }

  async removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    for (const path of paths) checkPath(path);
    for (const path of paths.toSorted((a, b) => b.length - a.length)) {
      for (let at = path; at !== "" && this.#disk.isEmpty(at); at = parentOf(at)) {
        this.#begin(signal);
        if (!this.#disk.directories.has(at)) continue;
        this.#step();
        this.#disk.removeDirectory(at);
      }
    }
  }

  async clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned> {
    checkPath(from);
    if (!this.#disk.directories.has(from)) throw new BackupError("NOT_FOUND", `memory has no directory ${from}`);
    await this.removeTree(to, signal);
    for (const path of this.#disk.below(from)) {
      this.#begin(signal);
      const target = `${to}${path.slice(from.length)}`;
      this.#disk.makeDirectory(target, () => this.#step());
      for (const [name, file] of this.#disk.directories.get(path)?.files ?? []) {
        this.#step();
        this.#disk.set(`${target}/${name}`, file);
      }
    }
    return { copied: 0 };
  }

  async moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    checkPath(from);
    checkPath(to);
    this.#begin(signal);
    if (this.#disk.directories.has(from)) {
      this.#step();
      this.#disk.moveDirectory(from, to);
    } else if (!this.#disk.directories.has(to)) throw new BackupError("NOT_FOUND", `memory has no directory ${from}`);
  }

  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    checkPath(path);
    for (const at of this.#disk.below(path).toReversed()) {
      this.#begin(signal);
      this.#step();
      this.#disk.removeDirectory(at);
    }
  }

  async describe(signal: AbortSignal): Promise<Description> {
    this.#begin(signal);
    return { transport: "memory", rename: true, link: true, fsync: true, colon: this.can.colon };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing open.
  }

  /** Writes one body to a temporary name; an error of its bytes is its outcome. */
  async #receive<I extends Item>(body: Body<I>, signal: AbortSignal): Promise<Received<I> | Outcome<I>> {
    if ("error" in body) return body;
    const { item, bytes } = body;
    const temporary = this.#disk.newTemporary();
    const pieces: Uint8Array[] = [];
    try {
      if (bytes instanceof Uint8Array) pieces.push(bytes);
      else
        for await (const piece of bytes) {
          this.#begin(signal);
          pieces.push(piece);
        }
    } catch (error) {
      this.#begin(signal);
      this.#disk.temporary.delete(temporary);
      return { item, error: error instanceof Error ? error : new Error(String(error)) };
    }
    const whole = Uint8Array.from(Buffer.concat(pieces));
    this.#disk.temporary.set(temporary, whole);
    return { item, temporary, content: contentOf(whole) };
  }

  #publish<I extends Item>(
    batch: readonly (Received<I> | Outcome<I>)[],
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): readonly Outcome<I>[] {
    this.#begin(signal);
    return batch.map((received) => {
      if (!("temporary" in received)) return received;
      const { item, content, temporary } = received;
      const { path, same } = place(item, content);
      checkPath(path);
      this.#step();
      const bytes = this.#disk.temporary.get(temporary) ?? new Uint8Array();
      const file = same === undefined ? undefined : this.#disk.get(same);
      if (file) this.#links++;
      this.#disk.set(path, file ?? { bytes, mtime: item.mtime });
      this.#disk.temporary.delete(temporary);
      return { item, path, content };
    });
  }

  #begin(signal: AbortSignal): void {
    throwIfAborted(signal);
    if (this.#killed) throw new Error("killed");
  }

  #step(): void {
    if (this.#stepsLeft <= 0) this.#killed = true;
    if (this.#killed) throw new Error("killed");
    this.#stepsLeft--;
    this.#steps++;
  }
}
