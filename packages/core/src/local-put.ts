import { join } from "node:path";
import { LocalBatch } from "./local-batch.js";
import { diskError } from "./disk-error.js";
import { throwIfAborted } from "./errors.js";
import { type FileWorker, HereWorker, ThreadWorker } from "./local-files-worker.js";
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
  /** A larger file is a batch of its own. */
  readonly batchBytes: number;
}

/** Of a batch that has nothing of what is here already. */
const NO_BUFFER = new Uint8Array(0);

/** Batches that are published while the next one is being filled: their waits for the disk overlap. */
const PUBLISHING = 3;

/**
 * Writes bodies in batches: all files of a batch to temporary names, then all of them synced, then renamed, then their
 * directories synced. While some are published the next one is filled: so many are in memory at most. More than one
 * batch is worth a thread.
 * A batch that is complete when the source or the disk fails is published still; after an abort nothing is.
 */
export async function* putBatches<I extends Item>(
  bodies: AsyncIterable<Body<I>>,
  options: PutOptions<I>,
): AsyncGenerator<readonly Outcome<I>[]> {
  const { signal, batchFiles, batchBytes } = options;
  let counter = 0;
  const temporaryName = (): string => join(options.temporary, String(counter++));
  // As many as there are batches: the oldest one is published when its buffer is needed again.
  const buffers: Uint8Array[] = [];
  let batches = 0;
  const newBatch = (): LocalBatch<I> => {
    const at = batches++ % (PUBLISHING + 1);
    const buffer = (buffers[at] ??= new Uint8Array(new SharedArrayBuffer(batchBytes)));
    return new LocalBatch({ ...options, temporaryName, buffer });
  };
  let batch = newBatch();
  let worker: FileWorker = new HereWorker();
  const earlier: Promise<readonly Outcome<I>[]>[] = [];
  const begin = (): void => {
    if (worker instanceof HereWorker) worker = new ThreadWorker();
    const full = batch;
    const publishing = full.publish(worker).catch(async (error: unknown) => {
      await full.discard();
      throw error;
    });
    // It is awaited some turns later; until then a failure must not count as unhandled.
    publishing.catch(() => {});
    earlier.push(publishing);
    batch = newBatch();
  };
  /** Bodies that are read beside the others, each a batch of its own, and what became of those that are done. */
  const apart = new Set<Promise<void>>();
  const done: (readonly Outcome<I>[])[] = [];
  const apartErrors: unknown[] = [];
  const throwApart = (): void => {
    if (apartErrors.length > 0) throw apartErrors[0];
  };
  const beginApart = (body: Body<I>): void => {
    const own = new LocalBatch({ ...options, temporaryName, buffer: NO_BUFFER });
    const storing = own.add(body).then(() => own.publish(worker));
    const settled = storing.then(
      (outcomes) => void done.push(outcomes),
      async (error: unknown) => {
        apartErrors.push(error);
        // The first error says enough.
        await own.discard().catch(() => {});
      },
    );
    apart.add(settled);
    void settled.then(() => apart.delete(settled));
  };
  let sourceError: { readonly error: unknown } | undefined;
  try {
    const source = bodies[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await source.next().catch((error: unknown) => {
          sourceError = { error };
        });
        throwIfAborted(signal);
        yield* done.splice(0);
        throwApart();
        if (!next || next.done) break;
        if (!("error" in next.value) && next.value.isApart) {
          beginApart(next.value);
          continue;
        }
        if (batch.files >= batchFiles || batch.bytes >= batchBytes || !batch.fits(next.value)) {
          if (earlier.length >= PUBLISHING) yield await oldest(earlier);
          begin();
        }
        await batch.add(next.value);
      }
    } finally {
      await source.return?.();
    }
    while (earlier.length > 0) yield await oldest(earlier);
    await Promise.all(apart);
    yield* done.splice(0);
    throwApart();
    if (batch.files > 0) yield await batch.publish(worker);
  } catch (error) {
    throw diskError(error, options.destination);
  } finally {
    // Those that are still being published must have settled before the caller goes on.
    await Promise.allSettled([...earlier, ...apart]);
    await batch.discard();
    await worker[Symbol.asyncDispose]();
  }
  if (sourceError) throw sourceError.error;
}

/** Takes what was begun first from the list; waits for it. */
async function oldest<T>(list: Promise<T>[]): Promise<T> {
  const [first] = list.splice(0, 1);
  if (!first) throw new Error("nothing was begun");
  return await first;
}
