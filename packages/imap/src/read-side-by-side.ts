import { type Body, type Path, throwIfAborted } from "@backup/core";
import { type Connections, type Lane, isLost } from "./connections.js";
import { Funnel } from "./funnel.js";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { ReadQueue } from "./read-queue.js";
import { type Refusals, readMessages } from "./read-messages.js";

/** Messages that stand ready for the store, bytes. */
const READY = 4 * 1024 * 1024;

interface Reading {
  readonly connections: Connections;
  readonly folderAt: (path: Path) => Folder;
  readonly signal: AbortSignal;
}

/** Bodies of messages of any folders, by as many connections as are worth it, in no order. */
export async function* readSideBySide(
  { connections, folderAt, signal: caller }: Reading,
  items: readonly MessageItem[],
): AsyncGenerator<Body<MessageItem>> {
  const stop = new AbortController();
  const signal = AbortSignal.any([caller, stop.signal]);
  const queue = new ReadQueue(items, connections.most);
  const funnel = new Funnel<Body<MessageItem>>(READY);
  const refusals = new Map<Path, Refusals>();

  /** @returns whether the connection is as it was */
  const readAll = async (lane: Lane): Promise<boolean> => {
    for (let portion = queue.take(); portion; portion = queue.take(portion.path)) {
      const { path } = portion;
      const left = new Set(portion.items);
      const place = { session: lane.session, folder: folderAt(path), signal, refusals: refusalsAt(refusals, path) };
      try {
        for await (const body of readMessages(place, portion.items)) {
          throwIfAborted(signal);
          left.delete(body.item);
          await pass(funnel, body);
        }
      } catch (error) {
        throwIfAborted(signal);
        if (!isLost(lane, error)) throw error;
        queue.putBack({ path, items: [...left] });
        return false;
      }
    }
    return true;
  };
  const reader = async (connect: () => Promise<Lane | undefined>): Promise<void> => {
    for (let lane = await connect(); lane; lane = await connect()) {
      let isKept = false;
      try {
        isKept = await readAll(lane);
      } finally {
        if (!isKept && lane.isSpare) connections.retire(lane);
        connections.release(lane);
      }
      if (isKept) return;
    }
  };
  const readers = async (): Promise<void> => {
    // What a lost connection put back at the end is read by who comes next.
    while (!queue.isEmpty) {
      const others = Array.from({ length: queue.readers - 1 }, () => reader(() => connections.spare(signal)));
      await all([reader(() => connections.acquire(signal)), ...others], (error) => stop.abort(error));
    }
  };
  let isOver = false;
  const ended = readers()
    .then(
      () => funnel.end(),
      (error: unknown) => funnel.fail(error),
    )
    .finally(() => {
      isOver = true;
    });
  try {
    yield* funnel.drain();
  } finally {
    // It closes the connections, which are otherwise good for more.
    if (!isOver) stop.abort();
    await ended;
  }
}

/** A message in memory waits for room; one that comes in parts has the connection until it is stored. */
async function pass(funnel: Funnel<Body<MessageItem>>, body: Body<MessageItem>): Promise<void> {
  if ("error" in body) return await funnel.push(body, 0);
  const { bytes } = body;
  return bytes instanceof Uint8Array ? await funnel.push(body, bytes.byteLength) : await funnel.hand(body);
}

function refusalsAt(all: Map<Path, Refusals>, path: Path): Refusals {
  const found = all.get(path) ?? { inARow: 0 };
  all.set(path, found);
  return found;
}

/** Waits for all of them; `onError` is told of the first that fails, and its error is thrown in the end. */
async function all(tasks: readonly Promise<void>[], onError: (error: unknown) => void): Promise<void> {
  for (const task of tasks) task.catch(onError);
  const failed = (await Promise.allSettled(tasks)).find(({ status }) => status === "rejected");
  if (failed) await Promise.reject((failed as PromiseRejectedResult).reason);
}
