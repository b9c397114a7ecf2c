import { BackupError, type Digested, LocalStore, type Path, isBackupError } from "@backup/core";
import { RsyncExit } from "./rsync-errors.js";
import type { RsyncEntry } from "./rsync-listing.js";
import type { RsyncTree } from "./rsync-tree.js";

/** Files that are fetched in one go. */
const FETCHED = 4096;

export interface RsyncDigests {
  readonly paths: readonly Path[];
  /** What is there of them. */
  readonly there: readonly RsyncEntry[];
  readonly tree: RsyncTree;
  /** Bytes that are fetched in one go, apart from one file that is larger. */
  readonly limitBytes: number;
}

/** Fetches files in batches and digests them here: rsync(1) tells nothing of their bytes. */
export async function* digestsByRsync(
  { paths, there, tree, limitBytes }: RsyncDigests,
  signal: AbortSignal,
): AsyncGenerator<Digested> {
  const sizes = new Map(there.flatMap(({ type, path, size }) => (type === "file" ? [[path, size]] : [])));
  for (const path of paths)
    if (!sizes.has(path)) yield { path, error: new BackupError("NOT_FOUND", `${path} is not there`) };
  for (const batch of batchesOf(sizes, limitBytes)) yield* await digestBatch(tree, batch, signal);
}

async function digestBatch(tree: RsyncTree, batch: readonly Path[], signal: AbortSignal): Promise<readonly Digested[]> {
  return tree.scratch(async (local) => {
    try {
      await tree.pull(batch, local, signal);
    } catch (error) {
      // What it could not read is not there; it costs no other.
      if (!isBackupError(error) || !(error.cause instanceof RsyncExit) || error.cause.exitCode !== 23) throw error;
    }
    const digested: Digested[] = [];
    for await (const one of new LocalStore(local).digests(batch, signal)) digested.push(fetched(one));
    return digested;
  });
}

function fetched(one: Digested): Digested {
  if (!("error" in one) || one.error.code !== "NOT_FOUND") return one;
  const { path, error } = one;
  return { path, error: new BackupError("ITEM_UNREADABLE", `${path} cannot be fetched by rsync`, { cause: error }) };
}

function* batchesOf(sizes: ReadonlyMap<Path, number>, limitBytes: number): Generator<readonly Path[]> {
  let batch: Path[] = [];
  let bytes = 0;
  for (const [path, size] of sizes) {
    if (batch.length >= FETCHED || (batch.length > 0 && bytes + size > limitBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(path);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
