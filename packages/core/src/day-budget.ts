import { isBackupError } from "./errors.js";
import type { Item, Path } from "./model.js";
import { PRIVATE } from "./paths.js";
import type { Store } from "./store.js";

/** What may be read from the source in one day, UTC. */
export interface DayBudget {
  readonly bytes: number;
  readonly now: () => Date;
}

/** What was read in one day, at the destination. */
interface Spent {
  /** `2026-11-23` */
  readonly day: string;
  readonly bytes: number;
}

export const SPENT_FILE: Path = `${PRIVATE}/spent-today.json`;

/** Bytes that are counted at once, before they are read: a run that is cut short has counted so much too much at most. */
const PORTION = 32 * 1024 * 1024;

/** What of today's budget is left, bytes. */
export async function leftToday(store: Store, budget: DayBudget, signal: AbortSignal): Promise<number> {
  const { bytes } = await readSpent(store, budget, signal);
  return Math.max(0, budget.bytes - bytes);
}

/**
 * Which items can be read with so many bytes, in their order; the others are left for another day. One that is larger
 * than the whole budget is read alone, on a day on which nothing else was: otherwise it never would be.
 */
export function affordable<I extends Item>(
  items: readonly I[],
  left: number,
  whole: number,
): { readonly now: readonly I[]; readonly later: readonly I[] } {
  const now: I[] = [];
  const later: I[] = [];
  let rest = left;
  for (const item of items) {
    const cost = costOf(item);
    if (cost <= rest || (rest === whole && cost > whole)) {
      now.push(item);
      rest -= cost;
    } else later.push(item);
  }
  return { now, later };
}

/** The items in portions, each of which is counted before it is given out. */
export async function* counted<I extends Item>(
  items: readonly I[],
  { store, budget, signal }: { readonly store: Store; readonly budget: DayBudget; readonly signal: AbortSignal },
): AsyncGenerator<readonly I[]> {
  for (const portion of portionsOf(items)) {
    const cost = portion.reduce((sum, item) => sum + costOf(item), 0);
    const { day, bytes } = await readSpent(store, budget, signal);
    const spent: Spent = { day, bytes: bytes + cost };
    if (cost > 0) await store.write(SPENT_FILE, Buffer.from(`${JSON.stringify(spent)}\n`), signal);
    yield portion;
  }
}

function* portionsOf<I extends Item>(items: readonly I[]): Generator<readonly I[]> {
  let portion: I[] = [];
  let bytes = 0;
  for (const item of items) {
    if (portion.length > 0 && bytes + costOf(item) > PORTION) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(item);
    bytes += costOf(item);
  }
  if (portion.length > 0) yield portion;
}

/** A sidecar is made here. */
function costOf({ size, sidecar }: Item): number {
  return sidecar ? 0 : size;
}

/** Of today; nothing, where no file says so that can be read. */
async function readSpent(store: Store, { now }: DayBudget, signal: AbortSignal): Promise<Spent> {
  const day = now().toISOString().slice(0, 10);
  try {
    const spent: unknown = JSON.parse(Buffer.from(await store.read(SPENT_FILE, signal)).toString());
    return isSpent(spent) && spent.day === day ? spent : { day, bytes: 0 };
  } catch (error) {
    if (isBackupError(error, "NOT_FOUND") || error instanceof SyntaxError) return { day, bytes: 0 };
    throw error;
  }
}

function isSpent(value: unknown): value is Spent {
  return (
    typeof value === "object" &&
    value !== null &&
    "day" in value &&
    typeof value.day === "string" &&
    "bytes" in value &&
    typeof value.bytes === "number"
  );
}
