import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { BackupError, type Item, PRIVATE, type Path, type Store, isBackupError } from "@backup/core";
import { type Entry, formatEntry, parseEntry } from "./manifest.js";

/** What a tree holds, and the digests of its files: mtree(5), by gzip(1). */
export const MANIFEST: Path = `${PRIVATE}/manifest.mtree.gz`;

const HEADER = "#mtree";
/** mtree(1) wants to hear of the top first. */
const TOP = ". type=dir";
const STARTED = "# backup started=";

/** A manifest as it lies at a destination. */
export interface Manifest {
  /** When the run began that wrote it, milliseconds since 1970. */
  readonly started: number;
  /** All of it, each time it is called. */
  entries(): AsyncGenerator<Entry>;
}

/** Undefined: there is none. @throws BackupError ITEM_UNREADABLE where it is damaged */
export async function readManifest(store: Store, signal: AbortSignal): Promise<Manifest | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await store.read(MANIFEST, signal);
  } catch (error) {
    if (isBackupError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
  await checkWhole(bytes, store);
  let started = 0;
  for await (const line of linesOf(bytes, store)) {
    if (line.startsWith(STARTED)) started = Date.parse(line.slice(STARTED.length));
    if (!line.startsWith("#")) break;
  }
  return {
    started: Number.isNaN(started) ? 0 : started,
    async *entries() {
      for await (const line of linesOf(bytes, store)) {
        const entry = parseEntry(line);
        if (entry) yield entry;
      }
    },
  };
}

/** @throws BackupError ITEM_UNREADABLE */
async function checkWhole(bytes: Uint8Array, store: Store): Promise<void> {
  try {
    for await (const _piece of Readable.from([bytes]).pipe(createGunzip()));
  } catch (error) {
    throw damaged(store, error);
  }
}

function damaged(store: Store, cause: unknown): BackupError {
  return new BackupError("ITEM_UNREADABLE", `${store.name}/${MANIFEST} is damaged: it cannot be unpacked`, { cause });
}

async function* linesOf(bytes: Uint8Array, store: Store): AsyncGenerator<string> {
  const plain = Readable.from([bytes]).pipe(createGunzip()).setEncoding("latin1");
  try {
    yield* createInterface({ input: plain, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw damaged(store, error);
  } finally {
    plain.destroy();
  }
}

/** Writes a manifest, and none of it before all is there. */
export async function writeManifest(
  store: Store,
  { started, entries }: { readonly started: number; readonly entries: AsyncIterable<Entry> },
  signal: AbortSignal,
): Promise<void> {
  const item: Item = { id: MANIFEST, rev: "", collection: PRIVATE, size: 0, mtime: started };
  async function* body() {
    yield { item, bytes: packed(started, entries) };
  }
  for await (const outcomes of store.put(body(), () => ({ path: MANIFEST }), signal))
    for (const outcome of outcomes) if ("error" in outcome) throw outcome.error;
}

async function* packed(started: number, entries: AsyncIterable<Entry>): AsyncGenerator<Uint8Array> {
  const lines = new PassThrough();
  const zipped = lines.pipe(createGzip({ level: 6 }));
  const writing = (async () => {
    try {
      let text = `${HEADER}\n${STARTED}${new Date(started).toISOString()}\n${TOP}\n`;
      for await (const entry of entries) {
        text += `${formatEntry(entry)}\n`;
        if (text.length < 64 * 1024) continue;
        if (!lines.write(text, "latin1")) await once(lines, "drain");
        text = "";
      }
      lines.end(text, "latin1");
    } catch (error) {
      zipped.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  })();
  for await (const piece of zipped) yield piece as Uint8Array;
  await writing;
}
