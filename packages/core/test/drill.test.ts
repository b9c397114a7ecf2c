import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BackupEvent, type DrillRequest, drill, drillInto, readBackup } from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder, many, record } from "./support/world.js";

const NEVER = new AbortController().signal;

async function world() {
  const source = new MemorySource([
    { ...folder("A", ...many(30, "a")), sidecar: { bytes: Buffer.from("x"), mtime: 5000 } },
    folder("B", ...many(10, "b", "other")),
    folder("Empty"),
  ]);
  const store = new MemoryStore();
  await record({ source, store });
  return { source, store, looked: { store, layout: source, inventory: undefined, signal: NEVER } };
}

describe("drill", () => {
  it("picks each item as often as any other, none twice, with the sidecars of its collection", async () => {
    const { looked } = await world();
    const counts = new Map<string, number>();
    const note = ({ sample }: DrillRequest) => {
      const known = sample.flatMap((collection) => collection.known);
      for (const { identity } of known.filter((each) => !each.identity.sidecar))
        counts.set(identity.id, (counts.get(identity.id) ?? 0) + 1);
      const items = known.filter(({ identity }) => !identity.sidecar);
      expect(new Set(items.map(({ file }) => file.path)).size).toBe(4);
      expect(known.some(({ identity }) => identity.sidecar)).toBe(sample.some(({ path }) => path === "A"));
      return Promise.resolve({ good: items.length, isLeft: false });
    };
    for (let round = 0; round < 1000; round++)
      expect(await drill({ ...looked, place: note, count: 4, onEvent: () => {} })).toMatchObject({ items: 4, good: 4 });
    expect(counts.size).toBe(40);
    // 100 of each, with a standard deviation of 9.5.
    for (const [id, count] of counts) expect(Math.abs(count - 100), id).toBeLessThan(60);
  });

  it("brings files with their times to a directory, and tells of each that is not as its name says", async () => {
    const { source, store, looked } = await world();
    const [damaged = "", gone = ""] = [...store.files().keys()].filter((path) => path.startsWith("A/cur/"));
    store.plant(damaged, Buffer.from("text 9999"), 1000);
    const directory = await mkdtemp(join(tmpdir(), "backup-test-"));
    try {
      const { inventory } = await readBackup(store, NEVER);
      const events: BackupEvent[] = [];
      const onEvent = (event: BackupEvent): void => void events.push(event);
      const place = async (request: DrillRequest) => {
        await store.remove([gone], NEVER);
        return drillInto(directory)(request);
      };
      const report = await drill({ ...looked, layout: source, inventory, place, count: 100, onEvent });
      expect(report).toMatchObject({ items: 40, good: 38, isLeft: false });
      expect(events).toMatchObject([
        { type: "failed", item: gone, code: "NOT_FOUND" },
        { type: "failed", item: damaged, message: `${damaged} came back with other bytes than its name says` },
      ]);
      const [name = ""] = await readdir(join(directory, "B/cur"));
      const { mtimeMs, mode } = await stat(join(directory, "B/cur", name));
      expect(mtimeMs).toBe(store.files().get(`B/cur/${name}`)?.mtime);
      expect(mode & 0o777).toBe(0o600);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("proves nothing where there is nothing", async () => {
    const source = new MemorySource([folder("Empty")]);
    const store = new MemoryStore();
    await record({ source, store });
    const looked = { store, layout: source, inventory: undefined, signal: NEVER };
    const place = () => Promise.reject(new Error("not asked"));
    const empty = drill({ ...looked, place, count: 1, onEvent: () => {} });
    await expect(empty).rejects.toMatchObject({ code: "NOT_FOUND" });
    source.data = [folder("Empty", entry("1", "one"))];
    await record({ source, store });
    await expect(drill({ ...looked, place, count: 1, onEvent: () => {} })).rejects.toThrow("not asked");
  });
});
