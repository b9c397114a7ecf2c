import { BackupError, type EventSink, type FileTree, type RawPath, type TreeEntry, type TreeFacts } from "@backup/core";
import { LANES } from "./lanes.js";
import { fromRclone, toRclone } from "./names.js";
import type { Entry, RemoteDirectory } from "./remote-directory.js";

export interface RcloneTreeOptions {
  readonly remote: (signal: AbortSignal) => Promise<RemoteDirectory>;
  readonly onEvent: EventSink;
}

/** What a remote does not tell. */
const OWN = { file: 0o600, dir: 0o700 } as const;

/**
 * What a remote has, entry by entry, only to be read. A name with a slash in it, which some remotes allow, is listed with
 * what rclone writes for that, U+FF0F.
 */
export class RcloneTree implements FileTree {
  readonly #options: RcloneTreeOptions;
  /** Paths as rclone writes them, of names that are not written so by us. */
  readonly #odd = new Map<RawPath, string>();

  constructor(options: RcloneTreeOptions) {
    this.#options = options;
  }

  async facts(): Promise<TreeFacts> {
    return { wholeSeconds: false, linkTimes: false, rawNames: false, lanes: 4 * LANES };
  }

  async entries(directory: RawPath, signal: AbortSignal): Promise<readonly TreeEntry[] | undefined> {
    const remote = await this.#options.remote(signal);
    const written = this.#written(directory);
    const listed = await remote.listed(written, signal, { times: true });
    if (!listed) return undefined;
    const entries = new Map<RawPath, TreeEntry>();
    for (const entry of listed) {
      const name = nameOf(entry);
      const path = directory === "" ? rawOf(name) : `${directory}/${rawOf(name)}`;
      const whole = written === "" ? entry.name : `${written}/${entry.name}`;
      if (entries.has(path)) this.#warnOfTwo(remote, name);
      else entries.set(path, await this.#entryOf(path, entry, signal));
      if (toRclone(name) !== entry.name) this.#odd.set(path, whole);
    }
    return [...entries.values()];
  }

  async entry(path: RawPath, signal: AbortSignal): Promise<TreeEntry | undefined> {
    const remote = await this.#options.remote(signal);
    if (path === "") {
      const isThere = (await remote.listed("", signal)) !== undefined;
      return isThere ? this.#entryOf("", { name: "", isDirectory: true, size: 0, mtime: 0 }, signal) : undefined;
    }
    const status = await remote.status(this.#written(path), signal);
    return status && this.#entryOf(path, status, signal);
  }

  async *read(path: RawPath, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const remote = await this.#options.remote(signal);
    yield* remote.readWritten(textOf(path), this.#written(path), signal);
  }

  write(): Promise<void> {
    return this.#refuse();
  }

  writeLink(): Promise<void> {
    return this.#refuse();
  }

  makeDirectory(): Promise<void> {
    return this.#refuse();
  }

  setAttributes(): Promise<void> {
    return this.#refuse();
  }

  async link(): Promise<boolean> {
    return this.#refuse();
  }

  async remove(): Promise<boolean> {
    return this.#refuse();
  }

  async finish(): Promise<void> {
    // Nothing was written.
  }

  async #entryOf(path: RawPath, { isDirectory, size, mtime }: Entry, signal: AbortSignal): Promise<TreeEntry> {
    const { times, emptyDirectories } = await (await this.#options.remote(signal)).facts(signal);
    // Where it is not a file's own a listing tells it in other fractions than a question for it; and of directories
    // that there are none of, rclone tells the present.
    const told = times ? mtime : Math.floor(mtime / 1000) * 1000;
    const ms = isDirectory && !emptyDirectories ? 0 : told;
    const type = isDirectory ? "dir" : "file";
    const owner = process.getuid?.() ?? 0;
    const group = process.getgid?.() ?? 0;
    const bytes = isDirectory ? 0 : Math.max(0, size);
    return { path, type, mode: OWN[type], size: bytes, mtime: BigInt(ms) * 1_000_000n, owner, group };
  }

  #written(path: RawPath): string {
    const odd = this.#odd.get(path);
    if (odd !== undefined || path === "") return odd ?? "";
    const cut = path.lastIndexOf("/");
    const name = toRclone(textOf(path.slice(cut + 1)));
    return cut < 0 ? name : `${this.#written(path.slice(0, cut))}/${name}`;
  }

  #warnOfTwo({ name: where }: RemoteDirectory, name: string): void {
    const message = `${where} has two files called ${name} in one directory, and one of them is backed up; rename the other`;
    this.#options.onEvent({ type: "warning", code: "NAME_TWICE", message });
  }

  #refuse(): Promise<never> {
    return Promise.reject(new BackupError("DESTINATION_UNWRITABLE", "a remote of rclone is only read here"));
  }
}

/** What a file is called here: whatever a remote lists, it is one name. */
function nameOf({ name: written }: Entry): string {
  const name = fromRclone(written);
  if (name !== "." && name !== ".." && name !== "") return name;
  return name.replaceAll(".", "\uff0e") || "\uff0e";
}

function rawOf(text: string): RawPath {
  return Buffer.from(text).toString("latin1");
}

function textOf(raw: RawPath): string {
  return Buffer.from(raw, "latin1").toString();
}
