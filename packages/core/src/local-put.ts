import { join } from "node:path";
import { LocalBatch } from "./local-batch.js";
import { diskError } from "./disk-error.js";
import { throwIfAborted } from "./errors.js";
import type { Body, Content, Item, Outcome, Path } from "./model.js";
import type { Place } from "./store.js";

export interface PutOptions<I extends Item> {
  readonly place: (item: I, content: Content) => Place;
  readonly signal: AbortSignal;
  /** The file of a path. */
  readonly at: (path: Path) => string;
  /** Directory of this run alone, on the same file system. */
  readonly temporary: string;
  /** For messages. */
  readonly destination: string;
  readonly batchFiles: number;
  readonly batchBytes: number;
}

/** Batches that are published while the next is being written: their waits for the disk overlap. */
const PUBLISHING = 3;

/**
 * Writes bodies in batches: all files of a batch to temporary names, then all of them synced, then renamed, then their
 * directories synced. While some are published the next is being written: so many are in memory at most.
 * A batch that is complete when the source or the disk fails is published still; after an abort nothing is.
 */
export async function* putBatches<I extends Item>(
  bodies: AsyncIterable<Body<I>>,
  options: PutOptions<I>,
): AsyncGenerator<readonly Outcome<I>[]> {
  const { signal, batchFiles, batchBytes } = options;
  let counter = 0;
  const newBatch = (): LocalBatch<I> => new LocalBatch(options, () => join(options.temporary, String(counter++)));
  let batch = newBatch();
  const earlier: Promise<readonly Outcome<I>[]>[] = [];
  let sourceError: { readonly error: unknown } | undefined;
  try {
    const source = bodies[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await source.next().catch((error: unknown) => {
          sourceError = { error };
        });
        throwIfAborted(signal);
        if (!next || next.done) break;
        await batch.add(next.value);
        if (batch.files < batchFiles && batch.bytes < batchBytes) continue;
        if (earlier.length >= PUBLISHING) yield await oldest(earlier);
        const full = batch;
        const publishing = full.publish().catch(async (error: unknown) => {
          await full.discard();
          throw error;
        });
        // It is awaited some turns later; until then a failure must not count as unhandled.
        publishing.catch(() => {});
        earlier.push(publishing);
        batch = newBatch();
      }
    } finally {
      await source.return?.();
    }
    while (earlier.length > 0) yield await oldest(earlier);
    if (batch.files > 0) yield await batch.publish();
  } catch (error) {
    throw diskError(error, options.destination);
  } finally {
    // Those that are still being published must have settled before the caller goes on.
    await Promise.allSettled(earlier);
    await batch.discard();
  }
  if (sourceError) throw sourceError.error;
}

/** Takes what was begun first from the list; waits for it. */
async function oldest<T>(list: Promise<T>[]): Promise<T> {
  const [first] = list.splice(0, 1);
  if (!first) throw new Error("nothing was begun");
  return await first;
}
