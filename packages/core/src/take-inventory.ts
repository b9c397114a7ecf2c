import { ahead } from "./ahead.js";
import type { Seen } from "./checkpoint.js";
import type { EventSink } from "./events.js";
import type { Holding, Inventory } from "./inventory.js";
import type { Item, Known, Naming, Path } from "./model.js";
import type { Report } from "./report.js";
import type { Source } from "./source.js";
import { type Stock, stockOf } from "./stock.js";
import type { Store } from "./store.js";
import { directoriesOf, LISTINGS, knownAt } from "./collection-files.js";
import type { Compared, Survey } from "./survey.js";
import type { Transfer } from "./transfer.js";

/** Items of a collection that takes long enough for nothing to be gained by listing others meanwhile. */
const LARGE = 5000;

/** What a holding says of a collection's items and files. */
export type Held = Stock & Pick<Holding, "items" | "gaps" | "kept">;

/** What is at the destination now. */
export interface Holdings {
  /** Of every collection that was compared. */
  readonly holdings: ReadonlyMap<Path, Held>;
  /** Gaps that nobody had reported. Each was, as a `failed` event. */
  readonly missing: number;
}

export interface HoldingsInput<I extends Item> extends Pick<Transfer, "failedItems" | "unanswered"> {
  readonly source: Source<I>;
  readonly store: Store;
  readonly naming: Naming<I>;
  readonly survey: Survey<I>;
  /** Of the destination's directories, after the run. */
  readonly stamps: ReadonlyMap<Path, string>;
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
}

/**
 * Holds what the source listed against what is at the destination after the run. What the run changed is listed anew;
 * of the rest, the comparison has found that both are the same.
 */
export async function holdingsNow<I extends Item>(input: HoldingsInput<I>): Promise<Holdings> {
  const { store, survey, onEvent } = input;
  const failed = idsByCollection(input.failedItems);
  const unanswered = idsByCollection(input.unanswered);
  const holdings = new Map<Path, Held>();
  for (const { path, delta, stock, isTouched } of survey.compared)
    if (!isTouched) holdings.set(path, { items: delta.items, ...stock, gaps: [], kept: 0 });
  let missing = 0;
  const touched = survey.compared.filter(({ isTouched }) => isTouched);
  for await (const { item: compared, result: known } of listings(touched, input)) {
    const { path, name } = compared;
    const reported = failed.get(path) ?? NONE;
    const held = hold(compared, known, { failed: reported, unanswered: unanswered.get(path) ?? NONE });
    holdings.set(path, held);
    for (const item of held.gaps) {
      if (reported.has(item)) continue;
      missing++;
      const message =
        `${item} of ${name} is not at ${store.name} after the run, though nothing had failed: another program removed ` +
        "its file, or the disk lost it; the next run brings it again";
      onEvent({ type: "failed", collection: name, item, code: "ITEM_MISSING", message });
    }
  }
  return { holdings, missing };
}

/** The files of collections: of several small ones at the same time, of which the listings together take little memory. */
async function* listings<I extends Item>(
  collections: readonly Compared<I>[],
  input: HoldingsInput<I>,
): AsyncGenerator<{ readonly item: Compared<I>; readonly result: readonly Known[] }> {
  const list = ({ path }: Compared<I>) => knownAt(input, path, input.stamps);
  const isLarge = ({ delta }: Compared<I>): boolean => delta.items > LARGE;
  yield* ahead(collections.filter(isLarge), 1, list);
  const small = collections.filter((one) => !isLarge(one));
  yield* ahead(small, LISTINGS, list);
}

type Collected = Pick<Source, "id" | "leaves" | "collectionAt">;

const NONE: ReadonlySet<string> = new Set();

/** @param unanswered items of which the source said nothing when they were read: they are gone there */
function hold(
  { listed, delta }: Compared,
  known: readonly Known[],
  { failed, unanswered }: { readonly failed: ReadonlySet<string>; readonly unanswered: ReadonlySet<string> },
): Held {
  const whole = known.filter(({ file, content }) => content === undefined || content.size === file.size);
  const here = new Set(whole.map(({ identity }) => identity.id));
  const wanted = new Set<string>(JSON.parse(listed));
  let items = delta.items;
  for (const id of unanswered) if (wanted.delete(id)) items--;
  const gaps = [...wanted].filter((id) => failed.has(id) || !here.has(id)).toSorted();
  for (const id of gaps) wanted.delete(id);
  const stock = stockOf(known);
  const matched = new Set(whole.flatMap(({ identity: { id, sidecar } }) => (!sidecar && wanted.has(id) ? [id] : [])));
  return { items, ...stock, gaps, kept: stock.files - matched.size };
}

function idsByCollection(items: Iterable<Item>): ReadonlyMap<Path, ReadonlySet<string>> {
  const ids = new Map<Path, Set<string>>();
  for (const { collection, id } of items) ids.set(collection, (ids.get(collection) ?? new Set()).add(id));
  return ids;
}

/** What this run has not looked at, folders that were left out for example, stays as it was. */
export function makeInventory(input: {
  readonly source: Collected;
  readonly report: Report;
  readonly survey: Survey;
  readonly holdings: ReadonlyMap<Path, Held>;
  /** Of the checkpoint. */
  readonly collections: Readonly<Record<Path, Seen>>;
  readonly previous: Inventory | undefined;
}): Inventory {
  const { source, survey, holdings, collections, previous } = input;
  const { result, seconds } = input.report;
  const finished = new Date().toISOString();
  const entries = new Map<Path, Holding>();
  for (const holding of previous?.collections ?? []) {
    if (survey.unchanged.has(holding.path)) entries.set(holding.path, { ...holding, at: finished });
    else if (!isGone(holding, source, survey)) entries.set(holding.path, holding);
  }
  for (const { path, name, collection } of survey.compared) {
    const held = holdings.get(path);
    if (!held || (!collection && held.files === 0)) continue;
    const called = collection ? name : (previous?.collections.find((one) => one.path === path)?.name ?? name);
    entries.set(path, { path, name: called, at: finished, ...held, stamp: collections[path]?.stamp ?? "" });
  }
  return {
    format: 1,
    source: source.id,
    finished,
    seconds,
    result,
    complete: result === "done" ? finished : (previous?.complete ?? null),
    unlisted: survey.unlisted,
    collections: [...entries.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** Whether the source was asked for such a collection and has it no more. */
function isGone({ path, name }: Holding, source: Collected, { unlisted }: Survey): boolean {
  return !unlisted.includes(name) && directoriesOf(path, source).some((at) => source.collectionAt(at) === path);
}
