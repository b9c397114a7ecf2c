import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseDay, formatDay, localDay, parseDay, readHistory } from "../src/index.js";
import { MemoryStore } from "../src/testing/index.js";

const NEVER = new AbortController().signal;
const CHECKPOINT = { format: 1, source: "memory:a", colon: true, collections: {} };

function plant(store: MemoryStore, at: string, checkpoint: object = CHECKPOINT): void {
  store.plant(`${at}.backup/checkpoint.json`, Buffer.from(JSON.stringify(checkpoint)));
}

describe("a day", () => {
  it.each([
    ["2026-11-23", "2026/11/23"],
    ["2026/11/23", "2026/11/23"],
    ["2024-02-29", "2024/02/29"],
    ["0001-01-01", "0001/01/01"],
  ])("is read from %s", (text, day) => expect(parseDay(text)).toBe(day));

  it.each([
    "",
    "today",
    "2026-11-31",
    "2023-02-29",
    "2026-13-01",
    "2026-00-10",
    "2026-1-1",
    "2026-11/23",
    " 2026-11-23",
  ])("is not '%s'", (text) => expect(parseDay(text)).toBeUndefined());

  it("is that of the place where the machine is", () => {
    expect(localDay(new Date(2026, 10, 3, 0, 0, 1))).toBe("2026/11/03");
    expect(localDay(new Date(2026, 10, 3, 23, 59, 59))).toBe("2026/11/03");
  });

  it("is the same when it was written and read again, in the order of time", () => {
    const day = fc
      .date({ min: new Date("1000-01-01"), max: new Date("9999-12-30"), noInvalidDate: true })
      .map(localDay);
    fc.assert(fc.property(day, (one) => parseDay(formatDay(one)) === one));
  });
});

describe("the history at a destination", () => {
  it("is every directory of a day that is a backup, and nothing else", async () => {
    const store = new MemoryStore();
    plant(store, "", { ...CHECKPOINT, history: true });
    for (const day of ["2026/11/23", "2025/01/31", "2026/02/30", "26/11/23", "2026/11/9", "x/2026/11/22"])
      plant(store, `${day}/`);
    store.plant("2026/11/21/photo.jpg", Buffer.from(""));
    store.plant("2026/11/24.in-progress/INBOX/cur/1", Buffer.from(""));
    plant(store, "2026/11/22.in-progress/");
    store.plant("2026/11/25.old/.backup/checkpoint.json", Buffer.from("{}"));
    expect(await readHistory(store, NEVER)).toEqual({
      source: "memory:a",
      days: ["2025/01/31", "2026/11/23"],
      begun: ["2026/11/22"],
      stale: ["2026/11/24"],
      foreign: ["2026/11/21"],
    });
  });

  it("is none where a mirror is, nor where nothing is", async () => {
    const store = new MemoryStore();
    expect(await readHistory(store, NEVER)).toBeUndefined();
    plant(store, "");
    plant(store, "2026/11/23/");
    expect(await readHistory(store, NEVER)).toBeUndefined();
  });

  it("is known by its snapshots where .backup is lost", async () => {
    const store = new MemoryStore();
    plant(store, "2026/11/23/");
    expect(await readHistory(store, NEVER)).toEqual({
      source: undefined,
      days: ["2026/11/23"],
      begun: [],
      stale: [],
      foreign: [],
    });
  });

  it("gives the newest snapshot, or the one that is asked for, or says which are near", () => {
    const days = ["2024/12/31", "2025/06/01", "2026/01/01", "2026/01/03", "2026/11/23"];
    const history = { days };
    expect(chooseDay(history, undefined, "here")).toBe("2026/11/23");
    expect(chooseDay(history, "2025/06/01", "here")).toBe("2025/06/01");
    expect(() => chooseDay(history, "2026/01/02", "here")).toThrow(
      "here has no snapshot of 2026-01-02; those nearest to it are of 2025-06-01, 2026-01-01, 2026-01-03",
    );
    expect(() => chooseDay({ days: [] }, undefined, "here")).toThrow("here has no snapshot yet");
  });
});
