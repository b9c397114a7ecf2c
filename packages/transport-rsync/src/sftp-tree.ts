import { randomUUID } from "node:crypto";
import {
  type Attributes,
  BackupError,
  type FileTree,
  type RawPath,
  type TreeEntry,
  type TreeFacts,
  throwIfAborted,
} from "@backup/core";
import type { Stats } from "ssh2";
import { OPEN, STATUS, type SftpCalls, SftpStatus, unless, unlessRefused } from "./sftp-calls.js";
import type { SftpChannel } from "./sftp-channel.js";
import { directorySync, readDirectory } from "./sftp-directory.js";
import { explained } from "./sftp-errors.js";
import { MANY, PIECE, UNANSWERED, attributesOf, replace, writeAll } from "./sftp-files.js";
import { ByteWindow, inFlight } from "./sftp-in-flight.js";
import { SftpLinks } from "./sftp-links.js";
import { makeWithParents } from "./sftp-make.js";
import { readPieces } from "./sftp-pieces.js";
import { folderOf } from "./sftp-root.js";

export interface SftpTreeOptions {
  readonly channel: SftpChannel;
  /** What a person calls it. */
  readonly name: string;
  /** As the server knows it. */
  readonly directory: string;
  /** See FileTreeOptions. */
  readonly scratch?: string | undefined;
}

/** READDIR requests that are sent at once. */
const AHEAD = 4;

/** Calls at a time, where the server opens so many files. */
const LANES = 64;

const SECOND_NS = 1_000_000_000n;

/** What `ls -l` says first, which OpenSSH and others send beside each name: mode, and how many names a file has. */
const LONG_NAME = /^[-a-zA-Z]{10}[.+@]?\s+(\d+)\s/;

/** A directory of a host, by SFTP. */
export class SftpTree implements FileTree {
  readonly #options: SftpTreeOptions;
  readonly #links = new SftpLinks();
  readonly #window = new ByteWindow(UNANSWERED);
  readonly #prefix = randomUUID();
  /** What was changed and is not durable yet. */
  readonly #changed = new Set<string>();
  #names = 0;

  constructor(options: SftpTreeOptions) {
    this.#options = options;
  }

  facts(signal: AbortSignal): Promise<TreeFacts> {
    return this.#options.channel.run(async ({ offers, handles }) => {
      const lanes = Math.min(LANES, handles);
      return { wholeSeconds: true, linkTimes: offers.lsetstat, rawNames: false, lanes };
    }, signal);
  }

  async entries(directory: RawPath, signal: AbortSignal): Promise<readonly TreeEntry[] | undefined> {
    const at = this.#at(directory);
    return this.#reading(directory, signal, async (sftp) => {
      const found = await readDirectory(sftp, at, AHEAD);
      if (!found) return undefined;
      const entries: TreeEntry[] = [];
      await inFlight(found, { limit: MANY, signal }, async ({ filename, longname, attrs }) => {
        const name = Buffer.from(filename).toString("latin1");
        const path = directory === "" ? name : `${directory}/${name}`;
        const names = Number(LONG_NAME.exec(longname)?.[1] ?? Number.NaN);
        const entry = await this.#entry(sftp, path, attrs);
        if (entry) entries.push(Number.isNaN(names) ? entry : { ...entry, names });
      });
      return entries;
    });
  }

  entry(path: RawPath, signal: AbortSignal): Promise<TreeEntry | undefined> {
    return this.#reading(path, signal, async (sftp) => {
      // The top may be a link.
      const at = path === "" ? `${this.#at(path)}/.` : this.#at(path);
      const attributes = await unless([STATUS.NO_SUCH_FILE], sftp.lstat(at));
      return attributes && this.#entry(sftp, path, attributes);
    });
  }

  async *read(path: RawPath, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const at = this.#at(path);
    const gone = new BackupError("NOT_FOUND", `${this.#shown(path)} is not there`);
    for await (const pieces of readPieces((task) => this.#reading(path, signal, task), { path: at, gone }))
      for (const piece of pieces) yield piece;
  }

  async write(file: Parameters<FileTree["write"]>[0], signal: AbortSignal): Promise<void> {
    const attributes = attributesOf(Number(file.mtime / 1_000_000n), file.mode);
    await this.#replacing(file.path, signal, async (sftp, temporary) => {
      const handle = await sftp.open(temporary, OPEN.CREATE | OPEN.EXCLUSIVE | OPEN.WRITE);
      await writeAll(sftp, { handle, pieces: cut(file.bytes(), signal), attributes }, this.#window);
    });
  }

  async writeLink({ path, target = "", mtime }: Parameters<FileTree["writeLink"]>[0], signal: AbortSignal) {
    await this.#replacing(path, signal, async (sftp, temporary) => {
      await this.#links.make(sftp, { link: temporary, target: textOf(target) });
      if (sftp.offers.lsetstat) await sftp.lsetstat(temporary, timesOf(mtime));
    });
  }

  async makeDirectory(path: RawPath, signal: AbortSignal): Promise<void> {
    await this.#writing(path, signal, async (sftp, at) => {
      if (path === "") return makeWithParents(sftp, at);
      if (await unlessRefused([STATUS.FAILURE], sftp.mkdir(at))) return sftp.setstat(at, { mode: 0o700 });
      if (!(await unless([STATUS.NO_SUCH_FILE], sftp.lstat(at)))?.isDirectory()) await sftp.mkdir(at);
      return undefined;
    });
  }

  async setAttributes({ path, type, mode, mtime }: Attributes, signal: AbortSignal): Promise<void> {
    await this.#writing(path, signal, async (sftp, at) => {
      if (type !== "link") await sftp.setstat(at, { mode, ...timesOf(mtime) });
      else if (sftp.offers.lsetstat) await sftp.lsetstat(at, timesOf(mtime));
    });
  }

  link(from: RawPath, to: RawPath, signal: AbortSignal): Promise<boolean> {
    const refused = [STATUS.FAILURE, STATUS.NO_SUCH_FILE, STATUS.PERMISSION_DENIED, STATUS.UNSUPPORTED];
    return this.#writing(to, signal, async (sftp, at) => {
      if (!sftp.offers.hardlink) return false;
      return unlessRefused(refused, sftp.hardlink(this.#at(from), at));
    });
  }

  remove({ path, type }: Pick<TreeEntry, "path" | "type">, signal: AbortSignal): Promise<boolean> {
    return this.#writing(path, signal, async (sftp, at) => {
      if (type !== "dir") await unless([STATUS.NO_SUCH_FILE], sftp.unlink(at));
      // Version 3 says FAILURE of one that is not empty.
      else return unlessRefused([STATUS.FAILURE], unless([STATUS.NO_SUCH_FILE], sftp.rmdir(at)));
      return true;
    });
  }

  async finish(signal: AbortSignal): Promise<void> {
    const changed = new Set(this.#changed);
    await this.#options.channel.run((sftp) => directorySync(sftp, changed).finish(), signal);
    for (const directory of changed) this.#changed.delete(directory);
  }

  async #entry(sftp: SftpCalls, path: RawPath, stats: Stats): Promise<TreeEntry | undefined> {
    const type = stats.isFile() ? "file" : stats.isDirectory() ? "dir" : stats.isSymbolicLink() ? "link" : "other";
    const target = type === "link" ? await unless([STATUS.NO_SUCH_FILE], sftp.readlink(this.#at(path))) : undefined;
    if (type === "link" && target === undefined) return undefined;
    return {
      path,
      type,
      mode: stats.mode & 0o7777,
      size: type === "file" ? stats.size : 0,
      mtime: BigInt(stats.mtime) * SECOND_NS,
      target: target === undefined ? undefined : Buffer.from(target).toString("latin1"),
      owner: stats.uid,
      group: stats.gid,
    };
  }

  /** Makes something under a name that nothing ever had, and gives it the one that it is to have. */
  #replacing(
    path: RawPath,
    signal: AbortSignal,
    make: (sftp: SftpCalls, temporary: string) => Promise<void>,
  ): Promise<void> {
    return this.#writing(path, signal, async (sftp, at) => {
      const { directory, scratch } = this.#options;
      const folder = scratch === undefined ? folderOf(at) : `${directory}/${scratch}`;
      const temporary = `${folder}/.backup-${this.#prefix}-${this.#names++}`;
      try {
        await make(sftp, temporary);
        throwIfAborted(signal);
        await replace(sftp, temporary, at);
      } catch (error) {
        await sftp.unlink(temporary).catch(() => {
          // It was not made, or the next lease clears it.
        });
        throw error;
      }
    });
  }

  async #writing<T>(path: RawPath, signal: AbortSignal, task: (sftp: SftpCalls, at: string) => Promise<T>): Promise<T> {
    const at = this.#at(path);
    this.#changed.add(folderOf(at));
    const { channel, name: where, directory: root } = this.#options;
    return channel.run(async (sftp) => {
      throwIfAborted(signal);
      try {
        return await task(sftp, at);
      } catch (error) {
        throw await explained(error, sftp, { where, root, bytes: 0 });
      }
    }, signal);
  }

  async #reading<T>(path: RawPath, signal: AbortSignal, task: (sftp: SftpCalls) => Promise<T>): Promise<T> {
    return this.#options.channel.run(async (sftp) => {
      try {
        return await task(sftp);
      } catch (error) {
        if (!(error instanceof SftpStatus)) throw error;
        const message = `${this.#shown(path)} cannot be read (${error.message})`;
        throw new BackupError("ITEM_UNREADABLE", message, { cause: error });
      }
    }, signal);
  }

  #at(path: RawPath): string {
    const { directory } = this.#options;
    return path === "" ? directory : `${directory}/${textOf(path)}`;
  }

  #shown(path: RawPath): string {
    return path === "" ? this.#options.name : textOf(path);
  }
}

function textOf(raw: RawPath): string {
  return Buffer.from(raw, "latin1").toString();
}

function timesOf(nanoseconds: bigint): { readonly mtime: number; readonly atime: number } {
  const { mtime = 0, atime = 0 } = attributesOf(Number(nanoseconds / 1_000_000n));
  return { mtime, atime };
}

/** Pieces as long as a WRITE may be. */
async function* cut(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    throwIfAborted(signal);
    for (let at = 0; at < piece.byteLength; at += PIECE) yield piece.subarray(at, at + PIECE);
  }
}
