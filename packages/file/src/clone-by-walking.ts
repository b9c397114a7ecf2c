import { BackupError, type FileTree, PRIVATE, type RawPath, type Store, isBackupError } from "@backup/core";
import type { Beside } from "./apply-snapshot.js";
import { rawOf } from "./raw-path.js";
import { Slots, workThrough } from "./walk-pool.js";

/** With these the rest can go on: what is not cloned is transferred. */
const SKIPPED: ReadonlySet<string> = new Set(["DESTINATION_UNWRITABLE", "ITEM_UNREADABLE"]);

/**
 * Gives all files of the newest snapshot another name in the directory of the one that is being made, and makes its
 * directories and links there. A file that is there already stays.
 */
export async function cloneByWalking({ newest, begun }: Beside, signal: AbortSignal): Promise<void> {
  const tree = await treeOf(newest.store, signal);
  const { lanes } = await tree.facts(signal);
  const slots = new Slots(lanes);
  const [from, to] = [rawOf(newest.day), rawOf(begun)];
  await workThrough<RawPath>("", Math.max(1, lanes / 4), async (directory, add) => {
    const entries = (await skipping(tree.entries(`${from}${directory}`, signal))) ?? [];
    const clones = entries.map(async (entry) => {
      const inside = entry.path.slice(from.length);
      if (inside === `/${PRIVATE}`) return;
      const path = `${to}${inside}`;
      if (entry.type === "dir") {
        await skipping(tree.makeDirectory(path, signal));
        add(inside);
      } else if (entry.type === "file") await slots.run(() => skipping(tree.link(entry.path, path, signal)));
      else if (entry.type === "link") await slots.run(() => skipping(tree.writeLink({ ...entry, path }, signal)));
    });
    await Promise.all(clones);
  });
}

async function treeOf(store: Store, signal: AbortSignal): Promise<FileTree> {
  const tree = await store.tree?.("", {}, signal);
  if (tree) return tree;
  throw new BackupError("TRANSPORT_MISSING", `${store.name} is not reached by SFTP, which walks over trees`);
}

async function skipping<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isBackupError(error) && SKIPPED.has(error.code)) return undefined;
    throw error;
  }
}
