import { BackupError } from "@backup/core";
import { MemoryStore, storeSuite } from "@backup/core/testing";
import { describe, expect, it } from "vitest";
import { PendingStore } from "../src/pending-store.js";

const NEVER = new AbortController().signal;

describe("a store that is being opened", () => {
  describe("keeps what a store promises", () => {
    for (const { name, run } of storeSuite)
      it(name, async () => {
        const stores = new Map<PendingStore, MemoryStore>();
        const pending = (memory: MemoryStore): PendingStore => {
          const store = new PendingStore("memory", async () => {
            await new Promise(setImmediate);
            return { store: memory, owned: [] };
          });
          stores.set(store, memory);
          return store;
        };
        await run({
          open: async () => pending(new MemoryStore()),
          reopen: async (store) =>
            pending([...stores].find(([one]) => one === store)?.[1].reopen() ?? new MemoryStore()),
          cleanup: async () => {},
        });
      });
  });

  it("shows at its first use why it cannot be opened, each time, and is closed without a word", async () => {
    const store = new PendingStore("nas:x", async () => {
      throw new BackupError("HOST_UNKNOWN", "there is no nas");
    });
    await store.settled;
    await expect(store.list(["a"], NEVER)).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
    await expect(store.lease(NEVER)).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
    await store[Symbol.asyncDispose]();
  });

  it("does not wait for it longer than the signal lasts", async () => {
    const store = new PendingStore("nas:x", (signal) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    });
    const controller = new AbortController();
    const listing = store.list(["a"], controller.signal);
    controller.abort();
    await expect(listing).rejects.toMatchObject({ code: "ABORTED" });
    await store[Symbol.asyncDispose]();
  });

  it("closes what it stands on after the store, in order", async () => {
    const closed: string[] = [];
    const memory = new MemoryStore();
    const note = (name: string) => ({
      [Symbol.asyncDispose]: async () => {
        closed.push(name);
      },
    });
    const inner = Object.assign(Object.create(memory) as MemoryStore, note("store"));
    const store = new PendingStore("x", async () => ({ store: inner, owned: [note("line"), note("spool")] }));
    await store[Symbol.asyncDispose]();
    expect(closed).toEqual(["store", "line", "spool"]);
  });
});
