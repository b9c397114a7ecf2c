import assert from "node:assert/strict";
import { isBackupError } from "../errors.js";
import type { ErrorCode } from "../errors.js";
import type { Lease } from "../lease.js";
import type { Body, Content, Item, Outcome, Path } from "../model.js";
import type { Place, Store } from "../store.js";
import type { ConformanceCase } from "./conformance.js";

/** How the conformance suite gets at the stores that it tests. */
export interface StoreFixture {
  /** A store on an empty destination of its own, which may not exist yet. */
  open(): Promise<Store>;
  /** Another store on the same destination, as another process would open it. */
  reopen(store: Store): Promise<Store>;
  /** Removes what `open` made. Called at the end of every case. */
  cleanup(): Promise<void>;
  /** Temporary files at the destination, by any name; without it, that they are cleared is not tested. */
  leftovers?(store: Store): Promise<readonly string[]>;
  /** How many files are many. Default 1500. */
  readonly many?: number;
  /** Whether the other side holds a file, or a directory, of this name; all of them by default. */
  holds?(name: string): boolean;
  /** Time that must pass between two changes of a directory to make their stamps differ, milliseconds. Default 20. */
  readonly stampMs?: number;
}

/** What a case works with: a store on an empty destination, with its lease. */
export interface Stage {
  readonly fixture: StoreFixture;
  readonly store: Store;
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

/** Never fires. */
export const NEVER: AbortSignal = new AbortController().signal;

/** A time without a fraction, and even: as coarse as the coarsest file system. */
export const MTIME = Date.UTC(2020, 1, 29, 12, 34, 56);

/** A case that has the lease. */
export function leased(name: string, run: (stage: Stage) => Promise<void>): ConformanceCase<StoreFixture> {
  return unleased(name, async (fixture) => {
    await using store = await fixture.open();
    await using lease = await store.lease(NEVER);
    await run({ fixture, store, lease, signal: NEVER });
  });
}

export function unleased(name: string, run: (fixture: StoreFixture) => Promise<void>): ConformanceCase<StoreFixture> {
  return {
    name,
    async run(fixture) {
      try {
        await run(fixture);
      } finally {
        await fixture.cleanup();
      }
    },
  };
}

/** An item whose file gets this path. */
export interface PathItem extends Item {
  readonly path: Path;
}

export function itemAt(path: Path, mtime = MTIME): PathItem {
  return { id: path, rev: "1", collection: "a", size: 0, mtime, path };
}

export const byPath = ({ path }: PathItem): Place => ({ path });

export async function* bodiesOf<T>(bodies: Iterable<T>): AsyncGenerator<T> {
  yield* bodies;
}

export async function* piecesOf(...pieces: readonly (string | Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield typeof piece === "string" ? Buffer.from(piece) : piece;
  }
}

/** Puts bodies and gives every outcome, in any order. */
export async function putAll(
  store: Store,
  bodies: Iterable<Body<PathItem>> | AsyncIterable<Body<PathItem>>,
  place: (item: PathItem, content: Content) => Place = byPath,
): Promise<readonly Outcome<PathItem>[]> {
  const source = Symbol.asyncIterator in bodies ? bodies : bodiesOf(bodies);
  const outcomes: Outcome<PathItem>[] = [];
  for await (const batch of store.put(source, place, NEVER)) outcomes.push(...batch);
  return outcomes;
}

/** Puts small files by path. */
export async function putTexts(store: Store, files: Readonly<Record<Path, string>>): Promise<void> {
  const bodies = Object.entries(files).map(([path, text]) => ({ item: itemAt(path), bytes: Buffer.from(text) }));
  for (const outcome of await putAll(store, bodies)) if ("error" in outcome) throw outcome.error;
}

/** Names of the files in a directory, sorted. */
export async function namesIn(store: Store, directory: Path): Promise<readonly string[]> {
  const files = await store.list([directory], NEVER);
  return files.map(({ path }) => path.slice(directory.length + 1)).toSorted();
}

/** Digest, or the code of the error, of each of these files. */
export async function digestsOf(store: Store, paths: readonly Path[]): Promise<Readonly<Record<Path, string>>> {
  const found = new Map<Path, string>();
  for await (const digested of store.digests(paths, NEVER)) {
    assert.ok(!found.has(digested.path), `${digested.path} twice`);
    found.set(digested.path, "error" in digested ? digested.error.code : digested.digest);
  }
  return Object.fromEntries(found);
}

export async function textAt(store: Store, path: Path): Promise<string> {
  return Buffer.from(await store.read(path, NEVER)).toString();
}

export async function stampsIn(store: Store, leaves: readonly string[] = []): Promise<ReadonlyMap<Path, string>> {
  const directories = await store.directories(leaves, NEVER);
  return new Map(directories.map(({ path, stamp }) => [path, stamp]));
}

/** Asserts the time of a file, to the second, where the store keeps it. */
export function assertTime(store: Store, mtime: number, expected: number, what?: string): void {
  if (store.can.times === false) return;
  assert.equal(Math.floor(mtime / 1000), Math.floor(expected / 1000), what);
}

/** Whether the store clones; asserts that one which does not says so. */
export async function clones(store: Store): Promise<boolean> {
  if (store.can.clone !== false) return true;
  await rejectsWith("TRANSPORT_MISSING", store.clone("a", "z", NEVER));
  assert.deepEqual((await store.subdirectories([""], NEVER)).includes("z"), false);
  return false;
}

export async function rejectsWith(code: ErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isBackupError(error), `expected a BackupError ${code}, and got ${String(error)}`);
    assert.equal(error.code, code);
    return true;
  });
}
