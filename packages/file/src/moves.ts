import type { RawPath } from "./raw-path.js";

/** A regular file, at the source or at the destination. */
export interface TreeFile {
  readonly path: RawPath;
  /** Bytes. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/** What is proven to be the same: it was at `from`, and is to be at `to`. */
export interface Moved {
  readonly from: RawPath;
  readonly to: RawPath;
}

/** Files that may hold the same bytes: those that are wanted, and those that are not needed where they are. */
export interface Likely {
  readonly wanted: readonly TreeFile[];
  readonly spare: readonly TreeFile[];
}

/** SHA-256 by path; what is not there could not be had. */
export type Digests = ReadonlyMap<RawPath, string>;

/** Names at the end of a path that are held against each other, to tell equal files apart. */
const DEEPEST = 12;

/** By size and time. Empty files are left out: there is nothing in them to send. Pure. */
export function likelyMoves(wanted: readonly TreeFile[], spare: readonly TreeFile[]): readonly Likely[] {
  const groups = new Map<string, { readonly wanted: TreeFile[]; readonly spare: TreeFile[] }>();
  const likeness = ({ size, mtime }: TreeFile): string => `${size} ${mtime}`;
  for (const file of spare) {
    if (file.size === 0) continue;
    const group = groups.get(likeness(file));
    if (group) group.spare.push(file);
    else groups.set(likeness(file), { wanted: [], spare: [file] });
  }
  for (const file of wanted) groups.get(likeness(file))?.wanted.push(file);
  return [...groups.values()].filter((group) => group.wanted.length > 0);
}

/**
 * Which spare file becomes which wanted one: both have the same digest, and each is used once. Of several equal ones those
 * are taken whose paths end alike, so that whole directories stay together. Pure.
 */
export function proveMoves(
  groups: readonly Likely[],
  { wanted, spare }: { readonly wanted: Digests; readonly spare: Digests },
): readonly Moved[] {
  return groups.flatMap((group) => {
    const [onlyTo, onlyFrom] = [group.wanted[0], group.spare[0]];
    if (!onlyTo || !onlyFrom) return [];
    const isPair = group.wanted.length === 1 && group.spare.length === 1;
    if (isPair) return isSame(wanted.get(onlyTo.path), spare.get(onlyFrom.path)) ? [pair(onlyFrom, onlyTo)] : [];
    return byDigest(group, wanted, spare);
  });
}

function byDigest(group: Likely, wanted: Digests, spare: Digests): readonly Moved[] {
  // Mostly each has one that it can be.
  const { pairs, rest } = onlyPairs(group, wanted, spare);
  const moves: Moved[] = [...pairs];
  let [tos, froms]: [readonly TreeFile[], readonly TreeFile[]] = [rest.wanted, rest.spare];
  for (let depth = DEEPEST; depth >= 0 && tos.length > 0 && froms.length > 0; depth--) {
    const key = (file: TreeFile, digests: Digests): string | undefined => {
      const digest = digests.get(file.path);
      return digest === undefined ? undefined : `${digest} ${endOf(file.path, depth) ?? file.path}`;
    };
    const left = new Map<string, TreeFile[]>();
    for (const file of froms) {
      const like = key(file, spare);
      if (like === undefined) continue;
      const others = left.get(like);
      if (others) others.push(file);
      else left.set(like, [file]);
    }
    const used = new Set<TreeFile>();
    const still: TreeFile[] = [];
    for (const to of tos) {
      const like = key(to, wanted);
      const from = like === undefined ? undefined : left.get(like)?.pop();
      if (from) {
        used.add(from);
        moves.push(pair(from, to));
      } else still.push(to);
    }
    tos = still;
    froms = froms.filter((file) => !used.has(file));
  }
  return moves;
}

/** Files of which there is no second one of the same digest, and what is left without them. */
function onlyPairs(
  group: Likely,
  wanted: Digests,
  spare: Digests,
): { readonly pairs: readonly Moved[]; readonly rest: Likely } {
  const tos = onlyOnes(group.wanted, wanted);
  const froms = onlyOnes(group.spare, spare);
  const used = new Set<TreeFile>();
  const pairs: Moved[] = [];
  for (const [digest, to] of tos) {
    const from = to && froms.get(digest);
    if (!from) continue;
    pairs.push(pair(from, to));
    used.add(from).add(to);
  }
  const isLeft = (file: TreeFile): boolean => !used.has(file);
  return { pairs, rest: { wanted: group.wanted.filter(isLeft), spare: group.spare.filter(isLeft) } };
}

/** By digest; undefined: it is that of several. */
function onlyOnes(files: readonly TreeFile[], digests: Digests): ReadonlyMap<string, TreeFile | undefined> {
  const found = new Map<string, TreeFile | undefined>();
  for (const file of files) {
    const digest = digests.get(file.path);
    if (digest !== undefined) found.set(digest, found.has(digest) ? undefined : file);
  }
  return found;
}

/** The last names of a path; undefined: it has fewer. */
function endOf(path: RawPath, depth: number): string | undefined {
  if (depth === 0) return "";
  const names = path.split("/");
  return names.length > depth ? names.slice(-depth).join("/") : undefined;
}

function pair(from: TreeFile, to: TreeFile): Moved {
  return { from: from.path, to: to.path };
}

function isSame(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && one === other;
}
