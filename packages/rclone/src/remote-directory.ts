import { setMaxListeners } from "node:events";
import type { IncomingMessage } from "node:http";
import { basename, dirname } from "node:path";
import { BackupError, type Path, type Secret, isBackupError, isSafe, throwIfAborted } from "@backup/core";
import { retryTransient } from "@backup/transport-rsync/sending";
import { type Answer, type Calls, RcloneFault } from "./calls.js";
import { type Facts, factsFrom } from "./facts.js";
import { fromRclone, toRclone } from "./names.js";
import { faultError } from "./rclone-errors.js";

/** Of a directory's listing. */
export interface Entry {
  readonly name: string;
  readonly isDirectory: boolean;
  /** Bytes; -1 where it cannot tell. */
  readonly size: number;
  /** Milliseconds since 1970; 0 if it was not asked for, or is not known. */
  readonly mtime: number;
}

export interface RemoteDirectoryOptions {
  readonly calls: Calls;
  /** What a person calls it. */
  readonly name: string;
  readonly remote: string;
  /** Of the directory in the remote. */
  readonly path: string;
  /** What must not be shown, now. */
  readonly secrets: () => readonly Secret[];
}

/** A directory at a remote: single requests to it, by paths below it. Each is tried again when its connection was lost. */
export class RemoteDirectory {
  readonly name: string;
  readonly #options: RemoteDirectoryOptions;
  #facts: Promise<Facts> | undefined;

  constructor(options: RemoteDirectoryOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Asked for once. */
  async facts(signal: AbortSignal): Promise<Facts> {
    this.#facts ??= this.#call("operations/fsinfo", { fs: this.#fs() }, signal).then(factsFrom);
    try {
      return await this.#facts;
    } catch (error) {
      this.#facts = undefined;
      throw error;
    }
  }

  /** What is directly in a directory, `""` is the top; undefined: there is none. Links are left out where rclone knows them. */
  async entries(path: Path, signal: AbortSignal, { times = false } = {}): Promise<readonly Entry[] | undefined> {
    const listed = await this.listed(toRclone(path), signal, { times });
    const entries = new Map<string, Entry>();
    for (const entry of listed ?? []) {
      const name = fromRclone(entry.name);
      // What cannot be asked for by that name is not ours.
      if (isSafe(name) && !name.includes("/") && toRclone(name) === entry.name) entries.set(name, { ...entry, name });
    }
    return listed && [...entries.values()];
  }

  /** The same, with names as rclone writes them, whatever they are: also two that are alike. */
  async listed(written: string, signal: AbortSignal, { times = false } = {}): Promise<readonly Entry[] | undefined> {
    const opt = { noMimeType: true, noModTime: !times };
    const answer = await orMissing(this.#call("operations/list", { fs: this.#fs(), remote: written, opt }, signal));
    const list = answer?.["list"];
    return answer && (Array.isArray(list) ? (list as readonly Answer[]) : []).map(entryOf);
  }

  /** One file or directory, by its path as rclone writes it. */
  async status(written: string, signal: AbortSignal): Promise<Entry | undefined> {
    const answer = await orMissing(this.#call("operations/stat", { fs: this.#fs(), remote: written }, signal));
    const item = answer?.["item"];
    return typeof item === "object" && item !== null ? entryOf(item as Answer) : undefined;
  }

  /** Whether there is a file, or a directory, of that name. */
  async typeOf(path: Path, signal: AbortSignal): Promise<"file" | "directory" | undefined> {
    const status = await this.status(toRclone(path), signal);
    return status && (status.isDirectory ? "directory" : "file");
  }

  /** SHA-256 as hexadecimal digits; undefined: it is not known. @throws BackupError NOT_FOUND */
  async sha256(path: Path, signal: AbortSignal): Promise<string | undefined> {
    const opt = { showHash: true, hashTypes: ["sha256"], noModTime: true, noMimeType: true, filesOnly: true };
    const { item } = await this.#call("operations/stat", { fs: this.#fs(), remote: toRclone(path), opt }, signal);
    if (typeof item !== "object" || item === null) throw this.notFound(path);
    const hashes = (item as Answer)["Hashes"];
    const hash = typeof hashes === "object" && hashes !== null ? (hashes as Answer)["sha256"] : undefined;
    return typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash) ? hash : undefined;
  }

  /** The bytes of a file, or the first ones. @throws BackupError NOT_FOUND */
  read(path: Path, signal: AbortSignal, first?: number): AsyncGenerator<Uint8Array> {
    return this.readWritten(path, toRclone(path), signal, first);
  }

  /** The same of a file whose path rclone writes so; `path` is for messages. */
  async *readWritten(path: Path, written: string, signal: AbortSignal, first?: number): AsyncGenerator<Uint8Array> {
    // Of a path that rclone serves it knows none.
    if (written.includes("\n"))
      throw new BackupError(
        "ITEM_UNREADABLE",
        `${this.name}: a name with a line feed cannot be read: ${JSON.stringify(path)}`,
      );
    const { calls, remote } = this.#options;
    const at = this.#options.path;
    const fs = `${remote}:${at.startsWith("/") ? "/" : ""}`;
    const whole = [...at.split("/").filter((name) => name !== ""), written].join("/");
    const open = (): Promise<IncomingMessage | undefined> =>
      this.#mapped(path, signal, () => calls.read({ fs, path: whole, first }, signal).catch(nothingIn));
    const answer = await retryTransient(open, { signal });
    if (!answer) return;
    try {
      for await (const piece of answer as AsyncIterable<Buffer>) yield piece;
    } catch (error) {
      throwIfAborted(signal);
      throw new BackupError("CONNECTION_LOST", `${this.name}: ${path} was cut while it was read; run again`, {
        transient: true,
        cause: error,
      });
    }
  }

  /** Brings a local file to a place, with its time, and makes sure of what arrived: by size, and a hash where there is one. */
  async upload(file: string, to: Path, signal: AbortSignal): Promise<void> {
    const source = { srcFs: dirname(file), srcRemote: basename(file) };
    const config = { _config: { Inplace: true } };
    await this.#call("operations/copyfile", { ...source, ...this.#target(to), ...config }, signal, to);
  }

  /** Renames a file, over one that is there. @throws BackupError NOT_FOUND */
  async move(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    await this.#call("operations/movefile", { ...this.#source(from), ...this.#target(to) }, signal, from);
  }

  /** Copies a file there. @throws BackupError NOT_FOUND */
  async copy(from: Path, to: Path, signal: AbortSignal): Promise<void> {
    await this.#call("operations/copyfile", { ...this.#source(from), ...this.#target(to) }, signal, from);
  }

  /** Copies or moves all that is in a directory, empty directories too. @throws BackupError NOT_FOUND */
  async transferTree(how: "copy" | "move", { from, to }: { from: Path; to: Path }, signal: AbortSignal): Promise<void> {
    const trees = { srcFs: this.#fs(from), dstFs: this.#fs(to), createEmptySrcDirs: true };
    const options = how === "move" ? { ...trees, deleteEmptySrcDirs: true } : trees;
    await this.#call(`sync/${how}`, { ...options, _config: { Transfers: 8, Checkers: 8 } }, signal, from);
  }

  /** Removes a file; a missing one is no error. */
  async remove(path: Path, signal: AbortSignal): Promise<void> {
    await orMissing(this.#call("operations/deletefile", { fs: this.#fs(), remote: toRclone(path) }, signal));
  }

  /** Makes a directory with its parents; `""` is the top. */
  async makeDirectory(path: Path, signal: AbortSignal): Promise<void> {
    await this.#call("operations/mkdir", { fs: this.#fs(), remote: toRclone(path) }, signal);
  }

  /** Removes an empty directory. */
  async removeDirectory(path: Path, signal: AbortSignal): Promise<void> {
    await orMissing(this.#call("operations/rmdir", { fs: this.#fs(), remote: toRclone(path) }, signal));
  }

  /** Removes a directory with all that is in it; a missing one is no error. */
  async removeTree(path: Path, signal: AbortSignal): Promise<void> {
    await orMissing(this.#call("operations/purge", { fs: this.#fs(), remote: toRclone(path) }, signal));
  }

  /** Bytes that may still be written; undefined: it cannot tell. */
  async freeBytes(signal: AbortSignal): Promise<number | undefined> {
    const { calls } = this.#options;
    try {
      const { free } = await calls.call("operations/about", { fs: this.#fs() }, signal);
      return typeof free === "number" ? free : undefined;
    } catch (error) {
      // Many remotes cannot.
      if (error instanceof RcloneFault) return undefined;
      throw error;
    }
  }

  /** rclone's own version. */
  async version(signal: AbortSignal): Promise<string> {
    const { version } = await this.#call("core/version", {}, signal);
    return String(version).replace(/^v/, "");
  }

  notFound(path: Path, cause?: unknown): BackupError {
    return new BackupError("NOT_FOUND", `${this.name} has no ${path}`, { cause });
  }

  #fs(below: Path = ""): string {
    const { remote, path } = this.#options;
    const parts = [path.replace(/(?<=.)\/$/, ""), toRclone(below)].filter((part) => part !== "");
    return `${remote}:${parts.join(path === "/" ? "" : "/")}`;
  }

  #source(path: Path): Answer {
    return { srcFs: this.#fs(), srcRemote: toRclone(path) };
  }

  #target(path: Path): Answer {
    return { dstFs: this.#fs(), dstRemote: toRclone(path) };
  }

  #call(command: string, parameters: Answer, signal: AbortSignal, path: Path = ""): Promise<Answer> {
    return retryTransient(
      () => this.#mapped(path, signal, () => this.#options.calls.call(command, parameters, signal)),
      {
        signal,
        retries: 3,
      },
    );
  }

  async #mapped<T>(path: Path, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    // Each of the requests that are under way listens to it.
    setMaxListeners(0, signal);
    try {
      return await work();
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof RcloneFault)) throw error;
      if (isMissing(error)) throw this.notFound(path === "" ? "such file or directory" : path, error);
      throw faultError(error, { where: this.name, secrets: this.#options.secrets() });
    }
  }
}

function entryOf(answer: Answer): Entry {
  return {
    name: String(answer["Name"]),
    isDirectory: answer["IsDir"] === true,
    size: Number(answer["Size"]),
    mtime: Date.parse(String(answer["ModTime"])) || 0,
  };
}

function isMissing({ status, message }: RcloneFault): boolean {
  return (
    status === 404 ||
    /(?:object|directory|file) not found$|no such file or directory|not a directory|is a directory not a file$|is a file not a directory/.test(
      message,
    )
  );
}

/** Of an empty file there are no first bytes. */
function nothingIn(error: unknown): undefined {
  if (error instanceof RcloneFault && error.status === 416) return;
  throw error;
}

async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isBackupError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}
