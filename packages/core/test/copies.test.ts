import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ahead } from "../src/ahead.js";
import { Copies } from "../src/copies.js";
import { contentOf } from "../src/digest.js";
import { LocalStore, backup } from "../src/index.js";
import type { Item } from "../src/model.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder, textsIn } from "./support/world.js";

const MTIME = Date.UTC(2024, 0, 2, 3, 4, 5);

function item(id: string, size: number, mtime = MTIME): Item {
  return { id, rev: "1", collection: "A", size, mtime };
}

describe("bytes that are there already", () => {
  const content = contentOf(Buffer.from("same"));

  it("are found by digest and time, among what is there and what has arrived", () => {
    const [first, second, other] = [item("1", 4), item("2", 4), item("3", 5)];
    const there = { path: "B/cur/x", digest: content.digest, size: 4, mtime: MTIME + 500 };
    expect(new Copies([first], [there]).find(first, content)).toBe("B/cur/x");
    const copies = new Copies([first, second, other], []);
    expect(copies.find(first, content)).toBeUndefined();
    copies.add(first, content, "A/cur/1");
    expect(copies.find(second, content)).toBe("A/cur/1");
    expect(copies.find(second, contentOf(Buffer.from("else")))).toBeUndefined();
  });

  it("are not taken where the time differs, and a sidecar is never another's name", () => {
    const there = { path: "B/cur/x", digest: content.digest, size: 4, mtime: MTIME };
    const later = item("1", 4, MTIME + 1000);
    expect(new Copies([later], [there]).find(later, content)).toBeUndefined();
    const sidecar = { ...item("2", 4), sidecar: true };
    expect(new Copies([item("1", 4), sidecar], [there]).find(sidecar, content)).toBeUndefined();
  });

  it("are remembered only where another item could be the same", () => {
    const lone = item("1", 4);
    const copies = new Copies([lone, item("2", 5)], []);
    copies.add(lone, content, "A/cur/1");
    expect(copies.find(lone, content)).toBeUndefined();
  });

  it("become another name of the file: moved to another collection, copied, or twice in one run", async () => {
    const text = "a message that is longer than sixteen bytes";
    const store = new MemoryStore({ batchFiles: 1 });
    const source = new MemorySource([folder("A", entry("1", text), entry("2", text)), folder("B", entry("1", "b"))]);
    await backup({ source, store });
    expect(store.links).toBe(1);
    source.data = [folder("A", entry("2", text)), folder("B", entry("1", "b"), entry("9", text))];
    await backup({ source, store });
    expect(store.links).toBe(2);
    expect(textsIn(store, "A")).toEqual([text]);
    expect(textsIn(store, "B").toSorted()).toEqual([text, "b"].toSorted());
  });

  it("are one inode on a disk", async () => {
    const root = await mkdtemp(join(tmpdir(), "bk-"));
    try {
      const source = new MemorySource([folder("A", entry("1", "one text")), folder("B", entry("1", "b"))]);
      await using store = new LocalStore(root);
      await backup({ source, store });
      source.data = [folder("A"), folder("B", entry("1", "b"), entry("7", "one text"))];
      const before = (await store.list(["A/cur"], new AbortController().signal)).map(({ path }) => join(root, path));
      const inode = (await stat(before[0] ?? "")).ino;
      await backup({ source, store });
      const after = await store.list(["B/cur"], new AbortController().signal);
      const inodes = await Promise.all(after.map(async ({ path }) => (await stat(join(root, path))).ino));
      expect(inodes).toContain(inode);
      expect(await store.list(["A/cur"], new AbortController().signal)).toEqual([]);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

describe("looking ahead", () => {
  it("has the next one under way, never more, and keeps the order", async () => {
    const begun: number[] = [];
    const seen: number[] = [];
    for await (const { item: n, result } of ahead([1, 2, 3, 4], 2, async (value) => {
      begun.push(value);
      return value * 10;
    })) {
      seen.push(result);
      expect(begun).toHaveLength(Math.min(4, n + 1));
    }
    expect(seen).toEqual([10, 20, 30, 40]);
  });

  it("passes an error at its place, and leaves nothing under way", async () => {
    let settled = 0;
    const work = async (n: number): Promise<number> => {
      await new Promise(setImmediate);
      settled++;
      if (n === 2) throw new Error("two");
      return n;
    };
    const seen: number[] = [];
    await expect(async () => {
      for await (const { result } of ahead([1, 2, 3], 2, work)) seen.push(result);
    }).rejects.toThrow("two");
    expect(seen).toEqual([1]);
    expect(settled).toBe(3);
    for await (const { result } of ahead([1, 4], 2, work)) {
      expect(result).toBe(1);
      break;
    }
    expect(settled).toBe(5);
  });
});
