import { describe, expect, it } from "vitest";
import { type Item, type Known, isBackupError } from "../src/index.js";
import { type Loss, checkDeletionLimit, unlikelyMoved } from "../src/deletion-limit.js";

/** The message of the refusal; undefined: there was none. */
function refusal(...losses: readonly Loss[]): string | undefined {
  try {
    checkDeletionLimit(losses);
    return undefined;
  } catch (error) {
    if (!isBackupError(error, "DELETION_LIMIT")) throw error;
    return error.message;
  }
}

const loss = (name: string, deleted: number, held: number): Loss => ({ name, deleted, held });

describe("checkDeletionLimit", () => {
  it("lets nothing, half, and all of a small collection go", () => {
    expect(refusal()).toBeUndefined();
    expect(refusal(loss("A", 0, 0))).toBeUndefined();
    expect(refusal(loss("A", 99, 99))).toBeUndefined();
    expect(refusal(loss("A", 50, 100))).toBeUndefined();
    expect(refusal(loss("A", 500, 1000), loss("B", 0, 1000))).toBeUndefined();
  });

  it("stops at one more than half, from 100 on", () => {
    expect(refusal(loss("A", 51, 100))).toMatch(/would delete 51 of 100 in A, more than half/);
    expect(refusal(loss("A", 101, 201), loss("B", 0, 10_000))).toMatch(/101 of 201 in A,/);
  });

  it("stops when small collections together are half of everything", () => {
    expect(refusal(loss("A", 60, 60), loss("B", 0, 59))).toMatch(/would delete 60 of 119 in everything together,/);
    expect(refusal(loss("A", 60, 60), loss("B", 0, 60))).toBeUndefined();
    expect(refusal(loss("A", 49, 49), loss("B", 50, 50))).toBeUndefined();
  });

  it("names the first collection, and how many more", () => {
    const quiet = loss("large", 0, 10_000);
    expect(refusal(quiet, loss("A", 100, 100), loss("B", 200, 200))).toMatch(/100 of 100 in A and 1 more,/);
    expect(refusal(loss("A", 100, 100), loss("B", 200, 200), loss("C", 300, 300))).toMatch(
      /100 of 100 in A and 2 more,/,
    );
    expect(refusal(loss("A", 100, 100), loss("B", 0, 50))).toMatch(/100 of 100 in A,/);
  });

  it("says what to do", () => {
    expect(refusal(loss("A", 100, 100))).toMatch(/Nothing was deleted.*--allow-deletes$/);
  });
});

describe("unlikelyMoved", () => {
  const file = (path: string, size: number, mtime: number): Known => ({
    file: { path, size, mtime },
    identity: { id: path, rev: "1" },
  });
  const item = (size: number, mtime: number): Item => ({ id: "new", rev: "1", collection: "A", size, mtime });

  it("takes one vanished file for each item of its size and second", () => {
    const vanished = [file("a", 10, 5000), file("b", 10, 5999.9), file("c", 10, 6000), file("d", 11, 5000)];
    expect(unlikelyMoved(vanished, [item(10, 5500)]).map(({ file: { path } }) => path)).toEqual(["b", "c", "d"]);
    expect(
      unlikelyMoved(vanished, [item(10, 5000), item(10, 5001), item(11, 5000)]).map(({ file: { path } }) => path),
    ).toEqual(["c"]);
  });

  it("leaves all where nothing is added", () => {
    const vanished = [file("a", 10, 5000)];
    expect(unlikelyMoved(vanished, [])).toEqual(vanished);
    expect(unlikelyMoved([], [item(10, 5000)])).toEqual([]);
  });
});
