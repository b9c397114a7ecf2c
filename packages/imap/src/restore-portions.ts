import type { Destination } from "./restore-folders.js";
import type { StoredMessage } from "./restore-messages.js";

/** Messages of one folder that one connection appends, in their order. */
export interface Portion {
  readonly destination: Destination;
  readonly takes: (keyword: string) => boolean;
  readonly messages: readonly StoredMessage[];
}

/** Of a portion, bytes and messages. */
const BYTES = 16 * 1024 * 1024;
const MESSAGES = 500;
/** Of one APPEND. What is cut off in the middle is sent again: so it is not much more than a round trip is worth. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_MESSAGES = 100;

/** Cuts what is missing in folders into portions: the first ones of all folders come first, so that connections meet little. */
export function portionsOf(missing: readonly Portion[]): readonly Portion[] {
  const cut = missing.map((whole) =>
    cutBy(whole.messages, ({ size }) => size, { bytes: BYTES, count: MESSAGES }).map((messages) => ({
      ...whole,
      messages,
    })),
  );
  const longest = Math.max(0, ...cut.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => cut.flatMap((portions) => portions[index] ?? [])).flat();
}

/** Whether a batch takes no further message of this size. */
export function isFull(batch: readonly { readonly size: number }[], next: { readonly size: number }): boolean {
  const bytes = batch.reduce((sum, { size }) => sum + size, next.size);
  return batch.length > 0 && (batch.length >= BATCH_MESSAGES || bytes > BATCH_BYTES);
}

function cutBy<T>(
  values: readonly T[],
  sizeOf: (value: T) => number,
  most: { readonly bytes: number; readonly count: number },
): T[][] {
  const pieces: T[][] = [];
  let bytes = 0;
  for (const value of values) {
    const last = pieces.at(-1);
    bytes += sizeOf(value);
    if (last && last.length < most.count && bytes <= most.bytes) last.push(value);
    else {
      pieces.push([value]);
      bytes = sizeOf(value);
    }
  }
  return pieces;
}
