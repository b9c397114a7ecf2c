import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BackupError,
  type BackupEvent,
  type HistoryOptions,
  backup,
  backupToHistory,
  prune,
  readHistory,
  within,
} from "../src/index.js";
import { type MemoryCollection, type MemoryItem, MemorySource, MemoryStore } from "../src/testing/index.js";
import { entry, folder, many } from "./support/world.js";

const NEVER = new AbortController().signal;
const [DAY1, DAY2, DAY3] = ["2026/10/31", "2026/11/01", "2026/11/02"] as const;
const ONE = [folder("INBOX", entry("1", "one"), entry("2", "two")), folder("Empty")];
const TWO = [folder("INBOX", entry("2", "two", "S"), entry("3", "three"))];

type Files = Readonly<Record<string, string>>;

/** Files of one snapshot, or of what is made, with their times. */
function filesAt(store: MemoryStore, at: string): Files {
  const files = [...store.files()].filter(([path]) => path.startsWith(`${at}/`) && !path.includes("/.backup/"));
  return Object.fromEntries(
    files.map(([path, { bytes, mtime }]) => [path.slice(at.length + 1), `${mtime} ${Buffer.from(bytes).toString()}`]),
  );
}

/** What a mirror of the source has. */
async function mirrorOf(data: readonly MemoryCollection[]): Promise<Files> {
  const store = new MemoryStore();
  await backup({ source: new MemorySource(data), store });
  return Object.fromEntries(
    Array.from(store.files(), ([path, { bytes, mtime }]) => [path, `${mtime} ${Buffer.from(bytes).toString()}`]),
  );
}

/** A backup of something else that has the name of a day. */
function plantOther(store: MemoryStore, at: string): void {
  const head = { format: 1, source: "memory:other" };
  store.plant(`${at}/.backup/checkpoint.json`, Buffer.from(JSON.stringify({ ...head, colon: true, collections: {} })));
  const report = { finished: "2026-10-29T00:00:00Z", seconds: 1, result: "done", complete: null };
  store.plant(
    `${at}/.backup/report.json`,
    Buffer.from(JSON.stringify({ ...head, ...report, unlisted: [], collections: [] })),
  );
}

async function daysIn(store: MemoryStore): Promise<readonly string[] | undefined> {
  return (await readHistory(store, NEVER))?.days;
}

async function run(
  options: HistoryOptions<MemoryItem>,
): Promise<{ events: BackupEvent[]; result: string; unchanged: number }> {
  const events: BackupEvent[] = [];
  const report = await backupToHistory({ ...options, onEvent: (event) => events.push(event) });
  return { events, result: report.result, unchanged: report.unchanged };
}

describe("a history", () => {
  it("has a snapshot for each day, each as the source was", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    await run({ source, store, day: DAY1 });
    source.data = TWO;
    await run({ source, store, day: DAY2 });
    source.data = [];
    expect(await daysIn(store)).toEqual([DAY1, DAY2]);
    expect(filesAt(store, DAY1)).toEqual(await mirrorOf(ONE));
    expect(filesAt(store, DAY2)).toEqual(await mirrorOf(TWO));
    expect(await store.subdirectories(["2026/10", "2026/11"], NEVER)).toEqual([DAY1, DAY2]);
  });

  it("shares what did not change, and compares nothing of it again", async () => {
    const source = new MemorySource([folder("A", ...many(5)), folder("B", entry("1", "b"))]);
    const store = new MemoryStore();
    await run({ source, store, day: DAY1 });
    expect(await run({ source, store, day: DAY2 })).toMatchObject({ result: "done", unchanged: 2 });
    const files = store.files();
    for (const path of Object.keys(filesAt(store, DAY1)))
      expect(files.get(`${DAY2}/${path}`)).toBe(files.get(`${DAY1}/${path}`));
  });

  it("compares what somebody changed in the last snapshot", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    await run({ source, store, day: DAY1 });
    const [lost = ""] = [...store.files().keys()].filter((path) => path.includes("INBOX/cur/"));
    store.snatch(lost);
    await run({ source, store, day: DAY2 });
    expect(filesAt(store, DAY2)).toEqual(await mirrorOf(ONE));
    expect(store.files().has(lost)).toBe(false);
  });

  it("replaces the snapshot of a day as a whole", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    await run({ source, store, day: DAY1 });
    source.data = TWO;
    await run({ source, store, day: DAY1 });
    expect(await daysIn(store)).toEqual([DAY1]);
    expect(filesAt(store, DAY1)).toEqual(await mirrorOf(TWO));
    expect(await store.subdirectories([".backup/replaced", ".backup/clone"], NEVER)).toEqual([]);
  });

  it("keeps what an earlier run of the day had, where that is asked for, and only of that day", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    await run({ source, store, day: DAY1, keepDay: true });
    source.data = TWO;
    await run({ source, store, day: DAY1, keepDay: true });
    expect(
      Object.values(filesAt(store, DAY1))
        .map((text) => text.replace(/^\d+ /, ""))
        .toSorted(),
    ).toEqual(["one", "three", "two"]);
    await run({ source, store, day: DAY2, keepDay: true });
    expect(filesAt(store, DAY2)).toEqual(await mirrorOf(TWO));
  });

  it("refuses a day before the newest snapshot, and names both", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    await run({ source, store, day: DAY3 });
    const files = [...store.files()];
    await expect(run({ source, store, day: DAY1 })).rejects.toMatchObject({
      code: "SNAPSHOT_NEWER",
      message: expect.stringMatching(/2026-11-02.*2026-10-31/),
    });
    expect([...store.files()]).toEqual(files);
  });

  it("goes on with what an interrupted run has begun, on whatever day", async () => {
    const source = new MemorySource([folder("A", ...many(20))]);
    const store = new MemoryStore();
    let left = 6;
    const stop = new AbortController();
    source.faults = { read: () => (left-- > 0 ? undefined : (stop.abort(), undefined)) };
    await expect(run({ source, store, day: DAY1, signal: stop.signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(await daysIn(store)).toEqual([]);
    expect((await readHistory(store, NEVER))?.begun).toEqual([DAY1]);
    const kept = Object.keys(filesAt(store, `${DAY1}.in-progress`)).length;
    expect(kept).toBeGreaterThan(0);
    source.faults = {};
    const { events } = await run({ source, store, day: DAY3 });
    expect(events.findLast(({ type }) => type === "end")).toMatchObject({ report: { added: 20 - kept } });
    expect(await readHistory(store, NEVER)).toMatchObject({ days: [DAY3], begun: [] });
    expect(await store.subdirectories(["2026"], NEVER)).toEqual(["2026/11"]);
  });

  it("has a snapshot of a partial run too, which says so", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    source.faults = { read: ({ id }) => (id === "1" ? new BackupError("ITEM_UNREADABLE", "poison") : undefined) };
    expect(await run({ source, store, day: DAY1 })).toMatchObject({ result: "partial" });
    expect(await daysIn(store)).toEqual([DAY1]);
    expect(Buffer.from(await store.read(`${DAY1}/.backup/report.json`, NEVER)).toString()).toContain('"partial"');
  });

  it("ends its run when the snapshot has its name", async () => {
    const store = new MemoryStore();
    let days: readonly string[] | undefined;
    const onEvent = ({ type }: BackupEvent): void => {
      if (type === "end") days = [...new Set([...store.files().keys()].map((path) => path.split("/", 3).join("/")))];
    };
    await backupToHistory({ source: new MemorySource(ONE), store, day: DAY1, onEvent });
    expect(days).toEqual([DAY1]);
  });

  it("stays as it is in a dry run, which compares with the newest snapshot", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    expect((await run({ source, store, day: DAY1, dryRun: true })).events.at(-1)).toMatchObject({
      report: { added: 2 },
    });
    expect(store.steps).toBe(0);
    await run({ source, store, day: DAY1 });
    const { steps } = store;
    source.data = TWO;
    const { events } = await run({ source, store, day: DAY2, dryRun: true });
    expect(events.at(-1)).toMatchObject({ report: { added: 1, renamed: 1, removed: 1 } });
    expect(store.steps).toBe(steps);
  });

  it("and a mirror never share a destination, whether .backup/checkpoint.json is there or not", async () => {
    const source = new MemorySource(ONE);
    const mirror = new MemoryStore();
    await backup({ source, store: mirror });
    const refused = { code: "DESTINATION_OTHER", message: expect.stringContaining("without history") };
    await expect(run({ source, store: mirror, day: DAY1 })).rejects.toMatchObject(refused);
    mirror.snatch(".backup/checkpoint.json");
    await expect(run({ source, store: mirror, day: DAY1 })).rejects.toMatchObject(refused);
    const history = new MemoryStore();
    await run({ source, store: history, day: DAY1 });
    await expect(backup({ source, store: history })).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
      message: expect.stringContaining("--hist"),
    });
    const other = new MemorySource(ONE, { id: "memory:other" });
    await expect(run({ source: other, store: history, day: DAY2 })).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
    });
  });

  it("keeps what it is asked to keep of a day, wherever runs before were killed", async () => {
    const hasOne = (store: MemoryStore): boolean =>
      Object.values(filesAt(store, DAY1)).some((text) => text.endsWith(" one"));
    for (const keepDay of [false, true])
      for (let kill = 1, isOver = false; !isOver; kill++) {
        const source = new MemorySource(ONE);
        let store = new MemoryStore();
        await run({ source, store, day: DAY1 });
        source.data = TWO;
        store.killAfter(kill);
        isOver = await run({ source, store, day: DAY1, keepDay }).then(
          () => true,
          () => false,
        );
        store.killAfter(0);
        store = store.reopen();
        // One that need not keep it may have its snapshot in place already.
        const isPublished = Object.keys(filesAt(store, DAY1)).length > 0 && !hasOne(store);
        expect(isPublished && keepDay).toBe(false);
        await run({ source, store, day: DAY1, keepDay: true });
        expect(hasOne(store), `killed at step ${kill}`).toBe(!isPublished);
      }
  });

  it("does not take a directory for its own that no run has begun", async () => {
    const store = new MemoryStore();
    store.plant("2026/01/05.in-progress/precious.txt", Buffer.from("mine"));
    const source = new MemorySource(ONE);
    await expect(run({ source, store, day: DAY1 })).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
      message: expect.stringContaining("2026/01/05.in-progress"),
    });
    expect(store.files().has("2026/01/05.in-progress/precious.txt")).toBe(true);
  });

  it("is not claimed by another source where only its snapshots say whose it is", async () => {
    const store = new MemoryStore();
    await run({ source: new MemorySource(ONE), store, day: DAY1 });
    store.snatch(".backup/checkpoint.json");
    const other = new MemorySource(ONE, { id: "memory:other" });
    await expect(run({ source: other, store, day: DAY2 })).rejects.toMatchObject({ code: "DESTINATION_OTHER" });
    expect(await run({ source: new MemorySource(ONE), store, day: DAY2 })).toMatchObject({ result: "done" });
  });

  it("is pruned of its snapshots alone: mirrors that have the names of days stay", async () => {
    const store = new MemoryStore();
    const days = ["2026/11/20", "2026/11/21", "2026/11/22"];
    for (const [index, day] of days.entries()) {
      await store.makeDirectories([`${day}/.backup`], NEVER);
      await backup({ source: new MemorySource(ONE, { id: `memory:${index}` }), store: within(store, day) });
    }
    const files = [...store.files().keys()].filter((path) => path.startsWith("2026/"));
    await prune({ store, retention: { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 }, signal: NEVER });
    expect([...store.files().keys()]).toEqual(expect.arrayContaining(files));
  });

  it("has snapshots that no other run may write to", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    await run({ source, store, day: DAY1 });
    const before = filesAt(store, DAY1);
    source.data = TWO;
    await expect(backup({ source, store: within(store, DAY1) })).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
      message: expect.stringContaining("is a snapshot"),
    });
    expect(filesAt(store, DAY1)).toEqual(before);
  });

  it("leaves directories alone that are not its own, and does not take their place", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    store.plant(`${DAY1}/photo.jpg`, Buffer.from("mine"));
    store.plant("2026/holiday/photo.jpg", Buffer.from("mine"));
    await expect(run({ source, store, day: DAY1 })).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
      message: expect.stringContaining(DAY1),
    });
    await run({ source, store, day: DAY2 });
    expect(store.files().has(`${DAY1}/photo.jpg`)).toBe(true);
    expect(store.files().has("2026/holiday/photo.jpg")).toBe(true);
  });

  it("is known by its snapshots where .backup is lost, and goes on", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    await run({ source, store, day: DAY1 });
    store.snatch(".backup/checkpoint.json");
    expect(await run({ source, store, day: DAY2 })).toMatchObject({ unchanged: 2 });
    expect(await daysIn(store)).toEqual([DAY1, DAY2]);
  });

  it("is pruned: what is not kept goes, and nothing else does", async () => {
    const source = new MemorySource(ONE);
    const store = new MemoryStore();
    store.plant("2026/10/30/photo.jpg", Buffer.from("mine"));
    for (const day of [DAY1, DAY2, DAY3]) await run({ source, store, day });
    plantOther(store, "2026/10/29");
    const before = filesAt(store, DAY3);
    const retention = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    const { steps } = store;
    const expected = [
      { day: DAY3, reasons: ["last", "newest complete"] },
      { day: DAY2, reasons: [] },
      { day: DAY1, reasons: [] },
    ];
    expect(await prune({ store, retention, dryRun: true, signal: NEVER })).toEqual(expected);
    expect(store.steps).toBe(steps);
    expect(await prune({ store, retention, signal: NEVER })).toEqual(expected);
    expect(filesAt(store, DAY3)).toEqual(before);
    const left = await store.subdirectories(["2026", "2026/10", "2026/11", ".backup/removing"], NEVER);
    expect(left.toSorted()).toEqual(["2026/10", "2026/10/29", "2026/10/30", "2026/11", DAY3]);
    expect(await run({ source, store, day: DAY3 })).toMatchObject({ unchanged: 2 });
  });

  it("is not pruned without a number, nor where there is none", async () => {
    const store = new MemoryStore();
    const none = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    await expect(prune({ store, retention: { ...none, last: 1 }, signal: NEVER })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await run({ source: new MemorySource(ONE), store, day: DAY1 });
    await expect(prune({ store, retention: none, signal: NEVER })).rejects.toMatchObject({ code: "USAGE" });
    expect(await daysIn(store)).toEqual([DAY1]);
  });

  it("has no half snapshot, wherever a prune is killed; the next one clears what is left", async () => {
    const source = new MemorySource(ONE);
    const retention = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    for (let kill = 0, isOver = false; !isOver; kill++) {
      let store = new MemoryStore();
      for (const day of [DAY1, DAY2, DAY3]) await run({ source, store, day });
      store.killAfter(kill);
      isOver = await prune({ store, retention, signal: NEVER }).then(
        () => true,
        () => false,
      );
      store.killAfter(0);
      store = store.reopen();
      for (const day of (await daysIn(store)) ?? []) expect(filesAt(store, day)).toEqual(await mirrorOf(ONE));
      await prune({ store, retention, signal: NEVER });
      expect(await daysIn(store)).toEqual([DAY3]);
      expect(await store.subdirectories([".backup/removing", "2026"], NEVER)).toEqual(["2026/11"]);
    }
  });

  it("holds in every snapshot what the source held, wherever runs are killed", { timeout: 180_000 }, async () => {
    const mail = fc.record({ id: fc.integer({ min: 0, max: 8 }), label: fc.constantFrom("", "S", "F") });
    const data = fc
      .uniqueArray(
        fc.record({
          path: fc.constantFrom("A", "B", "B/C"),
          mails: fc.uniqueArray(mail, { selector: ({ id }) => id, maxLength: 6 }),
        }),
        {
          selector: ({ path }) => path,
          minLength: 1,
        },
      )
      .map((folders) =>
        folders.map(({ path, mails }) =>
          folder(path, ...mails.map(({ id, label }) => entry(`${id}`, `${path} ${id}`, label))),
        ),
      );
    const step = fc.record({
      data,
      days: fc.integer({ min: 0, max: 2 }),
      kill: fc.option(fc.nat({ max: 60 }), { nil: undefined }),
      keep: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        let store = new MemoryStore();
        const expected = new Map<string, Files>();
        let number = 10;
        for (const { data: now, days, kill, keep } of steps) {
          number += days;
          const day = `2026/01/${number}`;
          const before = expected.get(day);
          store = store.reopen();
          if (kill !== undefined) store.killAfter(kill);
          const isDone = await backupToHistory({ source: new MemorySource(now), store, day }).then(
            () => true,
            (error: unknown) => {
              if (error instanceof Error && error.message === "killed") return false;
              throw error;
            },
          );
          store = store.reopen();
          const wanted = await mirrorOf(now);
          const found = (await daysIn(store)) ?? [];
          // A run that was killed has made the snapshot, or left the one that was there, or is between the two.
          if (isDone || (found.includes(day) && isDeepStrictEqual(filesAt(store, day), wanted)))
            expected.set(day, wanted);
          else if (before && !found.includes(day)) expected.delete(day);
          for (const at of found) expect(filesAt(store, at)).toEqual(expected.get(at));
          for (const at of expected.keys()) expect(found).toContain(at);
          if (before && !found.includes(day)) {
            expect(await store.subdirectories([".backup/replaced"], NEVER)).toEqual([
              `.backup/replaced/${day.replaceAll("/", "-")}`,
            ]);
            expected.set(day, before);
            // The next run puts it back.
            store = store.reopen();
            await backupToHistory({ source: new MemorySource(now), store, day });
            expected.set(day, wanted);
          }
          if (keep === undefined || expected.size === 0) continue;
          await prune({ store, retention: { last: keep, daily: 0, weekly: 0, monthly: 0, yearly: 0 }, signal: NEVER });
          for (const old of [...expected.keys()].toSorted().slice(0, -keep)) expected.delete(old);
          expect(await daysIn(store)).toEqual([...expected.keys()].toSorted());
        }
      }),
      { numRuns: 100 },
    );
  });
});
