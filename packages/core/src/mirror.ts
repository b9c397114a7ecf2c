import { both } from "./both.js";
import { type Checkpoint, OPEN, checkNoSnapshot, checkOwner, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { type Loss, checkDeletionLimit } from "./deletion-limit.js";
import { BackupError } from "./errors.js";
import type { Day } from "./day.js";
import type { EventSink } from "./events.js";
import { type Inventory, TOP, readInventory, writeInventory } from "./inventory.js";
import { type SnapshotBefore, type SnapshotRun, makeSnapshot } from "./make-snapshot.js";
import type { Path } from "./model.js";
import type { Report } from "./report.js";
import type { BackupOptions } from "./run.js";
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

/** The stamp of a mirror whose last run came to its end. */
const WHOLE = "whole";

/** Where to, and how. */
export interface MirrorPlace {
  readonly store: Store;
  /** There is no backup there yet, maybe not even a directory. */
  readonly isNew: boolean;
  /** The last run that changed something did not come to its end: what it left is known to nobody. */
  readonly isInterrupted: boolean;
  readonly keepDeleted: boolean;
  readonly allowDeletes: boolean;
  readonly onEvent: EventSink;
  /** Of the destination's lease, see Lease; undefined: there is none, in a dry run. */
  readonly token?: string | undefined;
  /** What is made is a snapshot; undefined: it is not. */
  readonly snapshot?: MirrorSnapshot | undefined;
}

/** A snapshot that is made in a directory of its own. */
export interface MirrorSnapshot {
  /** Where it is made, from the top of the destination as a whole. */
  readonly begun: Path;
  /** The one before it, which nothing may change: what is equal there is to be shared with it. */
  readonly newest: SnapshotBefore | undefined;
  /** An interrupted run has begun it: what is there may be shared with others already. */
  readonly isResumed: boolean;
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
  /** There is nothing to do at all. */
  readonly isNothing: boolean;
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

export interface MirrorOptions
  extends Pick<BackupOptions, "store" | "signal" | "onEvent" | "dryRun" | "keepDeleted" | "allowDeletes"> {
  readonly mirror: Mirror;
  /** The store is this snapshot, which is being made. */
  readonly snapshot?: Pick<SnapshotRun, "newest" | "begun"> | undefined;
}

/**
 * Makes the store equal to what the mirror has: one run. Neither is disposed of.
 * @throws BackupError whatever ended the run
 */
export async function runMirror(options: MirrorOptions): Promise<Report> {
  const { mirror, store, dryRun = false, keepDeleted = false, allowDeletes = false, onEvent = () => {} } = options;
  const isSnapshot = options.snapshot !== undefined;
  const caller = options.signal ?? new AbortController().signal;
  const started = performance.now();
  onEvent({ type: "start", source: mirror.id, destination: store.name, dryRun, unit: "file" });
  await mirror.prepare(store, caller);
  if (isSnapshot) await checkRenames(store, caller);
  await using lease = dryRun ? undefined : await store.lease(caller);
  const signal = lease ? AbortSignal.any([caller, lease.lost]) : caller;
  if (lease) onEvent({ type: "lease", destination: store.name, fence: lease.fence });
  const [checkpoint, previous] = await both(readCheckpoint(store, signal), readInventory(store, signal));
  checkOwner(checkpoint, { source: mirror, store, isHistory: false });
  if (!isSnapshot) checkNoSnapshot(checkpoint, store);
  const snapshot = options.snapshot && {
    begun: options.snapshot.begun,
    newest: options.snapshot.newest,
    isResumed: checkpoint !== undefined,
  };
  const isNew = checkpoint === undefined && snapshot?.newest === undefined;
  const isInterrupted = checkpoint !== undefined && checkpoint.collections[TOP]?.stamp !== WHOLE;
  const place = { store, isNew, isInterrupted, keepDeleted, allowDeletes, onEvent, token: lease?.token, snapshot };
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
    const head = { format: 1, source: mirror.id, colon: store.can.colon } as const;
    const mark = isSnapshot ? { snapshot: true as const } : {};
    const claimed: Checkpoint = { ...head, ...mark, collections: { [TOP]: OPEN } };
    if (!plan.isNothing) await writeCheckpoint(store, claimed, checkpoint, signal);
    const { stock, ...done } = await plan.apply(signal);
    const result = done.failed > 0 ? "partial" : "done";
    const unchanged = Number(add + move + remove === 0 && result === "done");
    report = { ...common, ...done, unchanged, result, seconds: seconds() };
    const whole: Checkpoint = { ...claimed, collections: { [TOP]: { fingerprint: "", stamp: WHOLE, items } } };
    if (!plan.isNothing) await writeCheckpoint(store, whole, claimed, signal);
    const inventory = inventoryOf({ mirror, report, stock, previous });
    await writeInventory(store, inventory, signal);
  }
  onEvent({ type: "end", report });
  return report;
}

/** A snapshot has its name when it is whole. @throws BackupError TRANSPORT_MISSING where nothing can be renamed */
async function checkRenames(store: Store, signal: AbortSignal): Promise<void> {
  // One that still connects does not know what it can.
  await store.reach?.(signal);
  if (store.can.rename !== false) return;
  const message = `${store.name} allows rsync only, which cannot rename: there are no snapshots of trees without SFTP; leave --hist out`;
  throw new BackupError("TRANSPORT_MISSING", message);
}

/** A run whose snapshots a directory each holds; see makeSnapshot. */
export interface MirrorHistoryOptions extends Omit<MirrorOptions, "snapshot" | "keepDeleted"> {
  readonly day: Day;
}

/**
 * Makes a snapshot of what a mirror has. It begins with nothing, and what is equal in the newest one is shared with it.
 * @throws BackupError SNAPSHOT_NEWER, DESTINATION_OTHER, and as `runMirror`
 */
export function mirrorToHistory(options: MirrorHistoryOptions): Promise<Report> {
  const run = (snapshot: SnapshotRun): Promise<Report> =>
    runMirror({ ...options, snapshot, store: snapshot.store, onEvent: snapshot.onEvent });
  return makeSnapshot({ ...options, source: options.mirror, run });
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
