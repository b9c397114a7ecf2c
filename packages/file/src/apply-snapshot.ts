import {
  type MirrorResult,
  type MirrorSnapshot,
  type Path,
  type SnapshotBefore,
  isBackupError,
  parentOf,
} from "@backup/core";
import { MOVED, linkMoves } from "./apply-moves.js";
import { type Found, type Means, TreeTransfer } from "./transfer-tree.js";
import type { Copied, Copier, Copy } from "./copier.js";

/** A snapshot that is made beside another one. */
export type Beside = MirrorSnapshot & { readonly newest: SnapshotBefore };

/** Where what was begun waits. The next lease clears it. */
const BEGUN: Path = ".backup/tmp/begun";

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
  if (isResumed) await putAside(snapshot, signal);
  const hasMoved = moves.origins.length + moves.single.length > 0;
  const onSkipped = (reason: string): void => onEvent({ type: "debug", message: `not linked: ${reason}` });
  if (hasMoved) await linkMoves(moves, newest, { signal, onSkipped });

  await using transfer = await TreeTransfer.open(found, means, signal);
  const { reader, changes } = transfer;
  const { wanted, made, newDirectories } = difference;
  const kept = new Set(hasMoved ? [...wanted.map(({ path }) => path), ...made, ...newDirectories] : []);
  for (const path of [...difference.gone, ...difference.goneDirectories])
    if (!kept.has(moves.nowAt(path))) changes.remove(moves.nowAt(path));
  const links = [newest.day, ...(hasMoved ? [MOVED] : []), ...(isResumed ? [BEGUN] : [])];
  const run = (copy: Copy): Promise<Copied> => copyBeside({ found, snapshot, links }, means.copier, copy);
  // Never over what it has linked itself: the next run puts that aside.
  const failed = await transfer.send(run, { isOnce: true });
  const stock = await transfer.close();
  for (const path of [MOVED, BEGUN]) await newest.store.removeTree(path, signal);
  const done = { added: reader.added, moved: moves.count, removed: moves.gone, bytes: reader.bytes };
  return { ...done, kept: 0, postponed: 0, failed, stock };
}

/**
 * What an interrupted run has begun is put aside, to be linked from like a published snapshot. It may share files with
 * those, and rsync(1) gives a file that is there other attributes in its place; what it links it compares first.
 */
async function putAside({ newest: { store }, begun }: Beside, signal: AbortSignal): Promise<void> {
  await store.removeTree(BEGUN, signal);
  await store.makeDirectories([parentOf(BEGUN)], signal);
  await store.moveTree(begun, BEGUN, signal);
  await store.makeDirectories([`${begun}/.backup`], signal);
}

interface Links {
  readonly found: Found;
  readonly snapshot: Beside;
  /** Directories of the destination as a whole. */
  readonly links: readonly Path[];
}

/** Copies, and gives what is equal in these directories another name instead. */
async function copyBeside({ found, snapshot, links }: Links, copier: Copier, copy: Copy): Promise<Copied> {
  const { onEvent } = found.place;
  const { begun, newest } = snapshot;
  const up = begun.replaceAll(/[^/]+/g, "..");
  const by = (root: string): Copy => ({
    ...copy,
    beside: links.map((path) => `${root}/${path}`.replaceAll(/\/+/g, "/")),
  });
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
