import { contentOf } from "../digest.js";
import { BackupError, throwIfAborted } from "../errors.js";
import type {
  Body,
  Candidate,
  Collection,
  Content,
  Item,
  Known,
  Naming,
  Path,
  Proof,
  Stored,
  Unavailable,
} from "../model.js";
import { parentOf } from "../paths.js";
import type { Source, View } from "../source.js";

/** One thing that a MemorySource holds. */
export interface MemoryEntry {
  readonly id: string;
  /** Changes with the bytes. Default `1`. */
  readonly rev?: string;
  /** Part of the name that changes without the bytes, as flags do. Default none. */
  readonly label?: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970. */
  readonly mtime: number;
}

export interface MemoryCollection {
  /** No name in it may be `cur`. */
  readonly path: Path;
  readonly entries: readonly MemoryEntry[];
  /** One small file of the collection itself. */
  readonly sidecar?: { readonly bytes: Uint8Array; readonly mtime: number };
}

/** What goes wrong at the source; undefined: nothing. */
export interface MemoryFaults {
  /** Collections that were asked for and are not there. */
  readonly missing?: readonly Unavailable[];
  /** The collection cannot be listed. */
  readonly list?: (path: Path) => Error | undefined;
  /** This item's bytes cannot be had. */
  readonly read?: (item: MemoryItem) => Error | undefined;
  /** True: the item vanishes between its listing and its transfer. */
  readonly vanish?: (item: MemoryItem) => boolean;
}

export interface MemorySourceOptions {
  readonly id?: string;
  /** Whether collections have a fingerprint. Default true. */
  readonly fingerprints?: boolean;
  /** Whether it proves what was moved or copied. Default false. */
  readonly proves?: boolean;
  /** Whether it says which items hold the same bytes. Default false. */
  readonly twins?: boolean;
  /** Whether it tells of changes: when `data` is replaced. Default false. */
  readonly tells?: boolean;
}

export interface MemoryItem extends Item {
  readonly label: string;
}

const LEAF = "cur";
const SIDECAR = "labels";
/** Bodies above this come in three pieces, bytes. */
const WHOLE = 16;

/**
 * A source over plain data, for tests. `data` and `faults` may be replaced between two runs.
 * Files are `<collection>/cur/<id>~<rev>.<digest>,S=<bytes>:2,<label>`, and `<collection>/labels` for the sidecar.
 */
export class MemorySource implements Source<MemoryItem> {
  readonly id: string;
  readonly leaves = [LEAF];
  faults: MemoryFaults = {};
  readonly prove?: NonNullable<Source<MemoryItem>["prove"]>;
  readonly changes?: NonNullable<Source<MemoryItem>["changes"]>;
  readonly #changed = new EventTarget();
  #data: readonly MemoryCollection[];
  readonly #fingerprints: boolean;
  readonly #twins: boolean;

  constructor(
    data: readonly MemoryCollection[] = [],
    { id = "memory", fingerprints = true, proves = false, twins = false, tells = false }: MemorySourceOptions = {},
  ) {
    this.#data = data;
    this.id = id;
    this.#fingerprints = fingerprints;
    this.#twins = twins;
    if (proves) this.prove = (...call) => this.#prove(...call);
    if (tells) this.changes = (...call) => this.#changes(...call);
  }

  get data(): readonly MemoryCollection[] {
    return this.#data;
  }

  set data(data) {
    this.#data = data;
    this.#changed.dispatchEvent(new Event("change"));
  }

  naming({ colon }: { readonly colon: boolean }): Naming<MemoryItem> {
    return { identify, path: (item, content) => pathOf(item, content, colon ? ":" : ";") };
  }

  collectionAt(directory: Path): Path | undefined {
    return directory.endsWith(`/${LEAF}`) ? parentOf(directory) : undefined;
  }

  async *collections(signal: AbortSignal): AsyncGenerator<Collection | Unavailable> {
    yield* this.faults.missing ?? [];
    for (const collection of this.data) {
      throwIfAborted(signal);
      const { path } = collection;
      yield this.#fingerprints ? { path, name: path, fingerprint: fingerprintOf(collection) } : { path, name: path };
    }
  }

  async *list({ path }: Collection, _view: View, signal: AbortSignal): AsyncGenerator<readonly MemoryItem[]> {
    throwIfAborted(signal);
    const fault = this.faults.list?.(path);
    if (fault) throw fault;
    const items = this.#items(path);
    // Two batches, so that nothing takes the first one for all.
    const half = Math.ceil(items.length / 2);
    yield items.slice(0, half);
    throwIfAborted(signal);
    yield items.slice(half);
  }

  async *read(items: readonly MemoryItem[], signal: AbortSignal): AsyncGenerator<Body<MemoryItem>> {
    for (const item of items) {
      throwIfAborted(signal);
      if (this.faults.vanish?.(item)) continue;
      const error = this.faults.read?.(item);
      const bytes = this.#bytes(item);
      if (error) yield { item, error };
      else if (bytes) yield { item, bytes: bytes.byteLength > WHOLE ? pieces(bytes) : bytes };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing open.
  }

  /** By all of their bytes, which are few. */
  async *#prove(
    candidates: readonly Candidate<MemoryItem>[],
    heads: (paths: readonly Path[], bytes: number) => Promise<ReadonlyMap<Path, Uint8Array>>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Proof<MemoryItem>[]> {
    for (const { item, files } of candidates) {
      throwIfAborted(signal);
      const bytes = this.#bytes(item);
      const there = await heads(
        files.map(({ path }) => path),
        item.size + 1,
      );
      const file = files.find(
        ({ path }) => bytes && there.get(path) && Buffer.compare(bytes, there.get(path) ?? bytes) === 0,
      );
      yield file ? [{ item, file }] : [];
    }
  }

  async *#changes(signal: AbortSignal): AsyncGenerator<void> {
    let seen: unknown;
    for (;;) {
      throwIfAborted(signal);
      if (seen === this.#data)
        await new Promise<unknown>((resolve) => {
          this.#changed.addEventListener("change", resolve, { once: true });
          signal.addEventListener("abort", resolve, { once: true });
        });
      else {
        seen = this.#data;
        yield;
      }
    }
  }

  #items(path: Path): readonly MemoryItem[] {
    const collection = this.data.find((one) => one.path === path);
    if (!collection) throw new BackupError("COLLECTION_UNAVAILABLE", `${path} vanished while it was listed`);
    const items = collection.entries.map(({ id, rev = "1", label = "", bytes, mtime }) => ({
      collection: path,
      id,
      rev,
      label,
      size: bytes.byteLength,
      mtime,
      ...(this.#twins ? { twin: contentOf(bytes).digest } : {}),
    }));
    const { sidecar } = collection;
    if (!sidecar) return items;
    const size = sidecar.bytes.byteLength;
    const { mtime } = sidecar;
    return [
      ...items,
      { collection: path, id: SIDECAR, rev: sidecarRev(size, mtime), label: "", size, mtime, sidecar: true },
    ];
  }

  #bytes(item: MemoryItem): Uint8Array | undefined {
    const collection = this.data.find(({ path }) => path === item.collection);
    if (item.sidecar) return collection?.sidecar?.bytes;
    return collection?.entries.find(({ id, rev = "1" }) => id === item.id && rev === item.rev)?.bytes;
  }
}

/** A file that is not as long as its name says holds another revision than the one that is wanted. */
function identify({ path, size, mtime }: Stored): Omit<Known, "file"> | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const inLeaf = parentOf(path).endsWith(`/${LEAF}`);
  if (!inLeaf && name === SIDECAR) return { identity: { id: SIDECAR, rev: sidecarRev(size, mtime), sidecar: true } };
  const parts = /^([^~]*)~([^~]*)\.([a-z2-7]{26}),S=(\d+)[:;]2,[^:;]*$/.exec(name);
  if (!inLeaf || !parts) return undefined;
  const [, id = "", rev = "", digest = "", bytes = ""] = parts;
  const isWhole = Number(bytes) === size;
  return {
    identity: { id: unescape(id), rev: isWhole ? unescape(rev) : `${unescape(rev)} damaged` },
    content: { digest, size: Number(bytes) },
  };
}

function pathOf({ collection, id, rev, label, sidecar }: MemoryItem, content: Content, separator: string): Path {
  if (sidecar) return `${collection}/${SIDECAR}`;
  const name = `${escape(id)}~${escape(rev)}.${content.digest},S=${content.size}${separator}2,${escape(label)}`;
  return `${collection}/${LEAF}/${name}`;
}

function sidecarRev(size: number, mtime: number): string {
  return `${size} ${Math.floor(mtime / 1000)}`;
}

function fingerprintOf({ entries, sidecar }: MemoryCollection): string {
  const things = [...entries, ...(sidecar ? [sidecar] : [])];
  const lines = things.map((thing) => JSON.stringify({ ...thing, bytes: contentOf(thing.bytes).digest }));
  return contentOf(Buffer.from(lines.join("\n"))).digest;
}

/** Only letters, digits, `-`, `_` and `.` stand for themselves. */
function escape(text: string): string {
  const hex = (byte: number): string => `%${byte.toString(16).padStart(2, "0")}`;
  return text.replace(/[^\w.-]/gu, (letter) => Array.from(Buffer.from(letter), hex).join(""));
}

function unescape(text: string): string {
  const bytes = text.replace(/%([0-9a-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString();
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const piece = Math.ceil(bytes.byteLength / 3);
  for (let at = 0; at < bytes.byteLength; at += piece) yield bytes.subarray(at, at + piece);
}
