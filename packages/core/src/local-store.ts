import { type Stats, lstatSync } from "node:fs";
import {
  link,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  unlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BackupError, isBackupError, systemCode, throwIfAborted } from "./errors.js";
import { diskError, ignoring } from "./disk-error.js";
import { backupAround, makeDurably } from "./local-directories.js";
import type { FileTree, FileTreeOptions } from "./file-tree.js";
import { LEASE_FILE, LEASE_TIMING, type Lease, type LeaseTiming, takeLease } from "./lease.js";
import { cloneTree } from "./local-clone.js";
import { clearLeaseLeftovers, localLeaseFile } from "./local-lease-file.js";
import { digestFiles } from "./local-digests.js";
import { readHeads } from "./local-heads.js";
import { linkFiles } from "./local-link.js";
import { putBatches } from "./local-put.js";
import { LocalTree } from "./local-tree.js";
import type { Body, Content, Directory, Item, Outcome, Path, Stored } from "./model.js";
import { PRIVATE, checkPath, parentOf } from "./paths.js";
import type { Reach } from "./reach.js";
import { readAhead } from "./read-ahead.js";
import type { Cloned, Description, Digested, FileContent, Move, Place, Store } from "./store.js";
import { syncDirectory } from "./sync-directory.js";
import { withinBackup } from "./within-backup.js";

export interface LocalStoreOptions {
  readonly timing?: LeaseTiming;
  /** Files of a batch that are renamed and synced together. */
  readonly batchFiles?: number;
  /** Bytes of a batch. */
  readonly batchBytes?: number;
}

/** Names in one go between two turns of the event loop. */
const STAT_CHUNK = 1000;
/** Files that are read at once. */
const LANES = 8;

/** A directory of this machine as a store. Nothing is made before `lease` is taken. */
export class LocalStore implements Store {
  readonly name: string;
  readonly #root: string;
  readonly #options: LocalStoreOptions;
  #colon = true;

  constructor(directory: string, options: LocalStoreOptions = {}) {
    this.name = directory;
    this.#root = resolve(directory);
    this.#options = options;
  }

  get can(): { readonly colon: boolean } {
    return { colon: this.#colon };
  }

  async lease(signal: AbortSignal): Promise<Lease> {
    throwIfAborted(signal);
    const temporary = this.#temporary();
    try {
      if (!this.#stat(dirname(temporary))) await this.#checkSurroundings();
      await makeDurably([dirname(temporary)]);
      const file = join(this.#root, LEASE_FILE);
      const timing = this.#options.timing ?? LEASE_TIMING;
      const lease = await takeLease(localLeaseFile(file), this.name, timing);
      try {
        await clearLeaseLeftovers(file, timing.expiryMs);
        await rm(temporary, { recursive: true, force: true });
        await mkdir(temporary, { mode: 0o700 });
        this.#colon = await holdsColon(temporary);
        return lease;
      } catch (error) {
        await lease[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      throw isBackupError(error) ? error : diskError(error, this.name);
    }
  }

  async directories(leaves: readonly string[], signal: AbortSignal, top: Path = ""): Promise<readonly Directory[]> {
    const found: Directory[] = [];
    const skip = new Set(leaves);
    const visit = async (at: Path): Promise<void> => {
      throwIfAborted(signal);
      const entries = await ignoring(["ENOENT"], readdir(this.#directory(at), { withFileTypes: true }));
      if (!entries) return;
      if (at !== top) {
        // Another backup's destination, made in this one: none of our business.
        if (entries.some(({ name }) => name === PRIVATE)) return;
        await note(at);
      }
      const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
      await Promise.all(
        names.map(({ name }) => {
          const path = at === "" ? name : `${at}/${name}`;
          return skip.has(name) ? note(path) : visit(path);
        }),
      );
    };
    const note = async (path: Path): Promise<void> => {
      const stats = await ignoring(["ENOENT"], stat(this.#at(path), { bigint: true }));
      if (stats) found.push({ path, stamp: String(stats.mtimeNs) });
    };
    await this.#guard(visit(top));
    return found;
  }

  async subdirectories(directories: readonly Path[], signal: AbortSignal): Promise<readonly Path[]> {
    const found: Path[] = [];
    for (const at of directories) {
      throwIfAborted(signal);
      const reading = readdir(this.#directory(at), { withFileTypes: true });
      for (const entry of (await this.#guard(ignoring(["ENOENT", "ENOTDIR"], reading))) ?? [])
        if (entry.isDirectory() && !entry.name.startsWith("."))
          found.push(at === "" ? entry.name : `${at}/${entry.name}`);
    }
    return found;
  }

  async list(directories: readonly Path[], signal: AbortSignal): Promise<readonly Stored[]> {
    const files: Stored[] = [];
    // One after the other: what the kernel has at hand is not quicker side by side.
    for (const directory of directories) {
      const at = this.#at(directory);
      const names = await this.#guard(ignoring(["ENOENT", "ENOTDIR"], readdir(at)));
      for (const [index, name] of (names ?? []).entries()) {
        if (index % STAT_CHUNK === STAT_CHUNK - 1) await new Promise(setImmediate);
        throwIfAborted(signal);
        // In chunks and not asynchronous: ten times cheaper on a listing that the kernel has at hand.
        const stats = this.#stat(join(at, name));
        if (stats?.isFile()) files.push({ path: `${directory}/${name}`, size: stats.size, mtime: stats.mtimeMs });
      }
    }
    return files;
  }

  async read(path: Path, signal: AbortSignal): Promise<Uint8Array> {
    throwIfAborted(signal);
    const bytes = await this.#guard(ignoring(["ENOENT", "ENOTDIR"], readFile(this.#at(path))));
    if (!bytes) throw new BackupError("NOT_FOUND", `${this.name} has no ${path}`);
    return bytes;
  }

  contents(files: readonly Stored[], signal: AbortSignal): AsyncGenerator<FileContent> {
    return readAhead(files, { read: (path) => this.read(path, signal), lanes: LANES, signal });
  }

  async heads(paths: readonly Path[], bytes: number, signal: AbortSignal): Promise<ReadonlyMap<Path, Uint8Array>> {
    const places = paths.map((path) => [path, this.#at(path)] as const);
    return this.#guard(readHeads(places, bytes, signal));
  }

  async *digests(paths: readonly Path[], signal: AbortSignal): AsyncGenerator<Digested> {
    yield* digestFiles(
      paths.map((path) => [path, this.#at(path)] as const),
      signal,
    );
  }

  async makeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    const checked = new Set<Path>();
    for (const path of paths)
      for (let at = path; at !== "" && !checked.has(at); at = parentOf(at)) {
        checked.add(at);
        if (this.#stat(this.#at(at))?.isSymbolicLink())
          throw new BackupError(
            "DESTINATION_UNWRITABLE",
            `${this.#at(at)} is a symbolic link, and those are not followed; put the directory itself there`,
          );
      }
    await this.#guard(
      makeDurably(
        paths.map((path) => this.#at(path)),
        signal,
      ),
    );
  }

  async move(moves: readonly Move[], signal: AbortSignal): Promise<void> {
    const changed = new Set<string>();
    for (const { from, to } of moves) {
      throwIfAborted(signal);
      const moved = await this.#guard(
        ignoring(
          ["ENOENT"],
          rename(this.#at(from), this.#at(to)).then(() => true as const),
        ),
      );
      if (!moved && !this.#stat(this.#at(to)))
        throw new BackupError("NOT_FOUND", `${this.name}: ${from} vanished while the run went on; run again`, {
          transient: true,
        });
      changed.add(dirname(this.#at(from))).add(dirname(this.#at(to)));
    }
    // Where all was moved before, the directory that it left may be gone too.
    for (const directory of changed) await this.#guard(ignoring(["ENOENT"], syncDirectory(directory)));
  }

  async link(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]> {
    return this.#guard(
      linkFiles(
        links.map(({ from, to }) => ({ from: this.#at(from), to: this.#at(to) })),
        signal,
      ),
    );
  }

  async *put<I extends Item>(
    bodies: AsyncIterable<Body<I>>,
    place: (item: I, content: Content) => Place,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Outcome<I>[]> {
    yield* putBatches(bodies, {
      place,
      signal,
      at: (path) => this.#at(path),
      temporary: this.#temporary(),
      destination: this.name,
      batchFiles: this.#options.batchFiles ?? 256,
      batchBytes: this.#options.batchBytes ?? 4 * 1024 * 1024,
    });
  }

  async write(path: Path, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await this.#guard(replaceFile(this.#at(path), join(this.#temporary(), "whole"), bytes));
  }

  async remove(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    const changed = new Set<string>();
    for (const path of paths) {
      throwIfAborted(signal);
      await this.#guard(ignoring(["ENOENT"], unlink(this.#at(path))));
      changed.add(dirname(this.#at(path)));
    }
    for (const directory of changed) await this.#guard(ignoring(["ENOENT"], syncDirectory(directory)));
  }

  async removeDirectories(paths: readonly Path[], signal: AbortSignal): Promise<void> {
    for (const path of paths) checkPath(path);
    const changed = new Set<string>();
    for (const path of paths.toSorted((a, b) => b.length - a.length)) {
      for (let at = path; at !== ""; at = parentOf(at)) {
        throwIfAborted(signal);
        const gone = await this.#guard(
          ignoring(
            ["ENOTEMPTY", "EEXIST"],
            ignoring(["ENOENT"], rmdir(this.#at(at))).then(() => true as const),
          ),
        );
        if (!gone) break;
        changed.add(dirname(this.#at(at)));
      }
    }
    for (const directory of changed) await this.#guard(ignoring(["ENOENT"], syncDirectory(directory)));
  }

  async clone(from: Path, to: Path, signal: AbortSignal): Promise<Cloned> {
    const [at, target] = [this.#at(from), this.#at(to)];
    if (!this.#stat(at)?.isDirectory()) throw new BackupError("NOT_FOUND", `${this.name} has no directory ${from}`);
    await this.removeTree(to, signal);
    const cloned = await this.#guard(cloneTree(at, target, signal));
    await this.#guard(syncDirectory(dirname(target)));
    return cloned;
  }

  moveTree(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    return this.move([{ from, to }], signal);
  }

  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const at = this.#at(path);
    if (!this.#stat(at)) return;
    await this.#guard(rm(at, { recursive: true, force: true }));
    await this.#guard(syncDirectory(dirname(at)));
  }

  async reach(): Promise<Reach> {
    return { directory: this.#root };
  }

  async tree(at: Path, options: FileTreeOptions): Promise<FileTree> {
    return new LocalTree(this.#directory(at), options);
  }

  async describe(signal: AbortSignal): Promise<Description> {
    throwIfAborted(signal);
    const probe = join(this.#temporary(), "describe");
    return this.#guard(this.#describe(probe));
  }

  async #describe(probe: string): Promise<Description> {
    const before = Date.now();
    await writeFile(probe, "", { mode: 0o600 });
    const { mtimeMs } = await stat(probe);
    const other = `${probe}.link`;
    const linked = await ignoring(
      ["EPERM", "ENOTSUP", "ENOSYS", "EMLINK"],
      link(probe, other).then(() => true as const),
    );
    await Promise.all([probe, other].map((file) => ignoring(["ENOENT"], unlink(file))));
    const { bavail, bsize } = await statfs(this.#root);
    return {
      transport: "this machine",
      rename: true,
      link: linked ?? false,
      fsync: true,
      colon: this.#colon,
      freeBytes: bavail * bsize,
      clockSkewMs: Math.round(mtimeMs - before),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing open between calls.
  }

  /** One that is to be a new destination. */
  async #checkSurroundings(): Promise<void> {
    const outer = await backupAround(this.#root);
    if (outer !== undefined) throw withinBackup(this.name, outer);
  }

  #temporary(): string {
    return join(this.#root, PRIVATE, "tmp");
  }

  /** One that may be the root. */
  #directory(path: Path): string {
    return path === "" ? this.#root : this.#at(path);
  }

  #at(path: Path): string {
    checkPath(path);
    return join(this.#root, path);
  }

  #stat(file: string): Stats | undefined {
    try {
      return lstatSync(file, { throwIfNoEntry: false });
    } catch (error) {
      throw diskError(error, this.name);
    }
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw diskError(error, this.name);
    }
  }
}

/** Whether names here may hold a colon: not on exFAT, FAT or some SMB shares. */
async function holdsColon(directory: string): Promise<boolean> {
  const probe = join(directory, "probe:2,");
  try {
    await writeFile(probe, "", { mode: 0o600 });
    const names = await readdir(directory);
    await unlink(probe);
    return names.includes("probe:2,");
  } catch (error) {
    if (["EINVAL", "ENOENT", "EILSEQ", "EPERM", "EACCES", "EIO"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}

async function replaceFile(target: string, temporary: string, bytes: Uint8Array): Promise<void> {
  {
    await using file = await open(temporary, "w", 0o600);
    await file.writeFile(bytes);
    await file.sync();
  }
  await rename(temporary, target);
  await syncDirectory(dirname(target));
}
