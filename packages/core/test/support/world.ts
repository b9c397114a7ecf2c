import { type BackupEvent, type BackupOptions, type Path, type Report, type Store, backup } from "../../src/index.js";
import type { MemoryCollection, MemoryEntry, MemoryItem, MemoryStore } from "../../src/testing/index.js";

/** 2020-09-13T12:26:40Z */
export const TIME = 1_600_000_000_000;

export function entry(id: string, text: string, label = "", mtime = TIME): MemoryEntry {
  return { id, label, bytes: Buffer.from(text), mtime };
}

export function folder(path: Path, ...entries: readonly MemoryEntry[]): MemoryCollection {
  return { path, entries };
}

/** So many entries with texts of one length; `prefix` begins every id. */
export function many(count: number, prefix = "", text = "text"): readonly MemoryEntry[] {
  return Array.from({ length: count }, (_, n) => {
    const number = String(n).padStart(4, "0");
    return entry(`${prefix}${number}`, `${text} ${number}`, "", TIME + n * 1000);
  });
}

/** Texts of the files in a collection, sorted. */
export function textsIn(store: MemoryStore, path: Path): readonly string[] {
  return Array.from(store.files())
    .filter(([file]) => file.startsWith(`${path}/cur/`))
    .map(([, { bytes }]) => Buffer.from(bytes).toString())
    .toSorted();
}

export interface Recorded {
  readonly report: Report;
  readonly events: readonly BackupEvent[];
}

/** One run, and what it said. */
export async function record(options: BackupOptions<MemoryItem>): Promise<Recorded> {
  const events: BackupEvent[] = [];
  const report = await backup({ ...options, onEvent: (event) => events.push(event) });
  return { report, events };
}

/** A store that notes which of its methods are called, and calls `before` each. */
export function watched(
  store: Store,
  before: (method: string) => void = () => {},
): { readonly store: Store; readonly calls: string[] } {
  const calls: string[] = [];
  const watcher = new Proxy(store, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...values: readonly unknown[]): unknown => {
        calls.push(String(key));
        before(String(key));
        return Reflect.apply(value, target, values);
      };
    },
  });
  return { store: watcher, calls };
}
