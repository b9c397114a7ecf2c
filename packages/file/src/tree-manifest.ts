import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Stock } from "@backup/core";
import { LOOK_BATCH, type Look } from "./look.js";
import { type Entry, formatEntry, parseEntry } from "./manifest.js";
import type { Manifest } from "./manifest-file.js";
import type { RawPath } from "./raw-path.js";

export interface NextEntries {
  /** The end that attributes are read from. */
  readonly look: Look;
  /** Those that the source has, and that were not at the destination before. */
  readonly directories: ReadonlySet<RawPath>;
  /** What an entry of the earlier manifest is called now; undefined: nothing any more. */
  readonly nowAt: (path: RawPath) => RawPath | undefined;
  readonly signal: AbortSignal;
}

/** Text that is written in one go. */
const PIECE = 64 * 1024;

/**
 * What a run finds out for the next manifest. What is new waits in a file, so that memory holds names of what changed at
 * the most.
 */
export class ManifestChanges implements AsyncDisposable {
  readonly #directory: string;
  readonly #file: FileHandle;
  readonly #replaced = new Set<RawPath>();
  readonly #restated = new Set<RawPath>();
  readonly #gone = new Set<RawPath>();
  readonly #isNew: boolean;
  /** Of paths that were added again, the last time; each time that anything may be said again is another one. */
  readonly #last = new Map<RawPath, number>();
  #turn = 0;
  #text = "";

  private constructor(directory: string, file: FileHandle, isNew: boolean) {
    this.#directory = directory;
    this.#file = file;
    this.#isNew = isNew;
  }

  /** @param isNew nothing of an earlier manifest is to be kept */
  static async open(isNew: boolean): Promise<ManifestChanges> {
    const directory = await mkdtemp(join(tmpdir(), "backup-manifest-"));
    return new ManifestChanges(directory, await open(join(directory, "entries"), "wx", 0o600), isNew);
  }

  /** An entry that is new or has other bytes. */
  async add(entry: Entry): Promise<void> {
    if (!this.#isNew) this.#replaced.add(entry.path);
    // It may have been deleted to make way for this.
    this.#gone.delete(entry.path);
    if (this.#turn > 0) this.#last.set(entry.path, this.#turn);
    this.#text += `${this.#turn} ${formatEntry(entry)}\n`;
    if (this.#text.length >= PIECE) await this.#flush();
  }

  /** What was said until now may be said again: the last word counts. */
  again(): void {
    this.#turn++;
  }

  /** An entry whose attributes are others. */
  restate(path: RawPath): void {
    this.#restated.add(path);
  }

  remove(path: RawPath): void {
    this.#replaced.add(path);
  }

  /** An entry that was added, and deleted after that. */
  drop(path: RawPath): void {
    this.remove(path);
    this.#gone.add(path);
  }

  /** All entries of the next manifest. */
  async *entries(before: Manifest | undefined, options: NextEntries): AsyncGenerator<Entry> {
    await this.#flush();
    let batch: Entry[] = [];
    const unmet = new Set([...this.#restated, ...options.directories]);
    for await (const entry of before?.entries() ?? []) {
      const path = options.nowAt(entry.path);
      if (path === undefined || this.#replaced.has(path)) continue;
      unmet.delete(path);
      batch.push(path === entry.path ? entry : { ...entry, path });
      if (batch.length < LOOK_BATCH) continue;
      yield* await this.#asNow(batch, options);
      batch = [];
    }
    yield* await this.#asNow(batch, options);
    // Directories that were made for what was renamed into them. A transfer may have found nothing to do there.
    const made = this.#isNew ? [] : [...unmet].filter((path) => !this.#replaced.has(path));
    for (let at = 0; at < made.length; at += LOOK_BATCH) {
      const found = await options.look.entries(made.slice(at, at + LOOK_BATCH), options.signal);
      for (const entry of found.values()) if (entry.type === "dir") yield entry;
    }
    const lines = createInterface({ input: createReadStream(join(this.#directory, "entries"), "latin1") });
    for await (const line of lines) {
      const cut = line.indexOf(" ");
      const entry = parseEntry(line.slice(cut + 1));
      if (entry && (this.#last.get(entry.path) ?? 0) <= Number(line.slice(0, cut)) && !this.#gone.has(entry.path))
        yield entry;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Those whose attributes are others, as they are now. */
  async #asNow(entries: readonly Entry[], { look, signal }: NextEntries): Promise<readonly Entry[]> {
    const restated = entries.flatMap(({ path }) => (this.#restated.has(path) ? [path] : []));
    if (restated.length === 0) return entries;
    const now = await look.entries(restated, signal);
    return entries.map((entry) => {
      const stated = now.get(entry.path);
      if (!stated) return entry;
      return { ...stated, sha256: entry.sha256 };
    });
  }

  async #flush(): Promise<void> {
    const text = this.#text;
    this.#text = "";
    if (text !== "") await this.#file.write(Buffer.from(text, "latin1"));
  }
}

/** Counts the files among entries that pass. */
export class StockCounter {
  #files = 0;
  #bytes = 0;
  readonly #hash = createHash("sha256");

  async *through(entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
    for await (const entry of entries) {
      if (entry.type !== "dir") this.#files++;
      this.#bytes += entry.size;
      this.#hash.update(`${entry.path}\0${entry.sha256 ?? ""}\n`);
      yield entry;
    }
  }

  stock(): Stock {
    return { files: this.#files, bytes: this.#bytes, digest: this.#hash.digest("hex") };
  }
}
