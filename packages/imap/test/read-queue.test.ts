import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MessageItem } from "../src/mail-item.js";
import { type Portion, ReadQueue } from "../src/read-queue.js";

const MIB = 1024 * 1024;

function message(collection: string, uid: number, size: number): MessageItem {
  return { id: `V1U${uid}`, rev: "whole", collection, size, mtime: 0, uidValidity: 1n, uid, letters: "" };
}

function messages(collection: string, count: number, size: number): readonly MessageItem[] {
  return Array.from({ length: count }, (_, index) => message(collection, index + 1, size));
}

describe("messages that are split among readers", () => {
  const folders = fc.array(fc.record({ count: fc.nat(40), size: fc.constantFrom(0, 1000, 3 * MIB, 200 * MIB) }), {
    maxLength: 5,
  });

  it("are each read once, whoever takes what and gives it back", () => {
    fc.assert(
      fc.property(folders, fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean()), (sizes, lanes, losses) => {
        const items = sizes.flatMap(({ count, size }, index) => messages(`f${index}`, count, size));
        const queue = new ReadQueue(items, lanes);
        const had: (Portion | undefined)[] = Array.from({ length: lanes });
        const read: MessageItem[] = [];
        for (let turn = 0; !queue.isEmpty; turn++) {
          const reader = turn % lanes;
          const portion = queue.take(had[reader]);
          had[reader] = portion;
          if (!portion) continue;
          const isLost = losses[turn] === true;
          const half = isLost ? portion.items.length >> 1 : portion.items.length;
          read.push(...portion.items.slice(0, half));
          if (!isLost) continue;
          queue.leave(portion);
          for (const item of portion.items.slice(half)) queue.add(item);
          had[reader] = undefined;
        }
        expect(read.length).toBe(items.length);
        expect(new Set(read)).toEqual(new Set(items));
        for (const each of had) expect(queue.take(each)).toBeUndefined();
      }),
    );
  });

  it("are large for half of the readers, or for all where that is the most", () => {
    const largeOf = (queue: ReadQueue): readonly boolean[] =>
      Array.from({ length: 4 }, () => queue.take()?.isLarge ?? false);
    const large = ["a", "b", "c", "d"].flatMap((folder) => messages(folder, 2, 8 * MIB));
    expect(largeOf(new ReadQueue([...large, ...messages("e", 2000, MIB / 10)], 4))).toEqual([true, true, false, false]);
    expect(largeOf(new ReadQueue([...large, ...messages("e", 30, MIB / 10)], 4))).toEqual([true, true, true, true]);
    expect(largeOf(new ReadQueue(large, 4))).toEqual([true, true, true, true]);
  });

  it("come in portions of one folder, which become smaller towards the end", () => {
    const queue = new ReadQueue(messages("f", 2000, MIB / 10), 4);
    const sizes: number[] = [];
    for (let portion = queue.take(); portion; portion = queue.take(portion)) sizes.push(portion.items.length);
    expect(sizes.at(0)).toBeGreaterThan(200);
    expect(sizes.at(-1)).toBeLessThan(12);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  });

  it("are taken from the largest folder that has no reader, and each reader stays where it is", () => {
    const queue = new ReadQueue(
      [...messages("small", 3, MIB), ...messages("large", 30, MIB), ...messages("middle", 9, MIB)],
      3,
    );
    const first = queue.take();
    expect(first?.path).toBe("large");
    expect(queue.take()?.path).toBe("middle");
    expect(queue.take()?.path).toBe("small");
    expect(queue.take(first)?.path).toBe("large");
  });

  it("are taken from a folder whose reader is lost, as from one that has none", () => {
    const queue = new ReadQueue([...messages("large", 100, MIB), ...messages("small", 3, MIB)], 2);
    const lost = queue.take();
    expect(lost?.path).toBe("large");
    if (lost) queue.leave(lost);
    for (const item of lost?.items ?? []) queue.add(item);
    expect(queue.take()?.path).toBe("large");
  });

  it("come large ones first, and never with others", () => {
    const queue = new ReadQueue([...messages("a", 30, MIB), message("a", 99, 5 * MIB), message("b", 1, 9 * MIB)], 2);
    const portions: Portion[] = [];
    for (let portion = queue.take(); portion; portion = queue.take(portion)) portions.push(portion);
    expect(portions.map(({ path, isLarge }) => [path, isLarge]).slice(0, 3)).toEqual([
      ["b", true],
      ["a", true],
      ["a", false],
    ]);
    for (const { isLarge, items } of portions) for (const { size } of items) expect(size > 4 * MIB).toBe(isLarge);
  });

  it("are worth further readers by what is to come, and by how many folders it is in", () => {
    const many = Array.from({ length: 20 }, (_, index) => message(`f${index}`, 1, 1000));
    expect(new ReadQueue([], 4).readers).toBe(1);
    expect(new ReadQueue(messages("f", 10, 1000), 4).readers).toBe(1);
    expect(new ReadQueue(messages("f", 10, MIB), 4).readers).toBe(4);
    expect(new ReadQueue(messages("f", 10, MIB), 2).readers).toBe(2);
    expect(new ReadQueue(many, 4).readers).toBe(4);
  });
});
