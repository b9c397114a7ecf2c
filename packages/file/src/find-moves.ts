import { type Store, digestOf, parentOf } from "@backup/core";
import type { Difference } from "./find-difference.js";
import { lstatSync } from "node:fs";
import { leftToLookAt } from "./left-to-look-at.js";
import type { Entry } from "./manifest.js";
import type { Manifest } from "./manifest-file.js";
import { type MovePlan, planMoves } from "./move-plan.js";
import { type Likely, type TreeFile, likelyMoves, proveMoves } from "./moves.js";
import { type RawPath, placeIn, rawOf, textOf } from "./raw-path.js";
import { isOfInode } from "./same-inode.js";
import { secondsOf } from "./seconds.js";
import type { TreeEnd } from "./tree-end.js";

export interface FindMoves {
  readonly source: TreeEnd;
  readonly store: Store;
  readonly difference: Difference;
  /** What the last run left; undefined: nothing that is known. */
  readonly manifest: Manifest | undefined;
}

/** Moves, and how many files they bring to where they belong. */
export interface FoundMoves extends MovePlan {
  readonly count: number;
  /** Bytes of these files. */
  readonly bytes: number;
  /** What these renames leave of what is at the destination only. */
  readonly gone: number;
  /** Links and the like that come with directories to where they are made otherwise. */
  readonly carried: number;
  /** What is left to be looked at then, see leftToLookAt; undefined: all of it. */
  readonly left?: readonly RawPath[] | undefined;
}

const NOTHING: MovePlan = {
  nowAt: (path) => path,
  cameAt: (path) => path,
  isRight: () => true,
  strays: [],
  directories: [],
  origins: [],
  single: [],
  files: [],
  suspects: [],
};

export function noMoves({ gone }: Difference): FoundMoves {
  return { ...NOTHING, count: 0, bytes: 0, gone: gone.size, carried: 0 };
}

/** A file of the destination that is not needed where it is. */
interface Spare extends TreeFile {
  readonly entry?: Entry | undefined;
}

/**
 * What was moved or renamed at the source: files of the same size and time, proven to be the same. A file of this machine
 * is the same where its inode has not changed since before the last run; otherwise SHA-256 of both ends decides.
 */
export async function findMoves(input: FindMoves, signal: AbortSignal): Promise<FoundMoves> {
  const { difference } = input;
  const { wanted, gone, changed, made, goneDirectories, newDirectories } = difference;
  const isPossible = wanted.length > 0 && gone.size + made.size + newDirectories.size + changed.size > 0;
  if (!isPossible) return noMoves(difference);
  const { spare, others } = await spareFiles(input, signal);
  const likely = likelyMoves(wanted, spare);
  if (likely.length === 0) return noMoves(difference);
  const { sameAs, ...digests } = await digestsOf(likely, input, signal);
  const moves = proveMoves(likely, digests);
  const plan = planMoves(moves, { wanted, spare, gone, goneDirectories, newDirectories, made });
  const carried = plan.directories.length === 0 ? 0 : [...gone].filter((path) => made.has(plan.nowAt(path))).length;
  const sizes = new Map(wanted.map(({ path, size }) => [path, size]));
  const { source, manifest } = input;
  const isLocal = source.local !== undefined && manifest !== undefined;
  return {
    ...plan,
    left: isLocal
      ? leftToLookAt({ directory: source.local, difference, moves, plan, sameAs, others, started: manifest.started })
      : undefined,
    count: moves.length,
    bytes: moves.reduce((sum, { to }) => sum + (sizes.get(to) ?? 0), 0),
    gone: gone.size - moves.filter(({ from }) => gone.has(from)).length - carried,
    carried,
  };
}

/** Files of the destination that may be needed elsewhere, and what else the manifest has that is not there any more. */
async function spareFiles(
  { difference, manifest, store }: FindMoves,
  signal: AbortSignal,
): Promise<{ readonly spare: readonly Spare[]; readonly others: readonly Entry[] }> {
  const { gone, changed, made, newDirectories, goneDirectories } = difference;
  // Also a file in whose place there is something of another kind now.
  const isSpare = (path: RawPath): boolean =>
    gone.has(path) || changed.has(path) || made.has(path) || newDirectories.has(path);
  const spare: Spare[] = [];
  const others: Entry[] = [];
  if (manifest) {
    for await (const entry of manifest.entries()) {
      const { path, type, size, mtime } = entry;
      if (type === "file" && isSpare(path)) spare.push({ path, size, mtime: secondsOf(mtime), entry });
      else if (type !== "file" && (gone.has(path) || goneDirectories.has(path))) others.push(entry);
    }
    return { spare, others };
  }
  const directories = new Set([...gone, ...changed].map((path) => textOf(parentOf(path)) ?? ""));
  directories.delete("");
  for (const { path, size, mtime } of await store.list([...directories], signal)) {
    const raw = rawOf(path);
    if (gone.has(raw) || changed.has(raw)) spare.push({ path: raw, size, mtime: Math.floor(mtime / 1000) });
  }
  return { spare, others };
}

interface Found {
  readonly wanted: ReadonlyMap<RawPath, string>;
  readonly spare: ReadonlyMap<RawPath, string>;
  /** See AfterMoves. */
  readonly sameAs: ReadonlyMap<RawPath, RawPath>;
}

async function digestsOf(
  likely: readonly Likely[],
  { source, store, manifest }: FindMoves,
  signal: AbortSignal,
): Promise<Found> {
  const [wanted, spare] = [new Map<RawPath, string>(), new Map<RawPath, string>()];
  const sameAs = new Map<RawPath, RawPath>();
  const files = likely.flatMap((group): readonly Spare[] => group.spare);
  for (const { path, entry } of files)
    if (entry?.sha256 !== undefined) spare.set(path, digestOf(Buffer.from(entry.sha256, "hex")));
  if (source.local !== undefined && manifest) {
    const byInode = new Map(
      files.flatMap((file) => (file.entry?.inode === undefined ? [] : [[file.entry.inode, file]])),
    );
    for (const { path } of likely.flatMap((group) => group.wanted)) {
      const same = sameInode(source.local, path, byInode, manifest.started);
      const digest = same && spare.get(same.path);
      if (!same || digest === undefined) continue;
      wanted.set(path, digest);
      sameAs.set(path, same.path);
    }
  }
  // Only where both ends have one still to be made.
  const open = likely.flatMap((group) => (group.wanted.every(({ path }) => wanted.has(path)) ? [] : [group]));
  const unknown = open.flatMap((group) => group.spare.filter(({ path }) => !spare.has(path)));
  const paths = new Map(unknown.flatMap(({ path }) => [[textOf(path) ?? "", path]]));
  paths.delete("");
  if (paths.size > 0)
    for await (const digested of store.digests([...paths.keys()], signal)) {
      const path = paths.get(digested.path);
      if (path !== undefined && "digest" in digested) spare.set(path, digested.digest);
    }
  const sought = open.flatMap((group) => group.wanted.filter(({ path }) => !wanted.has(path)).map(({ path }) => path));
  for (const [path, digest] of await source.digests(sought, signal)) wanted.set(path, digest);
  return { wanted, spare, sameAs };
}

/** The file that this one was when the last run saw it. */
function sameInode(
  directory: string,
  path: RawPath,
  byInode: ReadonlyMap<bigint, Spare>,
  started: number,
): Spare | undefined {
  const stats = lstatSync(placeIn(directory, path), { bigint: true, throwIfNoEntry: false });
  const spare = stats && byInode.get(stats.ino);
  return stats && spare?.entry && isOfInode(stats, spare.entry, started) ? spare : undefined;
}
