import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LocalStore, backup } from "../src/index.js";
import { MemorySource } from "../src/testing/index.js";
import { exfat } from "../../../test/support/mounts.js";
import { entry, folder, many } from "./support/world.js";

// Needs root, /dev/fuse, and the packages exfat-fuse and exfatprogs.
describe("a destination that cannot hold a colon or a hard link", () => {
  it("gets the other separator, the same in every run", async () => {
    await using mount = await exfat();
    const source = new MemorySource([folder("A", entry("1", "one", "S"), entry("2", "two")), folder("Empty")]);
    const store = new LocalStore(mount.path);
    expect(await backup({ source, store })).toMatchObject({ result: "done", added: 2 });
    expect(store.can.colon).toBe(false);
    const names = (await readdir(join(mount.path, "A/cur"))).toSorted();
    expect(names).toEqual([expect.stringMatching(/^1~1\..*;2,S$/), expect.stringMatching(/^2~1\..*;2,$/)]);
    expect(await readFile(join(mount.path, "A/cur", names[0] ?? ""), "utf8")).toBe("one");
    expect(await readdir(join(mount.path, "Empty"))).toEqual(["cur"]);

    source.data = [folder("A", entry("1", "one", "FS"), entry("3", "three"))];
    const next = await backup({ source, store: new LocalStore(mount.path) });
    expect(next).toMatchObject({ result: "done", added: 1, renamed: 1, removed: 1 });
    expect((await readdir(join(mount.path, "A/cur"))).toSorted()).toEqual([
      expect.stringMatching(/^1~1\..*;2,FS$/),
      expect.stringMatching(/^3~1\..*;2,$/),
    ]);
    const last = await backup({ source, store: new LocalStore(mount.path) });
    expect(last).toMatchObject({ result: "done", added: 0, renamed: 0, removed: 0 });
  });

  it("has a lease like any other", async () => {
    await using mount = await exfat();
    const store = new LocalStore(mount.path);
    const signal = new AbortController().signal;
    {
      await using lease = await store.lease(signal);
      expect(lease.lost.aborted).toBe(false);
      await expect(new LocalStore(mount.path).lease(signal)).rejects.toMatchObject({ code: "LEASE_HELD" });
    }
    await using again = await store.lease(signal);
    expect(again.lost.aborted).toBe(false);
  });

  it("does not mind that every id of a large collection changes", async () => {
    await using mount = await exfat();
    const source = new MemorySource([folder("A", ...many(200))]);
    const store = new LocalStore(mount.path);
    await backup({ source, store });
    source.data = [folder("A", ...many(200, "new"))];
    expect(await backup({ source, store })).toMatchObject({ result: "done", added: 200, removed: 0 });
    expect(await readdir(join(mount.path, "A/cur"))).toHaveLength(200);
  });
});
