import { createHash } from "node:crypto";
import { type FileTree, isBackupError } from "@backup/core";
import type { RawPath } from "./raw-path.js";
import { workOnEach } from "./walk-pool.js";

/** Reads files and gives their SHA-256; what cannot be had is left out. */
export async function treeDigests(
  tree: FileTree,
  paths: readonly RawPath[],
  signal: AbortSignal,
): Promise<ReadonlyMap<RawPath, Buffer>> {
  const digests = new Map<RawPath, Buffer>();
  if (paths.length === 0) return digests;
  const { lanes } = await tree.facts(signal);
  const digest = async (path: RawPath): Promise<void> => {
    const hash = createHash("sha256");
    try {
      for await (const piece of tree.read(path, signal)) hash.update(piece);
      digests.set(path, hash.digest());
    } catch (error) {
      if (!isBackupError(error, "ITEM_UNREADABLE") && !isBackupError(error, "NOT_FOUND")) throw error;
    }
  };
  await workOnEach(paths, lanes, digest);
  return digests;
}
