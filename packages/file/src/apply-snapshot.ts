import {
  BackupError,
  type MirrorResult,
  type MirrorSnapshot,
  type Path,
  type SnapshotBefore,
  isBackupError,
} from "@backup/core";
import type { RsyncCopied } from "@backup/transport-rsync";
import { MOVED, linkMoves } from "./apply-moves.js";
import { ITEMIZE, parseItemized } from "./itemized.js";
import { shown, textOf } from "./raw-path.js";
import { type Found, type Means, TreeTransfer } from "./transfer-tree.js";
import { type Copy, type TreeCopier, reachOf } from "./tree-copier.js";

/** A snapshot that is made beside another one. */
export type Beside = MirrorSnapshot & { readonly newest: SnapshotBefore };

/** Makes a snapshot that shares with the newest one what is equal. That one is only read. */
export async function applySnapshot(
  given: Found,
  snapshot: Beside,
  means: Means,
  signal: AbortSignal,
): Promise<MirrorResult> {
  const { newest, isResumed } = snapshot;
  // What was sent by a run that was interrupted is known to nobody.
  const found = isResumed ? { ...given, manifest: undefined } : given;
  const { place, difference, moves } = found;
  const { onEvent } = place;
  if (isResumed) await unshare(found, means.copier, signal);
  const hasMoved = moves.origins.length + moves.single.length > 0;
  const onSkipped = (reason: string): void => onEvent({ type: "debug", message: `not linked: ${reason}` });
  if (hasMoved) await linkMoves(moves, newest, { signal, onSkipped });

  await using transfer = await TreeTransfer.open(found, means, signal);
  const { reader, changes } = transfer;
  const kept = new Set(hasMoved ? difference.wanted.map(({ path }) => path) : []);
  for (const path of [...difference.gone, ...difference.goneDirectories])
    if (!kept.has(moves.nowAt(path))) changes.remove(moves.nowAt(path));
  const links = [newest.day, ...(hasMoved ? [MOVED] : [])];
  const options = isResumed ? ["--delete", "--force"] : [];
  const failed = await transfer.send(options, (copy) => copyBeside({ found, snapshot, links }, means.copier, copy));
  const stock = await transfer.close();
  if (hasMoved) await newest.store.removeTree(MOVED, signal);
  const done = { added: reader.added, moved: moves.count, removed: moves.gone, bytes: reader.bytes };
  return { ...done, kept: 0, postponed: 0, failed, stock };
}

/**
 * Removes from a snapshot that was begun what differs by attributes alone: it may have another name in a published one,
 * where rsync(1), which gives a file that is there other attributes in its place, would change it too.
 */
async function unshare({ place }: Found, copier: TreeCopier, signal: AbortSignal): Promise<void> {
  const { store, onEvent } = place;
  const paths: Path[] = [];
  const onLine = (line: string): void => {
    const item = parseItemized(line);
    if (item?.action !== "attributes" || item.kind === "directory") return;
    const path = textOf(item.path);
    if (path === undefined)
      throw new BackupError(
        "UNSAFE_PATH",
        `${store.name} was begun by a run that was interrupted, and ${shown(item.path)} there, whose name is no ` +
          "UTF-8, cannot be made anew; delete that directory and run again",
      );
    paths.push(path);
  };
  const to = () => reachOf(store, signal);
  await copier.copy(onEvent, { to, options: ["--dry-run", ...ITEMIZE], onLine, signal });
  await store.remove(paths, signal);
}

interface Links {
  readonly found: Found;
  readonly snapshot: Beside;
  /** Directories of the destination as a whole. */
  readonly links: readonly Path[];
}

/** Copies, and gives what is equal in these directories another name instead. */
async function copyBeside({ found, snapshot, links }: Links, copier: TreeCopier, copy: Copy): Promise<RsyncCopied> {
  const { onEvent } = found.place;
  const { begun, newest } = snapshot;
  const up = begun.replaceAll(/[^/]+/g, "..");
  const by = (root: string): Copy => {
    const options = links.map((path) => `--link-dest=${`${root}/${path}`.replaceAll(/\/+/g, "/")}`);
    return { ...copy, options: [...copy.options, ...options] };
  };
  try {
    return await copier.copy(onEvent, by(up));
  } catch (error) {
    // rrsync(1) takes paths from the directory that it restricts to, and no `..`.
    if (!isBackupError(error) || !(error.cause instanceof Error) || !error.cause.message.includes("do not use .."))
      throw error;
    const root = await newest.store.reach?.(copy.signal);
    return await copier.copy(onEvent, by(`/${root?.directory ?? ""}`));
  }
}
