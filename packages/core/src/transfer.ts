import type { Copies } from "./copies.js";
import { type DayBudget, affordable, counted, leftToday } from "./day-budget.js";
import { isBackupError, throwIfAborted } from "./errors.js";
import type { EventSink } from "./events.js";
import type { Content, Item, Naming, Outcome } from "./model.js";
import type { Arrived } from "./plan.js";
import type { Source } from "./source.js";
import type { Place, Store } from "./store.js";

/** What a transfer did. */
export interface Transfer {
  readonly arrived: readonly Arrived[];
  /** Items stored, sidecars left out. */
  readonly items: number;
  readonly bytes: number;
  /** Items that could not be had. */
  readonly failedItems: ReadonlySet<Item>;
  /** Items of which the source said nothing: vanished meanwhile, or a half answer. */
  readonly unanswered: ReadonlySet<Item>;
}

export interface TransferInput<I extends Item> {
  readonly source: Source<I>;
  readonly store: Store;
  readonly naming: Naming<I>;
  readonly items: readonly I[];
  readonly copies: Copies;
  /** Whether `arrived` is wanted: for a first copy it would be most of the memory. */
  readonly remember: boolean;
  readonly dayBudget?: DayBudget | undefined;
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
}

/** Reads the items from the source into the store and reports what became of each. */
export async function transfer<I extends Item>(input: TransferInput<I>): Promise<Transfer> {
  const { source, store, naming, copies, remember, signal, onEvent } = input;
  const { items, later, portions } = await rationed(input);
  const arrived: Arrived[] = [];
  const failedItems = new Set<Item>(later);
  const unanswered = new Set<Item>(items);
  const madeAnew = new Set<string>();
  const totalItems = items.filter(({ sidecar }) => !sidecar).length;
  const totalBytes = items.reduce((sum, { size }) => sum + size, 0);
  let stored = 0;
  let bytes = 0;
  if (items.length === 0) return { arrived, items: stored, bytes, failedItems, unanswered: new Set() };

  const place = (item: I, content: Content): Place => {
    const path = naming.path(item, content);
    const same = copies.find(item, content);
    return { path, same: same === path ? undefined : same };
  };
  for await (const batch of outcomesOf(portions, (portion) => store.put(source.read(portion, signal), place, signal))) {
    for (const outcome of batch) {
      if (!unanswered.delete(outcome.item)) madeAnew.add(keyOf(outcome.item));
      if ("error" in outcome) {
        const { item, error } = outcome;
        failedItems.add(item);
        const code = isBackupError(error) ? error.code : "ITEM_UNREADABLE";
        onEvent({ type: "failed", collection: item.collection, item: item.id, code, message: error.message });
        continue;
      }
      copies.add(outcome.item, outcome.content, outcome.path);
      if (remember) arrived.push({ path: outcome.path, digest: outcome.content.digest });
      bytes += outcome.content.size;
      if (!outcome.item.sidecar) stored++;
    }
    onEvent({ type: "progress", items: stored, bytes, totalItems, totalBytes });
    throwIfAborted(signal);
  }
  for (const item of unanswered) if (madeAnew.has(keyOf(item))) unanswered.delete(item);
  return { arrived, items: stored, bytes, failedItems, unanswered };
}

interface Rationed<I> {
  /** To be read in this run. */
  readonly items: readonly I[];
  /** Left for another day. */
  readonly later: readonly I[];
  readonly portions: AsyncIterable<readonly I[]> | readonly (readonly I[])[];
}

/** What today's budget allows; says how many it does not. */
async function rationed<I extends Item>(input: TransferInput<I>): Promise<Rationed<I>> {
  const { source, store, items, dayBudget: budget, signal, onEvent } = input;
  if (!budget) return { items, later: [], portions: [items] };
  const left = await leftToday(store, budget, signal);
  const { now, later } = affordable(items, left, budget.bytes);
  if (later.length > 0)
    onEvent({
      type: "failed",
      collection: source.id,
      code: "BUDGET_SPENT",
      message:
        `the budget of ${budget.bytes.toLocaleString("en")} bytes for today is spent with this run, ` +
        `${later.length} of what is new are left; a run tomorrow (UTC) goes on`,
    });
  return { items: now, later, portions: counted(now, { store, budget, signal }) };
}

/** What becomes of the portions, one after the other. */
async function* outcomesOf<I extends Item>(
  portions: Rationed<I>["portions"],
  put: (portion: readonly I[]) => ReturnType<Store["put"]>,
): AsyncGenerator<readonly Outcome[]> {
  for await (const portion of portions) yield* put(portion);
}

/** An id is unique in its collection only, and a source may answer with an item that it made anew. */
function keyOf({ collection, id }: Item): string {
  return `${collection}/${id}`;
}
