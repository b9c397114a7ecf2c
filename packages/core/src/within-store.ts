import type { Lease } from "./lease.js";
import type { Body, Content, Directory, Item, Outcome, Path, Stored } from "./model.js";
import type { FileTree, FileTreeOptions } from "./file-tree.js";
import type { Reach } from "./reach.js";
import type { Cloned, Description, Digested, FileContent, Move, Place, Store } from "./store.js";

export interface WithinOptions {
  /** What a person calls it; default: the outer one's name and the path. */
  readonly name?: string | undefined;
  /** Default: takes that of the outer store. */
  readonly lease?: ((signal: AbortSignal) => Promise<Lease>) | undefined;
}

/**
 * A directory of a store as a store. The lease and what is temporary are the outer store's, which stays its owner's to
 * dispose of. No path leads out of the directory.
 */
export function within(store: Store, path: Path, options: WithinOptions = {}): Store {
  return new WithinStore(store, path, options);
}

class WithinStore implements Store {
  readonly name: string;
  readonly #outer: Store;
  readonly #path: Path;
  readonly #lease: (signal: AbortSignal) => Promise<Lease>;

  constructor(outer: Store, path: Path, { name, lease }: WithinOptions) {
    this.name = name ?? `${outer.name.replace(/(?<=[^/:])\/+$/, "")}/${path}`;
    this.#outer = outer;
    this.#path = path;
    this.#lease = lease ?? ((signal) => outer.lease(signal));
  }

  get can(): Store["can"] {
    return this.#outer.can;
  }

  lease(signal: AbortSignal): Promise<Lease> {
    return this.#lease(signal);
  }

  async directories(leaves: readonly string[], signal: AbortSignal, at: Path = ""): Promise<readonly Directory[]> {
    const found = await this.#outer.directories(leaves, signal, this.#directory(at));
    return found.map(({ path, stamp }) => ({ path: this.#up(path), stamp }));
  }

  async subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]> {
    const below = directories.map((path) => this.#directory(path));
    const found = await this.#outer.subdirectories(below, signal);
    return found.map((path) => this.#up(path));
  }

  async list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]> {
    const found = await this.#outer.list(this.#all(directories), signal);
    return found.map((file) => ({ ...file, path: this.#up(file.path) }));
  }

  read(path: Path, signal: AbortSignal): Promise<Uint8Array> {
    return this.#outer.read(this.#down(path), signal);
  }

  async *contents(files: readonly Stored[], signal: AbortSignal): AsyncGenerator<FileContent> {
    const there = files.map((file) => ({ ...file, path: this.#down(file.path) }));
    for await (const content of this.#outer.contents(there, signal)) yield { ...content, path: this.#up(content.path) };
  }

  async *digests(paths: readonly Path[], signal: AbortSignal): AsyncGenerator<Digested> {
    for await (const digested of this.#outer.digests(this.#all(paths), signal))
      yield { ...digested, path: this.#up(digested.path) };
  }

  async heads(paths: readonly Path[], bytes: number, signal: AbortSignal): Promise<ReadonlyMap<Path, Uint8Array>> {
    const heads = await this.#outer.heads(this.#all(paths), bytes, signal);
    return new Map(Array.from(heads, ([path, head]) => [this.#up(path), head]));
  }

  makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    return this.#outer.makeDirectories(this.#all(paths), signal);
  }

  move(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    return this.#outer.move(this.#moves(moves), signal);
  }

  link(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]> {
    return this.#outer.link(this.#moves(links), signal);
  }

  async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    const below = (item: I, content: Content): Place => {
      const { path, same } = place(item, content);
      return { path: this.#down(path), same: same === undefined ? undefined : this.#down(same) };
    };
    for await (const batch of this.#outer.put(bodies, below, signal))
      yield batch.map((outcome) => ("error" in outcome ? outcome : { ...outcome, path: this.#up(outcome.path) }));
  }

  write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#outer.write(this.#down(path), bytes, signal);
  }

  remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    return this.#outer.remove(this.#all(paths), signal);
  }

  removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    return this.#outer.removeDirectories(this.#all(paths), signal);
  }

  clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned> {
    return this.#outer.clone(this.#down(from), this.#down(to), signal);
  }

  moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    return this.#outer.moveTree(this.#down(from), this.#down(to), signal);
  }

  removeTree(path: Path, signal: AbortSignal): Promise<void> {
    return this.#outer.removeTree(this.#down(path), signal);
  }

  async reach(signal: AbortSignal): Promise<Reach | undefined> {
    const outer = await this.#outer.reach?.(signal);
    if (!outer) return undefined;
    const { directory } = outer;
    const at = directory === "" || directory.endsWith("/") ? `${directory}${this.#path}` : `${directory}/${this.#path}`;
    return { ...outer, directory: at };
  }

  async tree(at: Path, options: FileTreeOptions, signal: AbortSignal): Promise<FileTree | undefined> {
    return this.#outer.tree?.(this.#directory(at), options, signal);
  }

  describe(signal: AbortSignal): Promise<Description> {
    return this.#outer.describe(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The outer store is its owner's.
  }

  /** The outer store's word for a path; it refuses one that leaves this directory, as any with `..` in it. */
  #down(path: Path): Path {
    return `${this.#path}/${path}`;
  }

  /** The same for one that may be this directory itself. */
  #directory(path: Path): Path {
    return path === "" ? this.#path : this.#down(path);
  }

  #up(path: Path): Path {
    return path.slice(this.#path.length + 1);
  }

  #all(paths: readonly Path[]): readonly Path[] {
    return paths.map((path) => this.#down(path));
  }

  #moves(moves: readonly Move[]): readonly Move[] {
    return moves.map(({ from, to }) => ({ from: this.#down(from), to: this.#down(to) }));
  }
}
