import { setMaxListeners } from "node:events";
import { type Body, type Path, throwIfAborted } from "@backup/core";
import { type Connections, type Lane, isLost } from "./connections.js";
import { Funnel } from "./funnel.js";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { type Portion, ReadQueue } from "./read-queue.js";
import { type Refusals, readMessages } from "./read-messages.js";
import { type FolderItems, readPipelined } from "./read-pipelined.js";
import { mayPass } from "./session.js";
import { watchEnd } from "./watch-end.js";

/** Messages that stand ready for the store, bytes. */
const READY = 2 * 1024 * 1024;

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
  // Each connection listens: that is no leak.
  setMaxListeners(0, signal);
  const funnel = new Funnel<Body<MessageItem>>(READY);
  const readers = new Readers({ connections, folderAt, signal }, new ReadQueue(items, connections.most), funnel);
  let isOver = false;
  const ended = readers
    .run((error) => stop.abort(error))
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

/** What became of a connection that read until nothing was left, or it was lost; `useless`: lost before anything came. */
type End = "done" | "lost" | "useless";

/** The first connection, and spare ones beside it, which read from one queue. */
class Readers {
  readonly #reading: Reading;
  readonly #queue: ReadQueue;
  readonly #funnel: Funnel<Body<MessageItem>>;
  readonly #refusals = new Map<Path, Refusals>();
  /** What a spare connection did not bring: the first one says whether it can be had. */
  #again: MessageItem[] = [];

  constructor(reading: Reading, queue: ReadQueue, funnel: Funnel<Body<MessageItem>>) {
    this.#reading = reading;
    this.#queue = queue;
    this.#funnel = funnel;
  }

  /** Resolves when all is read, or said to be missing. `onError` is told at once of what ends it. */
  async run(onError: (error: unknown) => void): Promise<void> {
    const spare = Array.from({ length: this.#queue.readers - 1 }, () => this.#spare());
    await all([this.#first(), ...spare], onError);
    // What spare connections left.
    for (const item of this.#again.splice(0)) this.#queue.add(item);
    await this.#first();
  }

  async #first(): Promise<void> {
    if (this.#queue.isEmpty) return;
    const { connections, signal } = this.#reading;
    const lane = await connections.first(signal);
    try {
      await this.#read(lane);
    } finally {
      connections.release(lane);
    }
  }

  /** On a new connection when one is lost that had been of use. */
  async #spare(): Promise<void> {
    const { connections, signal } = this.#reading;
    for (let end: End = "lost"; end === "lost"; ) {
      const lane = await connections.spare(signal);
      if (!lane) return;
      try {
        end = await this.#read(lane);
      } finally {
        connections.release(lane);
      }
    }
  }

  async #read(lane: Lane): Promise<End> {
    while (!this.#queue.isEmpty) {
      const end = await this.#readPortions(lane);
      if (end !== "done") return end;
    }
    return "done";
  }

  /** Portion after portion, without a pause between them; then what did not come so. */
  async #readPortions(lane: Lane): Promise<End> {
    const { connections, folderAt, signal } = this.#reading;
    const { session } = lane;
    let portion: Portion | undefined;
    const left = new Set<MessageItem>();
    let isUseless = true;
    const next = (): FolderItems | undefined => {
      portion = this.#queue.take(portion);
      if (!portion) return undefined;
      const { path, isLarge, items } = portion;
      for (const item of items) left.add(item);
      return { folder: folderAt(path), isLarge, items };
    };
    const take = async (bodies: AsyncIterable<Body<MessageItem>>): Promise<void> => {
      for await (const body of bodies) {
        throwIfAborted(signal);
        isUseless = false;
        left.delete(body.item);
        if (lane.isSpare && "error" in body) this.#again.push(body.item);
        else await this.#pass(body);
      }
    };
    try {
      await take(readPipelined({ session, next, signal })).catch((error: unknown) => {
        throwIfAborted(signal);
        if (lane.isSpare || !mayPass(error)) throw error;
      });
      for (const path of new Set(Array.from(left, ({ collection }) => collection))) {
        const items = [...left].filter(({ collection }) => collection === path);
        const refusals = this.#refusals.get(path) ?? { inARow: 0 };
        this.#refusals.set(path, refusals);
        await take(readMessages({ session, folder: folderAt(path), signal, refusals }, items));
      }
      return "done";
    } catch (error) {
      throwIfAborted(signal);
      if (!isLost(lane, error)) throw error;
      connections.retire(lane, error);
      for (const item of left) this.#queue.add(item);
      return isUseless ? "useless" : "lost";
    } finally {
      if (portion) this.#queue.leave(portion);
    }
  }

  /** A message in memory waits for room; one that comes in parts has the connection until it is stored. */
  async #pass(body: Body<MessageItem>): Promise<void> {
    if ("error" in body) return await this.#funnel.push(body, 0);
    const { bytes } = body;
    if (bytes instanceof Uint8Array) await this.#funnel.push(body, bytes.byteLength);
    else {
      const { bytes: watched, ended } = watchEnd(bytes);
      await this.#funnel.hand({ item: body.item, bytes: watched, isApart: true });
      await ended();
    }
  }
}

/** Waits for all of them; `onError` is told of the first that fails, and its error is thrown in the end. */
async function all(tasks: readonly Promise<void>[], onError: (error: unknown) => void): Promise<void> {
  for (const task of tasks) task.catch(onError);
  for (const result of await Promise.allSettled(tasks)) if (result.status === "rejected") throw result.reason;
}
