import type { Moved, TreeFile } from "./moves.js";
import { type RawPath, above } from "./raw-path.js";

/** What is known of both trees. */
export interface Trees {
  /** Files of the source that are to be transferred. */
  readonly wanted: readonly TreeFile[];
  /** Files of the destination that are not needed where they are. */
  readonly spare: readonly TreeFile[];
  /** Directories that are at the destination, and not at the source any more. */
  readonly goneDirectories: ReadonlySet<RawPath>;
  /** Files that are at the destination, and not at the source any more. */
  readonly gone: ReadonlySet<RawPath>;
  /** Directories that are at the source, and not at the destination yet. */
  readonly newDirectories: ReadonlySet<RawPath>;
  /** What the source has that is not so at the destination yet, and is made without bytes: links, further names of files. */
  readonly made: ReadonlySet<RawPath>;
}

/** Renames that make of a destination what the source has, as far as it was moved. In this order. */
export interface MovePlan {
  /** What an entry of the destination is called after all renames. */
  readonly nowAt: (path: RawPath) => RawPath;
  /** Where an entry comes with a directory. */
  readonly cameAt: (path: RawPath) => RawPath;
  /** Whether that is where the source has it: proven, or no file; and nothing has taken that place from it. */
  readonly isRight: (path: RawPath) => boolean;
  /** Files that come with a directory to a name that is not theirs, by what they were called at first. */
  readonly strays: readonly RawPath[];
  /** Directories, the upper ones first; each `from` is what it is called when its turn comes. */
  readonly directories: readonly Moved[];
  /** The same, each `from` what it was called at first. */
  readonly origins: readonly Moved[];
  /** Files that do not come with a directory, likewise. */
  readonly single: readonly Moved[];
  /** Files; no `to` is that of a file which has still to be moved. */
  readonly files: readonly Moved[];
  /**
   * What comes with a directory to a place where the source has a file of its size, of which it is not proven to be the
   * same: by these names, after all renames, it would be taken for that.
   */
  readonly suspects: readonly RawPath[];
}

/** Where a cycle of moves is opened: a file waits there under the number of its move. */
export const ASIDE = ".backup/moved";

/** Makes few renames of many, directories as one; pure. */
export function planMoves(moves: readonly Moved[], trees: Trees): MovePlan {
  const directories = planDirectories(moves, trees);
  const there = new Relocation(directories, trees.goneDirectories);
  const single = moves.filter(({ from, to }) => there.of(from) !== to);
  const files = single.map(({ from, to }) => ({ from: there.of(from), to }));
  const targets = new Map(moves.map(({ from, to }) => [from, to]));
  const filled = new Set(targets.values());
  return {
    nowAt: (path) => targets.get(path) ?? there.of(path),
    cameAt: (path) => there.of(path),
    isRight: (path) => {
      if (targets.has(path)) return true;
      const now = there.of(path);
      // What is to be made where it has come to is made anew, unless it is that.
      return !filled.has(now) && (!trees.gone.has(path) || now === path || trees.made.has(now));
    },
    strays: there.steps.length === 0 ? [] : [...trees.gone].filter((path) => isStray(path, targets, there)),
    directories: there.steps,
    origins: there.origins,
    single,
    files: inOrder(files),
    suspects: suspectsOf(targets, trees, there),
  };
}

function isStray(path: RawPath, targets: ReadonlyMap<RawPath, RawPath>, there: Relocation): boolean {
  const now = there.of(path);
  return now !== path && targets.get(path) !== now;
}

function suspectsOf(
  targets: ReadonlyMap<RawPath, RawPath>,
  { wanted, spare }: Trees,
  there: Relocation,
): readonly RawPath[] {
  if (there.steps.length === 0) return [];
  const filled = new Set(targets.values());
  const sought = new Map(wanted.map((file) => [file.path, file]));
  return spare.flatMap(({ path, size }) => {
    const now = there.of(path);
    const other = sought.get(now);
    if (now === path || !other || targets.has(path) || filled.has(now)) return [];
    // By size alone: the comparison may go by that.
    return other.size === size ? [now] : [];
  });
}

/** Pairs of directories that files moved between, each of which is used once. */
function planDirectories(moves: readonly Moved[], { goneDirectories, newDirectories, gone }: Trees): readonly Moved[] {
  const votes = new Map<string, Moved & { count: number }>();
  for (const { from, to } of moves) {
    const [froms, tos] = [[...above(from)], [...above(to)]];
    // Upwards, while what is below is called the same in both.
    let [rest, other] = [from.slice((froms[0]?.length ?? -1) + 1), to.slice((tos[0]?.length ?? -1) + 1)];
    for (let at = 0; at < Math.min(froms.length, tos.length); at++) {
      const [one = "", two = ""] = [froms[at], tos[at]];
      if (rest !== other || !goneDirectories.has(one) || !newDirectories.has(two)) break;
      const key = `${one}\0${two}`;
      const vote = votes.get(key);
      if (vote) vote.count++;
      else votes.set(key, { from: one, to: two, count: 1 });
      const [up, over] = [froms[at + 1], tos[at + 1]];
      rest = from.slice((up?.length ?? -1) + 1);
      other = to.slice((over?.length ?? -1) + 1);
    }
  }
  if (votes.size === 0) return [];
  const held = new Map<RawPath, number>();
  for (const path of gone) for (const at of above(path)) held.set(at, (held.get(at) ?? 0) + 1);
  const likely = [...votes.values()].filter(({ from, count }) => count * 2 > (held.get(from) ?? 0));
  const depthOf = (path: RawPath): number => path.split("/").length;
  likely.sort((a, b) => depthOf(a.to) - depthOf(b.to) || depthOf(a.from) - depthOf(b.from) || b.count - a.count);
  const chosen: Moved[] = [];
  const [left, made] = [new Set<RawPath>(), new Set<RawPath>()];
  for (const { from, to } of likely) {
    if (left.has(from) || made.has(to)) continue;
    left.add(from);
    made.add(to);
    chosen.push({ from, to });
  }
  return chosen;
}

/** Where things are while directories are renamed one after the other. */
class Relocation {
  /** What is renamed: `from` is what it is called when its turn comes. */
  readonly steps: readonly Moved[];
  /** The same, each `from` what it was called at first. */
  readonly origins: readonly Moved[];
  /** What each was called at first, by what it is called now, and the other way round. */
  readonly #origins = new Map<RawPath, RawPath>();
  readonly #now = new Map<RawPath, RawPath>();

  /** @param directories that are at the destination; no `to` is one of them */
  constructor(moves: readonly Moved[], directories: ReadonlySet<RawPath>) {
    const steps: Moved[] = [];
    const origins: Moved[] = [];
    for (const { from, to } of moves) {
      const now = this.of(from);
      // There already, with one above it; below itself; or another one is there, which came with one above it.
      if (`${to}/`.startsWith(`${now}/`) || this.#isThere(to, directories)) continue;
      this.#now.set(from, to);
      this.#origins.set(to, from);
      steps.push({ from: now, to });
      origins.push({ from, to });
    }
    this.steps = steps;
    this.origins = origins;
  }

  /** What it is called now. */
  of(path: RawPath): RawPath {
    if (this.#now.size === 0) return path;
    const own = this.#now.get(path);
    if (own !== undefined) return own;
    for (const at of above(path)) {
      const now = this.#now.get(at);
      if (now !== undefined) return `${now}${path.slice(at.length)}`;
    }
    return path;
  }

  #isThere(path: RawPath, directories: ReadonlySet<RawPath>): boolean {
    if (this.#origins.has(path)) return true;
    for (const at of above(path)) {
      const origin = this.#origins.get(at);
      if (origin === undefined) continue;
      const before = `${origin}${path.slice(at.length)}`;
      return directories.has(before) && this.of(before) === path;
    }
    return false;
  }
}

/** A file that is in the way of another one goes first; where each waits for the next, one is put aside. */
function inOrder(moves: readonly Moved[]): readonly Moved[] {
  const byFrom = new Map(moves.map((move) => [move.from, move]));
  const ordered: Moved[] = [];
  const state = new Map<Moved, "waiting" | "done">();
  for (const start of moves) {
    const chain: Moved[] = [];
    let move: Moved | undefined = start;
    while (move && !state.has(move)) {
      state.set(move, "waiting");
      chain.push(move);
      move = byFrom.get(move.to);
    }
    // Each target is one move's: what comes back is where it began.
    const aside = move && state.get(move) === "waiting" ? `${ASIDE}/${ordered.length}` : undefined;
    if (aside !== undefined) ordered.push({ from: start.from, to: aside });
    for (const each of chain.toReversed()) {
      ordered.push(each === start && aside !== undefined ? { from: aside, to: each.to } : each);
      state.set(each, "done");
    }
  }
  return ordered;
}
