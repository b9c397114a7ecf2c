import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { randomUUID } from "node:crypto";
import { diskError } from "./disk-error.js";
import { BackupError, systemCode, throwIfAborted } from "./errors.js";
import type { Attributes, FileTree, FileTreeOptions, RawPath, TreeEntry, TreeFacts } from "./file-tree.js";
import { NO_LINK } from "./local-link.js";
import { parentOf } from "./paths.js";
import { syncFileSystemHere } from "./sync-file-system.js";

/** Bytes that are read in one go. */
const PIECE = 256 * 1024;
/** Bytes, and entries, after which the event loop gets a turn. */
const TURN_BYTES = 8 * 1024 * 1024;
const TURN_ENTRIES = 500;

/** Bytes of a block as stat(2) counts them. */
const BLOCK = 512n;

/** Each holds a piece in memory. */
const LANES = 64;

/**
 * A directory of this machine. Its calls are synchronous: what is in memory, or goes there, takes some microseconds, and a
 * thread ten times that.
 */
export class LocalTree implements FileTree {
  readonly #root: string;
  readonly #scratch: RawPath | undefined;
  readonly #prefix = randomUUID();
  #names = 0;

  constructor(root: string, { scratch }: FileTreeOptions = {}) {
    this.#root = root;
    this.#scratch = scratch === undefined ? undefined : Buffer.from(scratch).toString("latin1");
  }

  async facts(): Promise<TreeFacts> {
    return { wholeSeconds: false, linkTimes: true, rawNames: true, lanes: LANES };
  }

  async entries(directory: RawPath, signal: AbortSignal): Promise<readonly TreeEntry[] | undefined> {
    throwIfAborted(signal);
    const names = this.#reading(directory, () => readdirSync(this.#at(directory), { encoding: "buffer" }));
    if (!names) return undefined;
    const entries: TreeEntry[] = [];
    for (const [index, bytes] of names.entries()) {
      const name = bytes.toString("latin1");
      const path = directory === "" ? name : `${directory}/${name}`;
      const entry = this.#reading(path, () => this.#entry(path, lstatSync(this.#at(path), { bigint: true })));
      if (entry) entries.push(entry);
      if (index % TURN_ENTRIES === TURN_ENTRIES - 1) await this.#turn(signal);
    }
    return entries;
  }

  async entry(path: RawPath, signal: AbortSignal): Promise<TreeEntry | undefined> {
    throwIfAborted(signal);
    const stat = path === "" ? statSync : lstatSync;
    return this.#reading(path, () => this.#entry(path, stat(this.#at(path), { bigint: true })));
  }

  async *read(path: RawPath, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    throwIfAborted(signal);
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const descriptor = this.#reading(path, () => openSync(this.#at(path), flags));
    if (descriptor === undefined) throw new BackupError("NOT_FOUND", `${shown(path)} is not there`);
    try {
      if (!fstatSync(descriptor).isFile())
        throw new BackupError("ITEM_UNREADABLE", `${shown(path)} is no regular file any more`);
      let sinceTurn = 0;
      for (;;) {
        const piece = Buffer.allocUnsafe(PIECE);
        const count = this.#reading(path, () => readSync(descriptor, piece, 0, PIECE, null)) ?? 0;
        if (count > 0) yield piece.subarray(0, count);
        // Fewer only at the end of a file, as read(2) promises.
        if (count < PIECE) return;
        sinceTurn += count;
        if (sinceTurn < TURN_BYTES) continue;
        sinceTurn = 0;
        await this.#turn(signal);
      }
    } finally {
      closeSync(descriptor);
    }
  }

  async write(file: Parameters<FileTree["write"]>[0], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await this.#replacing(file.path, signal, async (temporary) => {
      const descriptor = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      try {
        for await (const piece of file.bytes()) {
          throwIfAborted(signal);
          for (let at = 0; at < piece.byteLength; ) at += writeSync(descriptor, piece, at);
        }
        fchmodSync(descriptor, file.mode);
        futimesSync(descriptor, Date.now() / 1000, secondsOf(file.mtime));
      } finally {
        closeSync(descriptor);
      }
    });
  }

  async writeLink({ path, target = "", mtime }: Parameters<FileTree["writeLink"]>[0], signal: AbortSignal) {
    throwIfAborted(signal);
    await this.#replacing(path, signal, async (temporary) => {
      symlinkSync(Buffer.from(target, "latin1"), temporary);
      lutimesSync(temporary, Date.now() / 1000, secondsOf(mtime));
    });
  }

  async makeDirectory(path: RawPath, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#writing(() => {
      try {
        mkdirSync(this.#at(path), { mode: 0o700, recursive: path === "" });
      } catch (error) {
        const isThere = systemCode(error) === "EEXIST" && lstatSync(this.#at(path)).isDirectory();
        if (!isThere) throw error;
      }
    });
  }

  async setAttributes({ path, type, mode, mtime }: Attributes, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const at = this.#at(path);
    const [now, time] = [Date.now() / 1000, secondsOf(mtime)];
    this.#writing(() => {
      if (type === "link") return lutimesSync(at, now, time);
      chmodSync(at, mode);
      utimesSync(at, now, time);
    });
  }

  async link(from: RawPath, to: RawPath, signal: AbortSignal): Promise<boolean> {
    throwIfAborted(signal);
    return this.#writing(() => {
      try {
        linkSync(this.#at(from), this.#at(to));
        return true;
      } catch (error) {
        if (NO_LINK.includes(systemCode(error) ?? "")) return false;
        throw error;
      }
    });
  }

  async remove({ path, type }: Pick<TreeEntry, "path" | "type">, signal: AbortSignal): Promise<boolean> {
    throwIfAborted(signal);
    return this.#writing(() => {
      try {
        if (type === "dir") rmdirSync(this.#at(path));
        else unlinkSync(this.#at(path));
        return true;
      } catch (error) {
        const code = systemCode(error);
        if (code === "ENOENT") return true;
        if (type === "dir" && (code === "ENOTEMPTY" || code === "EEXIST")) return false;
        throw error;
      }
    });
  }

  async finish(): Promise<void> {
    await syncFileSystemHere(this.#root);
  }

  #entry(path: RawPath, stats: BigIntStats): TreeEntry {
    const type = stats.isFile() ? "file" : stats.isDirectory() ? "dir" : stats.isSymbolicLink() ? "link" : "other";
    return {
      path,
      type,
      mode: Number(stats.mode & 0o7777n),
      size: type === "file" ? Number(stats.size) : 0,
      mtime: stats.mtimeNs,
      target: type === "link" ? readlinkSync(this.#at(path), "latin1") : undefined,
      owner: Number(stats.uid),
      group: Number(stats.gid),
      names: Number(stats.nlink),
      device: stats.dev,
      isSparse: type === "file" && stats.blocks * BLOCK < stats.size,
    };
  }

  /** Makes something under a name that nothing ever had, and gives it the one that it is to have. */
  async #replacing(path: RawPath, signal: AbortSignal, make: (temporary: Buffer) => Promise<void>): Promise<void> {
    const directory = this.#scratch ?? parentOf(path);
    const temporary = this.#at(`${directory === "" ? "" : `${directory}/`}.backup-${this.#prefix}-${this.#names++}`);
    try {
      await make(temporary);
      throwIfAborted(signal);
      renameSync(temporary, this.#at(path));
    } catch (error) {
      discard(temporary);
      throw diskError(error, this.#root);
    }
  }

  /** Undefined: it is not there. @throws BackupError ITEM_UNREADABLE */
  #reading<T>(path: RawPath, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw new BackupError("ITEM_UNREADABLE", `${shown(path)} cannot be read (${code})`, { cause: error });
    }
  }

  #writing<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw diskError(error, this.#root);
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise(setImmediate);
    throwIfAborted(signal);
  }

  #at(path: RawPath): Buffer {
    return Buffer.from(
      path === "" ? this.#root : `${Buffer.from(this.#root).toString("latin1")}/${path}`,
      path === "" ? "utf8" : "latin1",
    );
  }
}

function discard(file: Buffer): void {
  try {
    unlinkSync(file);
  } catch (error) {
    // It was not made, or cannot be removed by whom it could not be written by either.
    if (systemCode(error) === undefined) throw error;
  }
}

function shown(path: RawPath): string {
  return path === "" ? "the directory" : Buffer.from(path, "latin1").toString();
}

/** The middle of the microsecond: a number of seconds is not exact, and the second it is in must be right. */
function secondsOf(nanoseconds: bigint): number {
  const SECOND = 1_000_000_000n;
  const rest = ((nanoseconds % SECOND) + SECOND) % SECOND;
  const whole = Number((nanoseconds - rest) / SECOND);
  if (rest === 0n) return whole;
  const seconds = whole + (Number(rest / 1000n) + 0.5) / 1e6;
  return Math.floor(seconds) === whole ? seconds : whole;
}
