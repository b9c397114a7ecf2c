import { describe, it } from "vitest";
import {
  MemorySource,
  MemoryStore,
  sourceSuite,
  type StoreFixture,
  storeSuite,
  withinFixture,
} from "../src/testing/index.js";

describe("MemoryStore", () => {
  const fixture: StoreFixture = {
    open: async () => new MemoryStore(),
    reopen: async (store) => (store as MemoryStore).reopen(),
    cleanup: async () => {},
    leftovers: async (store) => (store as MemoryStore).leftovers(),
    stampMs: 0,
  };
  for (const { name, run } of storeSuite) it(name, () => run(fixture));
  for (const { name, run } of storeSuite) it(`${name}, within it`, () => run(withinFixture(fixture)));
});

describe("MemorySource", () => {
  const entry = (id: string, text: string, label = "") => ({
    id,
    label,
    bytes: Buffer.from(text),
    mtime: 1_600_000_000_000,
  });
  const data = [
    {
      path: "INBOX",
      entries: [entry("1", "first", "S"), entry("2~.:2,/ü%41", "a longer one, in pieces", "a/b:;"), entry("3", "")],
    },
    { path: "INBOX/nested", entries: [entry("1", "first")], sidecar: { bytes: Buffer.from("a=b"), mtime: 5000 } },
    { path: "empty", entries: [] },
  ];
  for (const { name, run } of sourceSuite) it(name, () => run({ open: async () => new MemorySource(data) }));
  for (const { name, run } of sourceSuite.filter((each) => each.name.includes("tells of changes")))
    it(`${name}, where it does`, () => run({ open: async () => new MemorySource(data, { tells: true }) }));
  for (const { name, run } of sourceSuite)
    it(`${name}, without fingerprints`, () =>
      run({ open: async () => new MemorySource(data, { fingerprints: false }) }));
});
