import type { MirrorResult } from "@backup/core";
import { applyMoves } from "./apply-moves.js";
import type { RawPath } from "./raw-path.js";
import { heldBefore } from "./totals.js";
import { type Found, type Means, TreeTransfer } from "./transfer-tree.js";

/** More than what the comparison found may be deleted by so many, because the source goes on being used. */
const DELETE_SLACK = 100;

/** Makes a destination equal to the source: renames, transfers, and deletes last, if nothing failed. */
export async function applyMirror(found: Found, means: Means, signal: AbortSignal): Promise<MirrorResult> {
  const { place, difference, moves } = found;
  const { onEvent, keepDeleted, store } = place;
  const { gone } = moves;
  const none = { added: 0, moved: 0, removed: 0, kept: keepDeleted ? gone : 0, postponed: 0, bytes: 0, failed: 0 };

  const onSkipped = (reason: string): void => onEvent({ type: "debug", message: `not renamed: ${reason}` });
  const isMoved = await applyMoves(moves, { store, signal, onSkipped });

  // Where only some of the renames were made, what is where is found out anew.
  const known = isMoved ? found : { ...found, manifest: undefined };
  await using transfer = await TreeTransfer.open(known, means, signal);
  const { reader, onItem } = transfer;
  const entries = isMoved && !means.isAdjusted ? moves.left : undefined;
  let failed = await transfer.send((copy) => means.copier.copy(onEvent, copy), { force: !keepDeleted, entries });
  const isPostponed = !keepDeleted && failed > 0;
  const hasLeft = gone > 0 || moves.suspects.length > 0 || !isMoved;
  // Also one that came with a renamed directory, and that the source does not have there.
  const isStray = (path: RawPath): boolean => !difference.newDirectories.has(moves.nowAt(path));
  const left = hasLeft || [...difference.goneDirectories].some(isStray);
  if (!keepDeleted && !isPostponed && left) {
    // It may have been lost meanwhile.
    await means.check();
    const most = mostDeletes(found);
    const deleted = await means.copier.copy(onEvent, { task: "delete", to: store, most, onItem, signal });
    failed += transfer.tell(deleted);
    await means.copier.finish(store, signal);
  }
  const stock = await transfer.close();
  return {
    ...none,
    added: reader.added,
    moved: moves.count,
    removed: reader.removed + moves.suspects.length,
    postponed: isPostponed ? gone : 0,
    bytes: reader.bytes,
    failed,
    stock,
  };
}

/**
 * What vanished is deleted in the last pass, and only if all that was to come is there. Not more than the comparison found,
 * and a little: the source may have been lost since. Undefined: whatever it is.
 */
function mostDeletes({ place, difference }: Found): number | undefined {
  if (place.allowDeletes) return undefined;
  const { totals, gone, goneDirectories } = difference;
  return gone.size + goneDirectories.size + Math.min(DELETE_SLACK, Math.floor(heldBefore(totals) / 20));
}
