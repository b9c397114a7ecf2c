import { lstatSync } from "node:fs";
import { parentOf } from "@backup/core";
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
  readonly plan: Pick<MovePlan, "nowAt" | "cameAt" | "single" | "origins">;
  /** What each wanted file was when the last run saw it, where its inode has not been changed since. */
  readonly sameAs: ReadonlyMap<RawPath, RawPath>;
  /** Directories and links that the last run saw, and that are not there any more. */
  readonly others: readonly Entry[];
  /** When that run began, milliseconds since 1970. */
  readonly started: number;
}

/** Entries that are looked at one by one, at most. */
const MOST = 20_000;

/**
 * What is left to be looked at when all renames are made, directories without what is in them; undefined: all of it. An
 * inode that has not been changed since before the last run has the attributes that this run has copied.
 */
export function leftToLookAt(after: AfterMoves): readonly RawPath[] | undefined {
  const { directory, difference, moves, plan, sameAs } = after;
  const { wanted, made, newDirectories, restated, gone, goneDirectories } = difference;
  if (!restated) return undefined;
  const known = new Set(moves.flatMap(({ from, to }) => (sameAs.get(to) === from ? [to] : [])));
  for (const path of unchanged(after)) known.add(path);
  const left = new Set(restated);
  for (const path of [...wanted.map((file) => file.path), ...made, ...newDirectories]) {
    // Something of another kind is in its place.
    if (gone.has(path) || goneDirectories.has(path)) return undefined;
    if (!known.has(path)) left.add(path);
    if (left.size > MOST) return undefined;
  }
  // By each rename the destination gives other times to two directories.
  for (const { from, to } of [...plan.single, ...plan.origins])
    for (const path of [plan.cameAt(parentOf(from)), parentOf(to)]) left.add(path === "" ? "." : path);
  const there: RawPath[] = [];
  for (const path of left) {
    const stats = statsOf(directory, path);
    // Its other names would have to be seen, too.
    if (stats && !stats.isDirectory() && stats.nlink > 1n) return undefined;
    if (stats) there.push(path);
  }
  return there;
}

/** Directories and links that came with a rename, and are as the last run saw them. */
function* unchanged({ directory, difference, plan, others, started }: AfterMoves): Generator<RawPath> {
  const { made, newDirectories } = difference;
  for (const entry of others) {
    const now = plan.nowAt(entry.path);
    if (!made.has(now) && !newDirectories.has(now)) continue;
    const stats = statsOf(directory, now);
    if (stats && isOfInode(stats, entry, started)) yield now;
  }
}

function statsOf(directory: string, path: RawPath) {
  return lstatSync(placeIn(directory, path), { bigint: true, throwIfNoEntry: false });
}
