import type { Path } from "@backup/core";
import type { MessageItem } from "./mail-item.js";

/** Messages of one folder, for one reader; in no order. */
export interface Portion {
  readonly path: Path;
  /** All of them are, or none. */
  readonly isLarge: boolean;
  readonly items: readonly MessageItem[];
}

/** Messages above this are fetched in parts, bytes. */
export const LARGE = 4 * 1024 * 1024;

/** A portion is at most this large, and at least that, bytes. */
const MOST = 32 * 1024 * 1024;
const LEAST = 1024 * 1024;
/** What opening a folder costs, as bytes that come in the same time. */
const FOLDER = 512 * 1024;
/** What a message costs beside its bytes. */
const MESSAGE = 1024;

/** Of a folder what is large, or what is not. */
interface Shelf {
  readonly path: Path;
  readonly isLarge: boolean;
  readonly items: MessageItem[];
  next: number;
  /** Of those that are left. */
  weight: number;
  readers: number;
}

/**
 * Splits what is to be read among readers, by bytes: each takes a portion when it is done with the one before, of the
 * same folder while that has some, else of the one with the most left that has the fewest readers. Portions become smaller
 * towards the end, so that all readers end at about the same time. Large messages come early: they cannot be read at the
 * end by several, nor together with others.
 */
export class ReadQueue {
  readonly #shelves: Shelf[];
  readonly #folders: number;
  readonly #lanes: number;
  #weight = 0;

  /** @param lanes readers at most */
  constructor(items: readonly MessageItem[], lanes: number) {
    const shelves = new Map<string, Shelf>();
    for (const item of items.toSorted((a, b) => a.uid - b.uid)) {
      const { collection: path, size } = item;
      const isLarge = size > LARGE;
      const key = `${isLarge ? "large" : "small"} ${path}`;
      const shelf = shelves.get(key) ?? { path, isLarge, items: [], next: 0, weight: 0, readers: 0 };
      shelves.set(key, shelf);
      shelf.items.push(item);
      shelf.weight += weightOf(item);
      this.#weight += weightOf(item);
    }
    this.#shelves = [...shelves.values()];
    this.#folders = new Set(this.#shelves.map(({ path }) => path)).size;
    this.#lanes = lanes;
  }

  /** Whether something is left to take. */
  get isEmpty(): boolean {
    return this.#shelves.every(({ next, items }) => next >= items.length);
  }

  /** How many readers are worth their connections. */
  get readers(): number {
    const work = this.#weight + this.#folders * FOLDER;
    return Math.max(1, Math.min(this.#lanes, Math.ceil(work / (4 * FOLDER))));
  }

  /** The next portion for a reader; `done` is what it had before. Undefined: nothing is left. */
  take(done?: Portion): Portion | undefined {
    const last = done && this.#shelfOf(done);
    if (last) last.readers--;
    const left = this.#shelves.filter((shelf) => shelf.next < shelf.items.length);
    const shelf = last && left.includes(last) ? last : left.toSorted(byNeed(this.#isLargeFirst(left)))[0];
    if (!shelf) return undefined;
    shelf.readers++;
    const limit = Math.min(MOST, Math.max(LEAST, this.#weight / (2 * this.#lanes)));
    const items: MessageItem[] = [];
    let weight = 0;
    for (let item = shelf.items[shelf.next]; item; item = shelf.items[shelf.next]) {
      if (items.length > 0 && weight + weightOf(item) > limit) break;
      items.push(item);
      weight += weightOf(item);
      shelf.next++;
    }
    shelf.weight -= weight;
    this.#weight -= weight;
    return { path: shelf.path, isLarge: shelf.isLarge, items };
  }

  /** A reader takes no more of that folder. */
  leave(portion: Portion): void {
    this.#shelfOf(portion).readers--;
  }

  /** Takes back a message that was taken, and could not be had. */
  add(item: MessageItem): void {
    const shelf = this.#shelfOf({ path: item.collection, isLarge: item.size > LARGE });
    shelf.items.push(item);
    shelf.weight += weightOf(item);
    this.#weight += weightOf(item);
  }

  /** Half of the readers are enough for what is large, unless that is the most: others are busy while one waits. */
  #isLargeFirst(left: readonly Shelf[]): boolean {
    const readers = this.#shelves.reduce((sum, shelf) => sum + (shelf.isLarge ? shelf.readers : 0), 0);
    const weight = left.reduce((sum, shelf) => sum + (shelf.isLarge ? shelf.weight : 0), 0);
    return readers < this.#lanes / 2 || weight > this.#weight / 2;
  }

  #shelfOf({ path, isLarge }: Pick<Portion, "path" | "isLarge">): Shelf {
    const shelf = this.#shelves.find((one) => one.path === path && one.isLarge === isLarge);
    if (!shelf) throw new Error(`nothing was taken of ${path}`);
    return shelf;
  }
}

function byNeed(isLargeFirst: boolean): (a: Shelf, b: Shelf) => number {
  const first = isLargeFirst ? 1 : -1;
  return (a, b) => first * (Number(b.isLarge) - Number(a.isLarge)) || a.readers - b.readers || b.weight - a.weight;
}

function weightOf({ size }: MessageItem): number {
  return size + MESSAGE;
}
