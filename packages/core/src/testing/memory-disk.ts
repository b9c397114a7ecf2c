import { randomUUID } from "node:crypto";
import type { Path } from "../model.js";
import { parentOf } from "../paths.js";

export interface MemoryFile {
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly mtime: number;
}

interface MemoryDirectory {
  stamp: number;
  readonly files: Map<string, MemoryFile>;
}

/** What a MemoryStore stands on; outlives the store as a disk outlives a process. The root is the path "". */
export class MemoryDisk {
  readonly directories = new Map<Path, MemoryDirectory>();
  /** Files under temporary names. */
  readonly temporary = new Map<string, Uint8Array>();
  /** Who holds the lease. */
  holder: { readonly isAlive: () => boolean } | undefined;
  /** Of the last lease. */
  fence = 0;
  #changes = 0;

  /** Makes a directory and its parents; `made` is called before each that is new. */
  makeDirectory(path: Path, made: () => void = () => {}): void {
    if (this.directories.has(path)) return;
    if (path !== "") this.makeDirectory(parentOf(path), made);
    made();
    this.directories.set(path, { stamp: this.#changes++, files: new Map() });
    if (path !== "") this.#touch(parentOf(path));
  }

  removeDirectory(path: Path): void {
    this.directories.delete(path);
    this.#touch(parentOf(path));
  }

  /** A directory and all below it, parents first. */
  below(path: Path): readonly Path[] {
    return [...this.directories.keys()].filter((at) => at === path || at.startsWith(`${path}/`)).toSorted();
  }

  moveDirectory(from: Path, to: Path): void {
    for (const at of this.below(from)) {
      const directory = this.directories.get(at);
      if (directory) this.directories.set(`${to}${at.slice(from.length)}`, directory);
      this.directories.delete(at);
    }
    for (const parent of [parentOf(from), parentOf(to)]) this.#touch(parent);
  }

  isEmpty(path: Path): boolean {
    if (this.directories.get(path)?.files.size) return false;
    for (const other of this.directories.keys()) if (other.startsWith(`${path}/`)) return false;
    return true;
  }

  get(path: Path): MemoryFile | undefined {
    return this.directories.get(parentOf(path))?.files.get(nameOf(path));
  }

  set(path: Path, file: MemoryFile): void {
    const directory = this.directories.get(parentOf(path));
    if (!directory) throw new Error(`the directory of ${path} is missing`);
    directory.files.set(nameOf(path), file);
    this.#touch(parentOf(path));
  }

  delete(path: Path): boolean {
    const was = this.directories.get(parentOf(path))?.files.delete(nameOf(path)) ?? false;
    if (was) this.#touch(parentOf(path));
    return was;
  }

  newTemporary(): string {
    const name = randomUUID();
    this.temporary.set(name, new Uint8Array());
    return name;
  }

  #touch(path: Path): void {
    const directory = this.directories.get(path);
    if (directory) directory.stamp = this.#changes++;
  }
}

function nameOf(path: Path): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
