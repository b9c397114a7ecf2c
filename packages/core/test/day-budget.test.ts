import { describe, expect, it } from "vitest";
import { affordable } from "../src/day-budget.js";
import { BackupError, type BackupOptions } from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder, record, textsIn } from "./support/world.js";

const { signal } = new AbortController();
const SPENT = ".backup/spent-today.json";

function budget(bytes: number, day: string): Pick<BackupOptions, "dayBudget"> {
  return { dayBudget: { bytes, now: () => new Date(`${day}T23:00:00Z`) } };
}

async function spentOf(store: MemoryStore): Promise<unknown> {
  return JSON.parse(Buffer.from(await store.read(SPENT, signal)).toString());
}

describe("a budget for a day", () => {
  it("is kept over runs: what arrived stays, nothing is deleted, and the next day goes on", async () => {
    const texts = ["aaaa", "bbbb", "cccc", "dddd", "eeee"];
    const source = new MemorySource([folder("INBOX", entry("0", "old"))]);
    const store = new MemoryStore();
    await record({ source, store });
    source.data = [folder("INBOX", ...texts.map((text, index) => entry(String(index + 1), text)))];

    const first = await record({ source, store, ...budget(10, "2026-11-22") });
    expect(first.report).toMatchObject({ result: "partial", added: 2, failed: 3, removed: 0, postponed: 1 });
    const failed = first.events.filter((event) => event.type === "failed");
    expect(failed).toMatchObject([{ code: "BUDGET_SPENT" }]);
    expect(failed[0]?.message).toMatch(/budget of 10 bytes for today is spent.* 3 .*left.*tomorrow/);
    expect(textsIn(store, "INBOX")).toEqual(["aaaa", "bbbb", "old"]);
    expect(await spentOf(store)).toEqual({ day: "2026-11-22", bytes: 8 });

    const same = await record({ source, store, ...budget(10, "2026-11-22") });
    expect(same.report).toMatchObject({ result: "partial", added: 0, failed: 3, removed: 0 });
    const next = await record({ source, store, ...budget(10, "2026-11-23") });
    expect(next.report).toMatchObject({ result: "partial", added: 2, failed: 1, removed: 0 });
    const last = await record({ source, store, ...budget(10, "2026-11-24") });
    expect(last.report).toMatchObject({ result: "done", added: 1, failed: 0, removed: 1 });
    expect(textsIn(store, "INBOX")).toEqual(texts);
  });

  it("counts what a run has begun to read when it is cut short", async () => {
    const source = new MemorySource([folder("INBOX", entry("1", "aaaa"), entry("2", "bbbb"))]);
    const store = new MemoryStore();
    const put = store.put.bind(store);
    store.put = () => {
      throw new BackupError("DISK_FULL", "cut");
    };
    await expect(record({ source, store, ...budget(100, "2026-11-22") })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await spentOf(store)).toEqual({ day: "2026-11-22", bytes: 8 });
    store.put = put;
    expect((await record({ source, store, ...budget(12, "2026-11-22") })).report).toMatchObject({
      result: "partial",
      added: 1,
    });
  });

  it("of which no file tells that can be read is whole", async () => {
    const source = new MemorySource([folder("INBOX", entry("1", "aaaa"))]);
    for (const text of ["", "{", "null", '{"day":"2026-11-22"}']) {
      const store = new MemoryStore();
      await record({ source: new MemorySource([folder("INBOX")]), store });
      await store.write(SPENT, Buffer.from(text), signal);
      expect((await record({ source, store, ...budget(4, "2026-11-22") })).report.result).toBe("done");
    }
  });

  it("takes what is larger than all of it alone, on a day on which nothing else was read", () => {
    const item = (id: string, size: number, sidecar = false) =>
      ({ id, rev: "1", collection: "A", size, mtime: 0, sidecar }) as const;
    const [small, large, table] = [item("1", 3), item("2", 20), item("3", 99, true)];
    expect(affordable([small, large, table], 10, 10)).toEqual({ now: [small, table], later: [large] });
    expect(affordable([large, small], 10, 10)).toEqual({ now: [large], later: [small] });
    expect(affordable([large, small], 9, 10)).toEqual({ now: [small], later: [large] });
  });
});
