import { type Checkpoint, OPEN, checkNoSnapshot, checkOwner, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { type Loss, checkDeletionLimit } from "./deletion-limit.js";
import type { EventSink } from "./events.js";
import { type Inventory, TOP, readInventory, writeInventory } from "./inventory.js";
import type { Report } from "./report.js";
import type { Stock } from "./stock.js";
import type { Store } from "./store.js";

/**
 * A source that a program of its own brings to a destination as a whole, as rsync(1) does a tree of files: the run asks
 * what it would do, and has it do that. For what can be listed and read item by item there is Source.
 */
export interface Mirror extends AsyncDisposable {
  /** As Source.id. */
  readonly id: string;
  /**
   * Asked first, before there is any trace at the destination: the source is there, and the two are not in one another.
   * @throws BackupError NOT_FOUND, SOURCE_EMPTY, USAGE, and as Source
   */
  prepare(store: Store, signal: AbortSignal): Promise<void>;
  /** Says what a run would do. Writes nothing. @throws BackupError as Source */
  compare(place: MirrorPlace, signal: AbortSignal): Promise<MirrorPlan>;
}

/** Where to, and how. */
export interface MirrorPlace {
  readonly store: Store;
  /** There is no backup there yet, maybe not even a directory. */
  readonly isNew: boolean;
  readonly keepDeleted: boolean;
  readonly allowDeletes: boolean;
  readonly onEvent: EventSink;
}

/** What a run would do; counts are of files, directories left out. */
export interface MirrorPlan {
  /** At the source. */
  readonly items: number;
  /** New or changed ones, and their bytes. */
  readonly add: number;
  readonly bytes: number;
  readonly move: number;
  readonly remove: number;
  /** For the deletion limit; what moves is no loss. */
  readonly losses: readonly Loss[];
  /**
   * Does it: moves, transfers, and removes what vanished, only if nothing failed. What fails is told by `failed` events.
   * Leaves nothing half done that looks done, and may be called again by another run.
   */
  apply(signal: AbortSignal): Promise<MirrorResult>;
}

/** What was done. */
export interface MirrorResult
  extends Pick<Report, "added" | "moved" | "removed" | "kept" | "postponed" | "bytes" | "failed"> {
  /** What is at the destination now; undefined: as the last run left it. */
  readonly stock?: Stock | undefined;
}

export interface MirrorOptions {
  readonly mirror: Mirror;
  readonly store: Store;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: EventSink | undefined;
  /** Compares and says what it would do; writes nothing at all. */
  readonly dryRun?: boolean | undefined;
  readonly keepDeleted?: boolean | undefined;
  /** Lifts the deletion limit for this run. */
  readonly allowDeletes?: boolean | undefined;
}

/**
 * Makes the store equal to what the mirror has: one run. Neither is disposed of.
 * @throws BackupError whatever ended the run
 */
export async function runMirror(options: MirrorOptions): Promise<Report> {
  const { mirror, store, dryRun = false, keepDeleted = false, allowDeletes = false, onEvent = () => {} } = options;
  const caller = options.signal ?? new AbortController().signal;
  const started = performance.now();
  onEvent({ type: "start", source: mirror.id, destination: store.name, dryRun, unit: "file" });
  await mirror.prepare(store, caller);
  await using lease = dryRun ? undefined : await store.lease(caller);
  const signal = lease ? AbortSignal.any([caller, lease.lost]) : caller;
  const checkpoint = await readCheckpoint(store, signal);
  checkOwner(checkpoint, { source: mirror, store, isHistory: false });
  checkNoSnapshot(checkpoint, store);
  const place = { store, isNew: checkpoint === undefined, keepDeleted, allowDeletes, onEvent };
  const plan = await mirror.compare(place, signal);
  const { items, add, bytes, move, remove } = plan;
  onEvent({ type: "plan", collections: 1, add, bytes, move, rename: 0, remove, unit: "file" });
  if (!allowDeletes && !keepDeleted) checkDeletionLimit(plan.losses);

  let report: Report;
  const common = { dryRun, collections: 1, items, renamed: 0, unit: "file" as const };
  const seconds = (): number => (performance.now() - started) / 1000;
  if (dryRun) {
    const kept = keepDeleted ? remove : 0;
    const would = { added: add, moved: move, removed: remove - kept, kept, postponed: 0, bytes: 0, failed: 0 };
    report = { ...common, ...would, unchanged: 0, result: "done", seconds: seconds() };
  } else {
    const claimed: Checkpoint = { format: 1, source: mirror.id, colon: store.can.colon, collections: { [TOP]: OPEN } };
    await writeCheckpoint(store, claimed, checkpoint, signal);
    const previous = await readInventory(store, signal);
    const { stock, ...done } = await plan.apply(signal);
    const result = done.failed > 0 ? "partial" : "done";
    const unchanged = Number(add + move + remove === 0 && result === "done");
    report = { ...common, ...done, unchanged, result, seconds: seconds() };
    const inventory = inventoryOf({ mirror, report, stock, previous });
    await writeInventory(store, inventory, signal);
  }
  onEvent({ type: "end", report });
  return report;
}

function inventoryOf({
  mirror,
  report,
  stock,
  previous,
}: {
  readonly mirror: Mirror;
  readonly report: Report;
  readonly stock: Stock | undefined;
  readonly previous: Inventory | undefined;
}): Inventory {
  const finished = new Date().toISOString();
  const before = previous?.source === mirror.id ? previous : undefined;
  const { result, seconds, items } = report;
  const held = stock ?? before?.collections[0];
  const about = { path: TOP, name: TOP, at: finished, items, gaps: [], kept: report.kept, stamp: "" };
  return {
    format: 1,
    source: mirror.id,
    finished,
    seconds,
    result,
    complete: result === "done" ? finished : (before?.complete ?? null),
    unlisted: [],
    collections: held ? [{ ...held, ...about }] : [],
  };
}
