import type { Layout } from "./layout.js";
import type { Known, Naming, Path, Stored } from "./model.js";
import type { Store } from "./store.js";

/** The directories of a collection at the destination, parents first. */
export function directoriesOf(path: Path, { leaves }: Pick<Layout, "leaves">): readonly Path[] {
  return [path, ...leaves.map((leaf) => `${path}/${leaf}`)];
}

/** One text that changes when any directory of the collection does; undefined: one of them is missing. */
export function stampOf(
  path: Path,
  source: Pick<Layout, "leaves">,
  stamps: ReadonlyMap<Path, string>,
): string | undefined {
  const parts = directoriesOf(path, source).map((directory) => stamps.get(directory));
  return parts.every((part) => part !== undefined) ? parts.join(" ") : undefined;
}

export async function stampsOf(
  { leaves }: Pick<Layout, "leaves">,
  store: Store,
  signal: AbortSignal,
): Promise<ReadonlyMap<Path, string>> {
  const directories = await store.directories(leaves, signal);
  return new Map(directories.map(({ path, stamp }) => [path, stamp]));
}

/** The collections that these directories mark. */
export function collectionsAt(layout: Pick<Layout, "collectionAt">, directories: Iterable<Path>): ReadonlySet<Path> {
  const paths = new Set<Path>();
  for (const directory of directories) {
    const path = layout.collectionAt(directory);
    if (path !== undefined) paths.add(path);
  }
  return paths;
}

interface FilesInput {
  readonly source: Pick<Layout, "leaves">;
  readonly store: Store;
  readonly naming: Pick<Naming, "identify">;
  readonly signal: AbortSignal;
}

/** Collections whose files are listed at the same time: at a distance it takes round trips, and each is in memory. */
export const LISTINGS = 5;

/** The files of a collection that are ours. */
export async function knownAt(
  input: FilesInput,
  path: Path,
  stamps: ReadonlyMap<Path, string>,
): Promise<readonly Known[]> {
  return (await filesAt(input, path, stamps)).known;
}

/** The files in the directories of a collection: those that are ours, and the others. */
export async function filesAt(
  { source, store, naming, signal }: FilesInput,
  path: Path,
  stamps: ReadonlyMap<Path, string>,
): Promise<{ readonly known: readonly Known[]; readonly others: readonly Path[] }> {
  const directories = directoriesOf(path, source).filter((directory) => stamps.has(directory));
  const known: Known[] = [];
  const others: Path[] = [];
  for (const file of directories.length > 0 ? await store.list(directories, signal) : []) {
    const identified = naming.identify(file);
    if (identified) known.push({ file: timed(file, identified.mtime, store), ...identified });
    else others.push(file.path);
  }
  return { known, others };
}

/** Where a store keeps no times, a file's time is the one that its name says. */
function timed(file: Stored, mtime: number | undefined, { can }: Store): Stored {
  return can.times === false && mtime !== undefined ? { ...file, mtime } : file;
}
