import { carryStamps } from "./carry-stamps.js";
import { CHECKPOINT_FILE, type Checkpoint, checkOwner, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { type Day, formatDay } from "./day.js";
import { BackupError } from "./errors.js";
import type { BackupEvent, EventSink } from "./events.js";
import { type Days, begunAt, listDays } from "./history.js";
import { readInventory } from "./inventory.js";
import type { Lease } from "./lease.js";
import { CLONE, clearLeftovers, replacedAt } from "./history-leftovers.js";
import type { Layout } from "./layout.js";
import type { Path } from "./model.js";
import { PRIVATE, parentOf } from "./paths.js";
import type { Report } from "./report.js";
import type { BackupOptions } from "./run.js";
import type { Store } from "./store.js";
import { within } from "./within-store.js";

/** What makes the content of a snapshot, and how. */
export interface SnapshotOptions
  extends Pick<BackupOptions, "store" | "signal" | "onEvent" | "dryRun" | "keepDeleted"> {
  readonly source: { readonly id: string };
  readonly day: Day;
  /** What an earlier run of this day stored stays in its snapshot, though it was deleted at the source since. */
  readonly keepDay?: boolean | undefined;
  /** It begins as a clone of the newest one, of which this is the layout. Default: with nothing. */
  readonly clones?: Pick<Layout, "leaves"> | undefined;
  /** Makes the snapshot's store equal to the source. */
  readonly run: (snapshot: SnapshotRun) => Promise<Report>;
}

export interface SnapshotRun {
  readonly store: Store;
  /** Where it is in the destination as a whole. */
  readonly begun: Path;
  readonly onEvent: EventSink;
  /** Known with the lease, as what follows. */
  readonly keepDeleted: boolean | undefined;
  /** The newest snapshot, which nothing may change. Undefined: there is none. */
  readonly newest: SnapshotBefore | undefined;
}

/** A snapshot, for one that is made beside it. */
export interface SnapshotBefore {
  /** The destination as a whole, and where in it the snapshot is. */
  readonly store: Store;
  readonly day: Path;
}

/** Makes a snapshot, whatever it is of; see backupToHistory. */
export async function makeSnapshot(options: SnapshotOptions): Promise<Report> {
  const { store, day, dryRun, clones, onEvent = () => {} } = options;
  const caller = options.signal ?? new AbortController().signal;
  await rootCheckpoint(options, caller);
  const before = await daysFor(options, caller);
  checkClones(options);
  const name = `${store.name}/${formatDay(day)}`;
  const newestOf = ({ days }: Days): SnapshotBefore | undefined => {
    const newest = days.at(-1);
    return newest === undefined ? undefined : { store, day: newest };
  };
  if (dryRun) {
    const keepDeleted = options.keepDeleted || (options.keepDay && before.days.includes(day));
    const base = clones ? (baseOf(before, options) ?? day) : begunAt(day);
    return options.run({
      keepDeleted,
      onEvent,
      begun: base,
      store: within(store, base, { name }),
      newest: newestOf(before),
    });
  }

  let lease: Lease | undefined;
  let found: Days = before;
  const begun = within(store, begunAt(day), {
    name,
    async lease(signal) {
      lease = await store.lease(signal);
      found = await begin(options, AbortSignal.any([signal, lease.lost]));
      // The one that is held goes on until the snapshot has its name.
      const { lost, fence, token } = lease;
      return { lost, fence, token, async [Symbol.asyncDispose]() {} };
    },
  });
  const { sink, end } = holdingEnd(onEvent);
  const run: SnapshotRun = {
    store: begun,
    begun: begunAt(day),
    onEvent: sink,
    // Known with the lease: what an interrupted run put aside is back in its place then.
    get keepDeleted(): boolean | undefined {
      return options.keepDeleted || (options.keepDay && found.days.includes(day));
    },
    get newest(): SnapshotBefore | undefined {
      return newestOf(found);
    },
  };
  try {
    const report = await options.run(run);
    const isReplaced = found.days.includes(day);
    // One that began with nothing may lack what the one that is there has.
    const isLess = isReplaced && !clones && report.result !== "done";
    if (isLess) onEvent(warnOfLess(name));
    else if (lease) await publish({ store, day, isReplaced }, AbortSignal.any([caller, lease.lost]));
    end();
    return report;
  } finally {
    await lease?.[Symbol.asyncDispose]();
  }
}

/** One day it would fail. @throws BackupError TRANSPORT_MISSING */
function checkClones({ store, clones }: SnapshotOptions): void {
  if (!clones || store.can.clone !== false) return;
  const message = `${store.name} neither links nor copies what it has, which a snapshot needs: there is no history there; leave --hist out`;
  throw new BackupError("TRANSPORT_MISSING", message);
}

/**
 * What a run goes on from: what one has begun, unless the newest snapshot is newer; undefined: nothing. A run that keeps
 * what was deleted takes the snapshot of a day rather than what another run has begun of it, which may have deleted more.
 */
function baseOf(
  { days, begun }: Days,
  { keepDeleted, keepDay }: Pick<SnapshotOptions, "keepDeleted" | "keepDay">,
): Path | undefined {
  const [newest = "", last = ""] = [days.at(-1), begun.at(-1)];
  const isKept = last === newest && (keepDeleted || keepDay);
  if (last !== "" && last >= newest && !isKept) return begunAt(last);
  return newest === "" ? undefined : newest;
}

/**
 * What there is for a run to go on from. Writes nothing.
 * @throws BackupError SNAPSHOT_NEWER, DESTINATION_OTHER
 */
async function daysFor({ store, day }: Pick<SnapshotOptions, "store" | "day">, signal: AbortSignal): Promise<Days> {
  const days = await listDays(store, signal);
  const newest = days.days.at(-1);
  if (newest !== undefined && newest > day)
    throw new BackupError(
      "SNAPSHOT_NEWER",
      `${store.name} has a snapshot of ${formatDay(newest)}, newer than ${formatDay(day)}, and a history only goes on; ` +
        `give --histdate ${formatDay(newest)} or a later day`,
    );
  if (days.foreign.includes(day))
    throw new BackupError(
      "DESTINATION_OTHER",
      `${store.name}/${day} is in the place of the snapshot of that day and is none: it has no ${CHECKPOINT_FILE}; ` +
        "move it out of the way",
    );
  return days;
}

/** The checkpoint of the history as a whole. @throws BackupError DESTINATION_OTHER, DESTINATION_NEWER */
async function rootCheckpoint(
  { source, store }: Pick<SnapshotOptions, "source" | "store">,
  signal: AbortSignal,
): Promise<Checkpoint | undefined> {
  const checkpoint = await readCheckpoint(store, signal);
  // A mirror is one too where somebody deleted its checkpoint.
  const isMirror = !checkpoint && (await readInventory(store, signal)) !== undefined;
  checkOwner(checkpoint ?? (isMirror ? headOf(source, store) : undefined), { source, store, isHistory: true });
  return checkpoint;
}

function headOf(source: { readonly id: string }, { can }: Store): Checkpoint {
  return { format: 1, source: source.id, colon: can.colon, collections: {} };
}

/**
 * Makes the directory in which the snapshot of a day is made, from what there is. The lease is held.
 * @returns the days there are
 */
async function begin(options: SnapshotOptions, signal: AbortSignal): Promise<Days> {
  const { source, store, day, onEvent = () => {} } = options;
  const previous = await rootCheckpoint(options, signal);
  if (!previous) await checkOwnDays(options, signal);
  await writeCheckpoint(store, { ...headOf(source, store), history: true }, previous, signal);
  await clearLeftovers(store, signal);
  const days = await daysFor(options, signal);
  const [base, target] = [baseOf(days, options), begunAt(day)];
  const stale = [...days.begun, ...days.stale].map(begunAt).filter((path) => path !== base);
  for (const path of stale) await store.removeTree(path, signal);
  if (base !== undefined && days.days.includes(base)) {
    const copied = options.clones ? await cloneFrom(base, options.clones, options, signal) : 0;
    if (copied > 0) onEvent(warnOfCopies(store, copied));
  } else if (base !== undefined && base !== target) {
    await store.makeDirectories([parentOf(target)], signal);
    await store.moveTree(base, target, signal);
    await store.removeDirectories([parentOf(base)], signal);
  }
  await store.makeDirectories([`${target}/${PRIVATE}`], signal);
  return days;
}

/**
 * Before a history is claimed that nothing but its snapshots knows of: they are this source's.
 * @throws BackupError DESTINATION_OTHER
 */
async function checkOwnDays(options: SnapshotOptions, signal: AbortSignal): Promise<void> {
  const { source, store } = options;
  const days = await daysFor(options, signal);
  const [stranger] = days.stale;
  if (stranger !== undefined)
    throw new BackupError(
      "DESTINATION_OTHER",
      `${store.name}/${begunAt(stranger)} is in the place of a snapshot that is being made, and no run has begun it; ` +
        "move it out of the way",
    );
  const base = baseOf(days, options);
  if (base === undefined) return;
  const newest = within(store, base);
  checkOwner(await readCheckpoint(newest, signal), { source, store: newest, isHistory: false });
}

/** Clones a snapshot; the clone has its name when it is whole. */
async function cloneFrom(
  base: Day,
  layout: Pick<Layout, "leaves">,
  { store, day }: SnapshotOptions,
  signal: AbortSignal,
): Promise<number> {
  const target = begunAt(day);
  await store.makeDirectories([parentOf(CLONE), parentOf(target)], signal);
  const { copied } = await store.clone(base, CLONE, signal);
  await carryStamps(layout, { from: within(store, base), to: within(store, CLONE) }, signal);
  await store.moveTree(CLONE, target, signal);
  return copied;
}

/** Gives a complete snapshot its name. One that has it is put aside, and removed after. */
async function publish(
  { store, day, isReplaced }: { readonly store: Store; readonly day: Day; readonly isReplaced: boolean },
  signal: AbortSignal,
): Promise<void> {
  const aside = replacedAt(day);
  if (isReplaced) {
    await store.makeDirectories([parentOf(aside)], signal);
    await store.moveTree(day, aside, signal);
  }
  await store.moveTree(begunAt(day), day, signal);
  if (isReplaced) await store.removeTree(aside, signal);
}

function warnOfCopies({ name }: Store, copied: number): BackupEvent {
  const message =
    `${copied.toLocaleString("en")} files of the last snapshot were copied: ${name} could not give them another ` +
    "name, a hard link; where that is so of all, each snapshot takes as much room as a whole backup";
  return { type: "warning", code: "FILES_COPIED", message };
}

function warnOfLess(name: string): BackupEvent {
  const message = `${name} stays as it was: what was to take its place lacks something; the next run goes on with it`;
  return { type: "warning", code: "SNAPSHOT_KEPT", message };
}

/** The run has ended when its snapshot has its name. */
function holdingEnd(onEvent: EventSink): { readonly sink: EventSink; readonly end: () => void } {
  let last: BackupEvent | undefined;
  return {
    sink: (event) => {
      if (event.type === "end") last = event;
      else onEvent(event);
    },
    end: () => {
      if (last) onEvent(last);
    },
  };
}
