import type { Delta } from "./compare.js";
import { BackupError } from "./errors.js";
import { likeness } from "./likeness.js";
import type { Item, Known } from "./model.js";

/** Collections and accounts below this many items are never stopped. */
const FLOOR = 100;

/** How much of a collection a run would delete. */
export interface Loss {
  readonly name: string;
  /** Items at the destination before the run. */
  readonly held: number;
  readonly deleted: number;
}

/**
 * Stops a run that would delete more than half of a collection, or of everything, that holds 100 items or more.
 * An empty or half answer of a source never empties a backup.
 * @throws BackupError DELETION_LIMIT
 */
export function checkDeletionLimit(losses: readonly Loss[]): void {
  const held = losses.reduce((sum, loss) => sum + loss.held, 0);
  const deleted = losses.reduce((sum, loss) => sum + loss.deleted, 0);
  const isOver = (loss: Loss): boolean => loss.held >= FLOOR && loss.deleted * 2 > loss.held;
  const over = losses.filter(isOver);
  const total = { name: "everything together", held, deleted };
  if (over.length === 0 && !isOver(total)) return;
  const [first = total, ...others] = over;
  const more = others.length ? ` and ${others.length} more` : "";
  throw new BackupError(
    "DELETION_LIMIT",
    `stopped: this run would delete ${first.deleted} of ${first.held} in ${first.name}${more}, more than half. ` +
      "Nothing was deleted. If that is what happened at the source, run again with --allow-deletes",
  );
}

/** Vanished files whose bytes no file that stays has: what a run that was interrupted already moved is not lost. Pure. */
export function withoutCopy(vanished: readonly Known[], deltas: readonly Pick<Delta, "staying">[]): readonly Known[] {
  return vanished.filter(({ content }) => !content || !deltas.some(({ staying }) => staying.has(content.digest)));
}

/**
 * Vanished files that no added item could be: a file and an item of the same size and time, each used once,
 * are taken for a move. Pure. A guess that only ever makes the limit milder before a transfer; after it, digests decide.
 */
export function unlikelyMoved(vanished: readonly Known[], added: readonly Item[]): readonly Known[] {
  const likes = new Map<string, number>();
  for (const { size, mtime } of added) {
    const like = likeness(size, mtime);
    likes.set(like, (likes.get(like) ?? 0) + 1);
  }
  return vanished.filter(({ file }) => {
    const like = likeness(file.size, file.mtime);
    const left = likes.get(like) ?? 0;
    if (left > 0) likes.set(like, left - 1);
    return left === 0;
  });
}
