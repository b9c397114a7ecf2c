import { lstatSync } from "node:fs";
import type { Difference } from "./find-difference.js";
import type { Entry } from "./manifest.js";
import type { MovePlan } from "./move-plan.js";
import type { Moved } from "./moves.js";
import { type RawPath, placeIn } from "./raw-path.js";
import { isOfInode } from "./same-inode.js";

export interface AfterMoves {
  /** The source, on this machine. */
  readonly directory: string;
  readonly difference: Difference;
  readonly moves: readonly Moved[];
  readonly plan: Pick<MovePlan, "nowAt">;
  /** What each wanted file was when the last run saw it, where its inode has not been changed since. */
  readonly sameAs: ReadonlyMap<RawPath, RawPath>;
  /** Directories and links that the last run saw, and that are not there any more. */
  readonly others: readonly Entry[];
  /** When that run began, milliseconds since 1970. */
  readonly started: number;
}

/**
 * What is left to be looked at when all renames are made, directories without what is in them; undefined: all of it. An
 * inode that has not been changed since before the last run has the attributes that this run has copied.
 */
export function leftToLookAt(after: AfterMoves): readonly RawPath[] | undefined {
  const { directory, difference, moves, plan, sameAs, others, started } = after;
  const { wanted, made, newDirectories, restated } = difference;
  if (!restated || moves.length !== wanted.length) return undefined;
  if (moves.some(({ from, to }) => sameAs.get(to) !== from)) return undefined;
  const known = new Set<RawPath>();
  for (const entry of others) {
    const now = plan.nowAt(entry.path);
    if (!made.has(now) && !newDirectories.has(now)) continue;
    const stats = lstatSync(placeIn(directory, now), { bigint: true, throwIfNoEntry: false });
    if (stats && isOfInode(stats, entry, started)) known.add(now);
  }
  // Names of files that have others: those have to be seen, too.
  if ([...made].some((path) => !known.has(path))) return undefined;
  return [...restated, ...[...newDirectories].filter((path) => !known.has(path))];
}
