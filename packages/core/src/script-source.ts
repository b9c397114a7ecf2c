import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Dump, DumpCollection } from "./dump.js";
import { DumpSource } from "./dump-source.js";
import { BackupError, isBackupError, systemCode, throwIfAborted } from "./errors.js";
import { escapeName } from "./escape-name.js";
import type { Unavailable } from "./model.js";
import { isSafe } from "./paths.js";
import type { PluginContext } from "./plugin-context.js";
import { ScriptProcess } from "./script-process.js";
import { type ScriptDescription, type ScriptEntry, parseBody, parseEntry } from "./script-protocol.js";
import { requestOf } from "./script-request.js";

export interface ScriptSourceOptions {
  readonly file: string;
  readonly id: string;
  readonly described: ScriptDescription;
  /** As the plugin got them. */
  readonly args: Readonly<Record<string, unknown>>;
}

/** What a script lists as a source; it runs when it is asked for something. @throws BackupError SECRET_MISSING */
export async function openScriptSource(options: ScriptSourceOptions, context: PluginContext): Promise<DumpSource> {
  const { described, args } = options;
  const script = new Script(options, await requestOf({ ...described, args }, context), context);
  return new DumpSource({
    id: options.id,
    collections: () => script.collections(),
    dispose: () => script[Symbol.asyncDispose](),
  });
}

/** Of a path, the file's name and its end: `.sql.gz`. */
const FILE_NAME = /^(.+?)((?:\.[a-z0-9]+)*)$/s;

class Script implements AsyncDisposable {
  readonly #options: ScriptSourceOptions;
  readonly #request: object;
  readonly #context: PluginContext;
  readonly #name: string;
  #reader: Promise<ScriptProcess> | undefined;
  #bodies = 0;

  constructor(options: ScriptSourceOptions, request: object, context: PluginContext) {
    this.#options = options;
    this.#request = request;
    this.#context = context;
    this.#name = basename(options.file);
  }

  /** Entries by their directories. A listing that does not say that it is all is none. */
  async *collections(): AsyncGenerator<DumpCollection> {
    const entries = await this.#list();
    const directories = new Map<string, ScriptEntry[]>();
    for (const entry of entries) {
      const cut = entry.path.lastIndexOf("/");
      const directory = cut < 0 ? this.#options.described.name : entry.path.slice(0, cut);
      directories.set(directory, [...(directories.get(directory) ?? []), entry]);
    }
    for (const [name, inside] of directories) {
      const path = name.split("/").map(escapeName).join("/");
      const fingerprint = fingerprintOf(inside);
      const dumps = () => inside.map((entry) => this.#dumpOf(entry));
      yield { path, name, dumps, ...(fingerprint === undefined ? {} : { fingerprint }) };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using reader = await this.#reader?.catch(() => undefined);
    if (!reader || this.#context.signal.aborted) return;
    try {
      await reader.end();
    } catch (error) {
      // What it was to give, it gave.
      if (!isBackupError(error)) throw error;
      this.#context.onEvent({ type: "warning", code: error.code, message: `in the end, ${error.message}` });
    }
  }

  async #list(): Promise<readonly ScriptEntry[]> {
    await using script = await ScriptProcess.start(this.#context, [this.#options.file, "list"]);
    script.write(this.#request);
    script.endInput();
    const entries: ScriptEntry[] = [];
    const seen = new Set<string>();
    for (let line = await script.next(); line !== undefined; line = await script.next()) {
      const entry = parseEntry(line, this.#name);
      if (!entry) {
        await script.wait();
        return entries;
      }
      if (!isSafe(entry.path))
        throw new BackupError("UNSAFE_PATH", `${this.#name} list: ${JSON.stringify(entry.path)} is no path of a file`);
      if (seen.has(entry.path))
        throw new BackupError("PROTOCOL", `${this.#name} list: ${JSON.stringify(entry.path)} is there twice`);
      seen.add(entry.path);
      entries.push(entry);
    }
    // Its status says more.
    await script.wait();
    throw new BackupError("PROTOCOL", `${this.#name} list ended without {"end":true}: what it listed may not be all`);
  }

  #dumpOf({ path, size, mtime, error }: ScriptEntry): Dump | Unavailable {
    const file = path.slice(path.lastIndexOf("/") + 1);
    if (error !== undefined) return { name: file, error: new BackupError("ITEM_UNREADABLE", `${path}: ${error}`) };
    const [, name = file, extension = ""] = FILE_NAME.exec(file) ?? [];
    const changed = mtime === undefined ? {} : { mtime: mtime * 1000 };
    return { name, extension, size, ...changed, produce: ({ signal }) => this.#read(path, signal) };
  }

  async *#read(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    throwIfAborted(signal);
    const directory = join(await this.#context.temporaryDirectory(), "bodies");
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const wanted = join(directory, String(++this.#bodies));
    try {
      const file = await this.#ask(path, wanted);
      try {
        yield* createReadStream(file, { signal, highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
      } catch (cause) {
        throwIfAborted(signal);
        const reason = systemCode(cause) ?? "unknown error";
        const message = `${path}: ${this.#name} says that it is in ${file}, and that cannot be read (${reason})`;
        throw new BackupError("ITEM_UNREADABLE", message, { cause });
      }
    } finally {
      await rm(wanted, { force: true });
    }
  }

  /** Resolves to the file that has the bytes. */
  async #ask(path: string, wanted: string): Promise<string> {
    this.#reader ??= ScriptProcess.start(this.#context, [this.#options.file, "read"]).then((script) => {
      script.write(this.#request);
      return script;
    });
    const script = await this.#reader;
    try {
      script.write({ path, file: wanted });
      const line = await script.next();
      if (line !== undefined) {
        const { file = wanted, error } = parseBody(line, this.#name, path);
        if (error === undefined) return file;
        throw new BackupError("ITEM_UNREADABLE", `${path}: ${error}`);
      }
      await script.wait();
      throw new BackupError("PROTOCOL", `${this.#name} read ended before it had answered for ${path}`);
    } catch (cause) {
      // The script is there for the next one, unless it has lost its way.
      if (cause instanceof BackupError && cause.code === "ITEM_UNREADABLE") throw cause;
      this.#reader = undefined;
      await script[Symbol.asyncDispose]();
      throw cause;
    }
  }
}

/** Undefined: the script does not say of all of them when they change. */
function fingerprintOf(entries: readonly ScriptEntry[]): string | undefined {
  if (!entries.every(({ revision, error }) => revision !== undefined && error === undefined)) return undefined;
  const hash = createHash("sha256");
  for (const { path, revision } of entries) hash.update(`${JSON.stringify([path, revision])}\n`);
  return hash.digest("hex");
}
