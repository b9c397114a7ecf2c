import { describe, expect, it } from "vitest";
import {
  BackupError,
  type BackupEvent,
  type Mirror,
  type MirrorPlan,
  type MirrorResult,
  runMirror,
} from "../src/index.js";
import { MemoryStore } from "../src/testing/index.js";

const NOTHING: MirrorResult = { added: 0, moved: 0, removed: 0, kept: 0, postponed: 0, bytes: 0, failed: 0 };

/** A mirror whose plan is given, and which notes what it is asked. */
function mirrorOf(plan: Partial<MirrorPlan>, done: Partial<MirrorResult> = {}, id = "file:/a") {
  const asked: string[] = [];
  const mirror: Mirror = {
    id,
    async prepare() {
      asked.push("prepare");
    },
    async compare({ isNew }) {
      asked.push(isNew ? "compare new" : "compare");
      const apply = async (): Promise<MirrorResult> => {
        asked.push("apply");
        return { ...NOTHING, ...done };
      };
      return { items: 3, add: 0, bytes: 0, move: 0, remove: 0, isNothing: false, losses: [], apply, ...plan };
    },
    async [Symbol.asyncDispose]() {},
  };
  return { mirror, asked };
}

describe("a run of a mirror", () => {
  it("compares, applies, and reports what was done", async () => {
    const store = new MemoryStore();
    const { mirror, asked } = mirrorOf({ add: 2, bytes: 7 }, { added: 2, bytes: 7 });
    const events: BackupEvent[] = [];
    const report = await runMirror({ mirror, store, onEvent: (event) => events.push(event) });
    expect(asked).toEqual(["prepare", "compare new", "apply"]);
    expect(report).toMatchObject({ result: "done", items: 3, added: 2, bytes: 7, unchanged: 0, unit: "file" });
    expect(events.map(({ type }) => type)).toEqual(["start", "lease", "plan", "end"]);
    const again = mirrorOf({});
    expect(await runMirror({ mirror: again.mirror, store })).toMatchObject({ unchanged: 1 });
    expect(again.asked).toEqual(["prepare", "compare", "apply"]);
  });

  it("writes nothing when it is a dry run, and nothing where the source is not there", async () => {
    const store = new MemoryStore();
    const { mirror, asked } = mirrorOf({ add: 2, remove: 1 });
    const report = await runMirror({ mirror, store, dryRun: true });
    expect(report).toMatchObject({ dryRun: true, added: 2, removed: 1 });
    expect(asked).toEqual(["prepare", "compare new"]);
    const lost: Mirror = {
      ...mirror,
      async prepare() {
        throw new BackupError("NOT_FOUND", "gone");
      },
    };
    await expect(runMirror({ mirror: lost, store })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(store.read(".backup/checkpoint.json", new AbortController().signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("deletes more than half only where that is allowed", async () => {
    const losses = [{ name: "/a", held: 100, deleted: 51 }];
    const { mirror, asked } = mirrorOf({ remove: 51, losses });
    await expect(runMirror({ mirror, store: new MemoryStore() })).rejects.toMatchObject({ code: "DELETION_LIMIT" });
    expect(asked).not.toContain("apply");
    await runMirror({ mirror, store: new MemoryStore(), allowDeletes: true });
    expect(asked).toContain("apply");
  });

  it("is partial where something failed, and belongs to one source", async () => {
    const store = new MemoryStore();
    expect(await runMirror({ mirror: mirrorOf({}, { failed: 1 }).mirror, store })).toMatchObject({ result: "partial" });
    await expect(runMirror({ mirror: mirrorOf({}, {}, "file:/b").mirror, store })).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
    });
  });
});
