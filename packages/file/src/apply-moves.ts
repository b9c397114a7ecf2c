import { BackupError, type Path, type SnapshotBefore, type Store, isBackupError, parentOf } from "@backup/core";
import { type MovePlan, ASIDE } from "./move-plan.js";
import type { Moved } from "./moves.js";
import { shown, textOf } from "./raw-path.js";

/** Files that are renamed in one go. */
const BATCH = 1000;

/** With these nothing else works either. */
const FATAL: ReadonlySet<string> = new Set([
  "ABORTED",
  "CONNECTION_LOST",
  "CONNECTION_REFUSED",
  "DISK_FULL",
  "LEASE_LOST",
  "TIMEOUT",
]);

interface Renames {
  readonly store: Store;
  readonly signal: AbortSignal;
  /** For DEBUG: why something was not renamed. It is transferred then. */
  readonly onSkipped: (reason: string) => void;
}

type Trying = Renames & { skipped: number };

/**
 * Renames at the destination what was moved at the source. A rename only saves a transfer: what cannot be done is left, and
 * rsync(1) brings it.
 * @returns whether all was done
 */
export async function applyMoves(plan: MovePlan, options: Renames): Promise<boolean> {
  const { store, signal } = options;
  const renames = { ...options, skipped: 0 };
  // A name that no store can say could not be taken out again of where it does not belong.
  if (plan.strays.some((path) => textOf(path) === undefined)) return false;
  for (const move of plan.directories)
    await trying(renames, async () => {
      const [named] = namesOf([move]);
      if (!named) throw new BackupError("UNSAFE_PATH", `${shown(move.from)} or ${shown(move.to)} is no UTF-8`);
      await makeParents([named.to], renames);
      await store.moveTree(named.from, named.to, signal);
    });
  const files = namesOf(plan.files);
  renames.skipped += plan.files.length - files.length;
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH);
    await trying(renames, async () => {
      await makeParents(
        batch.map(({ to }) => to),
        renames,
      );
      await store.move(batch, signal);
    });
  }
  // Never left out: by size and time these would pass for what they are not.
  const suspects = plan.suspects.flatMap((path) => textOf(path) ?? []);
  // What was to go on from where it came with its directory, and may have stayed there, too.
  const stayed = renames.skipped > 0 ? plan.strays.flatMap((path) => textOf(plan.cameAt(path)) ?? []) : [];
  await store.remove([...suspects, ...stayed], signal);
  if (plan.files.some(({ to }) => to.startsWith(`${ASIDE}/`))) await store.removeTree(ASIDE, signal);
  return renames.skipped === 0;
}

/** Where files of the newest snapshot have their new names, until the next one has them. */
export const MOVED: Path = ".backup/tmp/moved";

/**
 * Gives what was moved at the source another name beside the newest snapshot, which stays as it is: rsync(1) finds it there.
 * What cannot be done is left, and rsync(1) brings it.
 */
export async function linkMoves(
  plan: MovePlan,
  newest: SnapshotBefore,
  options: Omit<Renames, "store">,
): Promise<void> {
  const { store, day } = newest;
  const { signal } = options;
  const renames = { ...options, store, skipped: 0 };
  await store.removeTree(MOVED, signal);
  await store.makeDirectories([MOVED], signal);
  // A name that no store can say could not be taken out again.
  const isClean = plan.strays.every((path) => textOf(path) !== undefined);
  for (const [index, { from, to }] of (isClean ? plan.origins : []).entries())
    await trying(renames, async () => {
      const [original, target, came] = [textOf(from), textOf(to), textOf(plan.directories[index]?.from ?? "")];
      if (original === undefined || target === undefined)
        throw new BackupError("UNSAFE_PATH", `${shown(to)} is no UTF-8`);
      // It came with the one above it, to another name.
      if (came !== undefined && came !== original) await store.removeTree(`${MOVED}/${came}`, signal);
      await makeParents([`${MOVED}/${target}`], renames);
      await store.clone(`${day}/${original}`, `${MOVED}/${target}`, signal);
    });
  // What came with a directory, and is not proven to belong there: by size and time it could pass for what does.
  const strays = isClean ? plan.strays.flatMap((path) => textOf(plan.cameAt(path)) ?? []) : [];
  await store.remove(
    strays.map((path) => `${MOVED}/${path}`),
    signal,
  );
  const links = namesOf(plan.single).map(({ from, to }) => ({ from: `${day}/${from}`, to: `${MOVED}/${to}` }));
  for (let at = 0; at < links.length; at += BATCH) {
    const batch = links.slice(at, at + BATCH);
    await trying(renames, async () => {
      await makeParents(
        batch.map(({ to }) => to),
        renames,
      );
      await store.link(batch, signal);
    });
  }
}

/** Names that a store cannot say are left out. */
function namesOf(moves: readonly Moved[]): readonly { readonly from: Path; readonly to: Path }[] {
  return moves.flatMap((move) => {
    const [from, to] = [textOf(move.from), textOf(move.to)];
    return from === undefined || to === undefined ? [] : [{ from, to }];
  });
}

async function makeParents(paths: readonly Path[], { store, signal }: Renames): Promise<void> {
  const parents = new Set(paths.map((path) => parentOf(path)));
  parents.delete("");
  await store.makeDirectories([...parents], signal);
}

async function trying(renames: Trying, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (renames.signal.aborted || !isBackupError(error) || FATAL.has(error.code)) throw error;
    renames.skipped++;
    renames.onSkipped(error.message);
  }
}
