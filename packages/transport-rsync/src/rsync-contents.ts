import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError, type FileContent, type Path, type Stored, isBackupError, systemCode } from "@backup/core";
import type { RsyncTree } from "./rsync-tree.js";

/** Of one run of rsync(1): files, and bytes of them that are held at a time. */
const FILES = 500;
const BYTES = 8 * 1024 * 1024;

/** Cuts files into those of one run each, in their order. */
export function pullBatches(files: readonly Stored[]): readonly (readonly Stored[])[] {
  const batches: Stored[][] = [];
  let batch: Stored[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length >= FILES || (batch.length > 0 && bytes + file.size > BYTES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(file);
    bytes += file.size;
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}

/** Whole files by one run of rsync(1), through the spool. */
export async function pullContents(
  tree: RsyncTree,
  files: readonly Stored[],
  { where, signal }: { readonly where: string; readonly signal: AbortSignal },
): Promise<readonly FileContent[]> {
  const paths = files.map(({ path }) => path);
  return tree.scratch(async (local) => {
    try {
      await tree.pull([...new Set(paths)], local, signal);
    } catch (error) {
      // The directory itself: then none of them is there.
      if (!isBackupError(error, "NOT_FOUND")) throw error;
    }
    return Promise.all(paths.map((path) => contentIn(local, path, where)));
  });
}

async function contentIn(local: string, path: Path, where: string): Promise<FileContent> {
  try {
    return { path, bytes: await readFile(join(local, path)) };
  } catch (error) {
    if (!["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) throw error;
    return { path, error: new BackupError("NOT_FOUND", `${where} has no ${path}`, { cause: error }) };
  }
}
