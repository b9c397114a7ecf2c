import { type Body, type Content, type Item, type Outcome, type Place, throwIfAborted } from "@backup/core";
import { Pace } from "./pace.js";
import { type Arriving, RemoteBatch } from "./remote-batch.js";
import type { Sender, Upload } from "./sender.js";
import type { Spool } from "./spool.js";

export interface RemotePutOptions<I extends Item> {
  readonly place: (item: I, content: Content) => Place;
  readonly signal: AbortSignal;
  readonly sender: Sender;
  readonly spool: Spool;
  /** Makes files another name of one that is there, durably; false: this one cannot be. Absent: none can. */
  readonly link?: (
    links: readonly { readonly from: string; readonly to: string }[],
    signal: AbortSignal,
  ) => Promise<readonly boolean[]>;
  /** Begins a file that the spool has no room for. Absent: the spool grows. */
  readonly upload?: (signal: AbortSignal) => Promise<Upload>;
}

/** A batch on its way. */
interface Sending<I extends Item> {
  readonly batch: RemoteBatch<I>;
  /** Resolves when the next one may be sent. */
  readonly sent: Promise<void>;
  /** Resolves when all of it is durable. */
  readonly done: Promise<readonly Outcome<I>[]>;
}

/**
 * Sends bodies in batches: while one is on its way the next comes in, and the host may still be busy with the one
 * before. At most two are held here. A batch that is complete when the source fails is sent still; after an abort
 * nothing is.
 *
 * Batches grow with the speed of the way there: the source waits while one is sent, and must not wait for minutes.
 */
export async function* remotePut<I extends Item>(
  bodies: AsyncIterable<Body<I>>,
  options: RemotePutOptions<I>,
): AsyncGenerator<readonly Outcome<I>[]> {
  const { signal, sender } = options;
  const pace = new Pace(sender.batchBytes);
  const underWay: Sending<I>[] = [];
  const arriving: Arriving = new Map();
  const newBatch = (): RemoteBatch<I> => new RemoteBatch({ ...options, arriving });
  let batch = newBatch();
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
        const bytes = batch.bytes + sizeOf(next.value);
        if (batch.files > 0 && (batch.files >= sender.batchFiles || bytes > pace.batchBytes)) {
          await underWay.at(-1)?.sent;
          // One is sent, and of one more the host makes what it has durable.
          while (underWay.length > 1) yield await first(underWay);
          underWay.push(publish(batch, pace));
          batch = newBatch();
        }
        await batch.add(next.value);
      }
    } finally {
      await source.return?.();
    }
    await underWay.at(-1)?.sent;
    if (batch.files > 0) underWay.push(publish(batch, pace));
    while (underWay.length > 0) yield await first(underWay);
  } finally {
    // What is on its way must have settled before the caller goes on.
    await Promise.allSettled(underWay.map(({ done }) => done));
    await batch.discard();
  }
  if (sourceError) throw sourceError.error;
}

/** The outcomes of the first batch, which is then not under way any more. */
async function first<I extends Item>(underWay: Sending<I>[]): Promise<readonly Outcome<I>[]> {
  const outcomes = await underWay[0]?.done;
  underWay.shift()?.batch.forget();
  return outcomes ?? [];
}

function publish<I extends Item>(batch: RemoteBatch<I>, pace: Pace): Sending<I> {
  let onSent = (): void => {};
  const early = new Promise<void>((resolve) => {
    onSent = resolve;
  });
  const work = async (): Promise<readonly Outcome<I>[]> => {
    try {
      return await batch.publish(onSent);
    } finally {
      await batch.discard();
    }
  };
  const done = work();
  const sent = pace.measure(
    batch.bytes,
    Promise.race([early, done]).then(() => {}),
  );
  // They are awaited a turn later; until then a failure must not count as unhandled.
  for (const promise of [done, sent]) promise.catch(() => {});
  return { batch, sent, done };
}

function sizeOf(body: Body): number {
  if ("error" in body) return 0;
  return body.bytes instanceof Uint8Array ? body.bytes.byteLength : body.item.size;
}
