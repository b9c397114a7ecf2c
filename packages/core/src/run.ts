import { Copies } from "./copies.js";
import { both } from "./both.js";
import {
  type Checkpoint,
  OPEN,
  type Seen,
  checkNoSnapshot,
  checkOwner,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoint.js";
import { type Loss, checkDeletionLimit, unlikelyMoved, withoutCopy } from "./deletion-limit.js";
import { distrusting } from "./distrust.js";
import type { DayBudget } from "./day-budget.js";
import type { EventSink } from "./events.js";
import { type Held, holdingsNow, makeInventory } from "./take-inventory.js";
import { readInventory, writeInventory } from "./inventory.js";
import type { Collection, Copy, Item, Known, Naming, Path, Unavailable } from "./model.js";
import { type Plan, outdated, plan, removals } from "./plan.js";
import { recognise } from "./recognise.js";
import type { Report } from "./report.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";
import { directoriesOf, stampOf, stampsOf } from "./collection-files.js";
import { type Survey, compareAll } from "./survey.js";
import { type TransferOnce, transferOnce } from "./transfer-once.js";

export interface BackupOptions<I extends Item = Item> {
  readonly source: Source<I>;
  readonly store: Store;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: EventSink | undefined;
  /** Compares and says what it would do; writes nothing at all. */
  readonly dryRun?: boolean | undefined;
  /** What vanished at the source stays at the destination. */
  readonly keepDeleted?: boolean | undefined;
  /** Lifts the deletion limit for this run. */
  readonly allowDeletes?: boolean | undefined;
  /** Lists every collection whole, also what the checkpoint says is unchanged. */
  readonly full?: boolean | undefined;
  /** The store is a snapshot that is being made; one that was made is refused. */
  readonly isSnapshot?: boolean | undefined;
  /** What is more is left for another day: the run is partial then. */
  readonly dayBudget?: DayBudget | undefined;
  /** Files of the store that do not hold what their names say: their items are transferred anew. */
  readonly damaged?: ReadonlySet<Path> | undefined;
}

/**
 * Makes the store equal to the source: one run. Neither is disposed of.
 *
 * Order: compare everything, check the deletion limit, rename and move, link, transfer, remove, write the checkpoint.
 * It removes only when every listing and every transfer succeeded. Interrupted at any point, the next run goes on.
 * @returns `partial` when something is missing from the backup; each was reported as a `failed` event.
 * @throws BackupError whatever ended the run
 */
export async function backup<I extends Item>(options: BackupOptions<I>): Promise<Report> {
  const {
    source,
    store,
    dryRun = false,
    full = false,
    isSnapshot = false,
    onEvent = () => {},
    signal: caller = new AbortController().signal,
  } = options;
  const started = performance.now();
  const { unit } = source;
  onEvent({ type: "start", source: source.id, destination: store.name, dryRun, unit });

  // Asked first: a source that cannot be reached leaves no trace at the destination.
  const offered: (Collection | Unavailable)[] = [];
  for await (const collection of source.collections(caller)) offered.push(collection);
  await using lease = dryRun ? undefined : await store.lease(caller);
  const signal = lease ? AbortSignal.any([caller, lease.lost]) : caller;
  if (lease) onEvent({ type: "lease", destination: store.name, fence: lease.fence });
  // Both at once: on another host each is some round trips.
  const [[checkpoint, previous], stamps] = await both(
    both(readCheckpoint(store, signal), readInventory(store, signal)),
    stampsOf(source, store, signal),
  );
  const inventory = previous?.source === source.id ? previous : undefined;
  checkOwner(checkpoint, { source, store, isHistory: false });
  if (!isSnapshot) checkNoSnapshot(checkpoint, store);
  const colon = checkpoint?.colon ?? store.can.colon;
  const head = { format: 1, source: source.id, colon, ...(isSnapshot ? { snapshot: true as const } : {}) } as const;
  const naming = distrusting(source.naming({ colon }), options.damaged);

  const given = { source, offered, store, naming, checkpoint, inventory, full, stamps, signal, onEvent };
  const survey = await compareAll(given);
  const deltas = survey.compared.map(({ delta }) => delta);
  const proven = await recognise({ source, store, naming, signal }, survey);
  const work = plan(deltas, naming, { proven, isPartial: survey.failed > 0 });
  const expected = unlikelyMoved(withoutCopy(work.vanished, deltas), work.puts);
  announce(onEvent, { survey, work, expected, unit });
  const limit = options.allowDeletes || options.keepDeleted ? () => {} : checkDeletionLimit;
  limit(losses(survey, expected));

  const summary = { options, survey, work, expected };
  const seconds = (): number => (performance.now() - started) / 1000;
  let report: Report;
  if (dryRun) report = summarize({ ...summary, applied: DRY, missing: 0, seconds: seconds() });
  else {
    const input = { ...options, onEvent, signal, naming, survey, work, limit };
    const before = await claim(input, { head, previous: checkpoint });
    const applied = await apply(input);
    // Taken before the files are listed: what vanishes after that shows next time.
    const after = survey.compared.some(({ isTouched }) => isTouched) ? await stampsOf(source, store, signal) : stamps;
    const { holdings, missing } = await holdingsNow({ ...input, ...applied.transfer, stamps: after });
    const collections = seenNow({ source, survey, applied, before, after, holdings });
    await writeCheckpoint(store, { ...head, collections }, before, signal);
    report = summarize({ ...summary, applied, missing, seconds: seconds() });
    const made = { source, report, survey, holdings, collections, previous: inventory };
    await writeInventory(store, makeInventory(made), signal);
  }
  onEvent({ type: "end", report });
  return report;
}

/** What was done of a plan. */
interface Applied {
  readonly transfer: TransferOnce;
  /** Deleted at the source, and removed here. */
  readonly removed: readonly Known[];
  /** Deleted at the source, and kept here. */
  readonly kept: readonly Known[];
  /** Nothing that was deleted at the source was removed, because something did not arrive. */
  readonly postponed: boolean;
}

const DRY: Applied = {
  transfer: { linked: 0, arrived: [], items: 0, bytes: 0, failedItems: new Set(), unanswered: new Set() },
  removed: [],
  kept: [],
  postponed: false,
};

interface ApplyInput<I extends Item> extends BackupOptions<I> {
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
  readonly naming: Naming<I>;
  readonly survey: Survey<I>;
  readonly work: Plan<I>;
  readonly limit: typeof checkDeletionLimit;
}

async function apply<I extends Item>(input: ApplyInput<I>): Promise<Applied> {
  const { source, store, survey, work, signal, keepDeleted } = input;
  await store.makeDirectories(survey.missing, signal);
  await store.move([...work.renames, ...work.moves], signal);
  const items = [...work.puts, ...work.links.map(({ item }) => item)];
  const remember = work.vanished.length + work.spare.length > 0;
  const copies = new Copies(items, filesThere(input));
  const done = await transferOnce({ ...input, items: work.puts, links: work.links, copies, remember });
  if (survey.failed > 0 || done.failedItems.size > 0) {
    const missing = [...done.failedItems, ...done.unanswered];
    await store.remove(outdated(work, { arrived: done.arrived, missing }), signal);
    return { transfer: done, removed: [], kept: [], postponed: true };
  }

  const go = removals(work, done.arrived);
  const replaced = go.replaced.map(({ file }) => file.path);
  if (done.unanswered.size > 0) {
    // What gave no answer vanished on the way, or moved to where this run did not look: what it was to replace stays.
    await store.remove(replaced, signal);
    return { transfer: done, removed: [], kept: [], postponed: true };
  }
  const deltas = survey.compared.map(({ delta }) => delta);
  input.limit(losses(survey, withoutCopy(go.deleted, deltas)));
  const removed = keepDeleted ? [] : go.deleted;
  await store.remove([...removed.map(({ file }) => file.path), ...replaced, ...go.spare], signal);
  const vanished = survey.compared.filter(({ collection }) => collection === undefined);
  const directories = vanished.flatMap(({ path }) => directoriesOf(path, source));
  if (!keepDeleted) await store.removeDirectories(directories, signal);
  return { transfer: done, removed, kept: keepDeleted ? go.deleted : [], postponed: false };
}

/** The files of the compared collections whose names say what their bytes are. */
function* filesThere<I extends Item>({ survey, work }: Pick<ApplyInput<I>, "survey" | "work">): Generator<Copy> {
  for (const { delta } of survey.compared) yield* delta.stays;
  for (const { file, content } of work.vanished)
    if (content?.size === file.size) yield { ...file, digest: content.digest };
}

/**
 * Says whose this destination is, and which directories are about to be made here, before anything is: an interrupted
 * run leaves nothing of which the next one does not know that it is ours.
 */
async function claim<I extends Item>(
  { source, store, survey, signal }: Pick<ApplyInput<I>, "source" | "store" | "survey" | "signal">,
  { head, previous }: { readonly head: Omit<Checkpoint, "collections">; readonly previous: Checkpoint | undefined },
): Promise<Checkpoint> {
  const missing = new Set(survey.missing);
  const begun = survey.compared.filter(({ path }) => directoriesOf(path, source).some((at) => missing.has(at)));
  const entries = begun.map(({ path }): [Path, Seen] => [path, OPEN]);
  const claimed = { ...head, collections: { ...previous?.collections, ...Object.fromEntries(entries) } };
  await writeCheckpoint(store, claimed, previous, signal);
  return claimed;
}

/** What the next run may skip: what is complete here and was not left half-done. */
function seenNow<I extends Item>(input: {
  readonly source: Source<I>;
  readonly survey: Survey<I>;
  readonly applied: Applied;
  readonly before: Checkpoint;
  /** Stamps after the run, if it touched anything. */
  readonly after: ReadonlyMap<Path, string>;
  readonly holdings: ReadonlyMap<Path, Held>;
}): Readonly<Record<Path, Seen>> {
  const { source, survey, applied, before, after, holdings } = input;
  const { failedItems, unanswered } = applied.transfer;
  const unfinished = new Set([...failedItems, ...unanswered].map(({ collection }) => collection));
  const kept = new Set(applied.kept);

  // What this run did not look at, folders that were left out for example, stays as it was.
  const seen = new Map(Object.entries(before.collections));
  for (const compared of survey.compared) {
    const { path, collection, delta, incomplete, deltas, isTouched } = compared;
    const isKept = delta.vanished.some((known) => kept.has(known));
    const isPostponed = applied.postponed && delta.vanished.length + delta.spare.length > 0;
    const fingerprint = collection?.fingerprint;
    // Where nothing was written, the stamp of before: a change by another program since then shows next time.
    const stamp = stampOf(path, source, isTouched ? after : survey.stamps);
    const hasGaps = (holdings.get(path)?.gaps.length ?? 0) > 0;
    const isOpen = isKept || isPostponed || incomplete || hasGaps || unfinished.has(path) || stamp === undefined;
    if (!collection && !isKept && !isPostponed) seen.delete(path);
    else if (isOpen) seen.set(path, OPEN);
    else
      seen.set(path, { fingerprint: fingerprint ?? "", stamp, items: delta.items, ...(deltas > 0 ? { deltas } : {}) });
  }
  return Object.fromEntries([...seen].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function announce<I extends Item>(
  onEvent: EventSink,
  {
    survey,
    work,
    expected,
    unit,
  }: {
    readonly survey: Survey<I>;
    readonly work: Plan<I>;
    readonly expected: readonly Known[];
    readonly unit: Report["unit"];
  },
): void {
  onEvent({
    type: "plan",
    collections: survey.compared.length + survey.unchanged.size,
    add: countItems(work.puts),
    bytes: work.puts.reduce((sum, { size }) => sum + size, 0),
    move: work.moves.length + work.links.length,
    rename: work.renames.length,
    remove: countFiles(expected),
    unit,
  });
}

function losses<I extends Item>(survey: Survey<I>, deleted: readonly Known[]): readonly Loss[] {
  const gone = new Set(deleted.filter(({ identity }) => !identity.sidecar));
  return [
    ...survey.compared.map(({ name, delta }) => ({
      name,
      held: delta.held,
      // By id, as `held` is: a second file of the same item is no second loss.
      deleted: new Set(delta.vanished.filter((known) => gone.has(known)).map(({ identity }) => identity.id)).size,
    })),
    ...Array.from(survey.unchanged, ([name, { items }]) => ({ name, held: items, deleted: 0 })),
  ];
}

function summarize<I extends Item>(input: {
  readonly options: BackupOptions<I>;
  readonly survey: Survey<I>;
  readonly work: Plan<I>;
  /** What is likely to be deleted. */
  readonly expected: readonly Known[];
  readonly applied: Applied;
  /** Items that are not here, though nothing of them had failed. */
  readonly missing: number;
  readonly seconds: number;
}): Report {
  const { options, survey, work, expected, applied, missing, seconds } = input;
  const { dryRun = false, keepDeleted = false } = options;
  const failed = survey.failed + applied.transfer.failedItems.size + missing;
  const gone = countFiles(expected);
  const postponed = applied.postponed || survey.failed > 0;
  const listed = [...survey.unchanged.values(), ...survey.compared.map(({ delta }) => delta)];
  return {
    unit: options.source.unit,
    result: failed > 0 ? "partial" : "done",
    dryRun,
    collections: survey.unchanged.size + survey.compared.filter(({ collection }) => collection).length,
    unchanged: survey.unchanged.size,
    items: listed.reduce((sum, { items }) => sum + items, 0),
    added: dryRun ? countItems(work.puts) : applied.transfer.items,
    moved: work.moves.length + (dryRun ? work.links.length : applied.transfer.linked),
    renamed: work.renames.length,
    removed: dryRun && !keepDeleted && !postponed ? gone : countFiles(applied.removed),
    kept: dryRun && keepDeleted && !postponed ? gone : countFiles(applied.kept),
    postponed: postponed ? countFiles(work.vanished) : 0,
    bytes: applied.transfer.bytes,
    failed,
    seconds,
  };
}

function countItems(items: readonly Item[]): number {
  return items.filter(({ sidecar }) => !sidecar).length;
}

function countFiles(files: readonly Known[]): number {
  return files.filter(({ identity }) => !identity.sidecar).length;
}
