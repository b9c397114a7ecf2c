import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LocalStore, backup, contentOf } from "../src/index.js";
import { type MemoryEntry, MemorySource } from "../src/testing/index.js";
import { tmpfs } from "../../../test/support/mounts.js";
import { TIME, entry, folder, watched } from "./support/world.js";

const NEVER = new AbortController().signal;

/** 3 MiB in files of 16 KiB, all different. */
function large(): readonly MemoryEntry[] {
  return Array.from({ length: 192 }, (_, n) => ({
    id: String(n),
    bytes: Buffer.alloc(16 * 1024, `${n} `),
    mtime: TIME,
  }));
}

/** Fails unless every file holds what its name says; gives their number. */
async function countWhole(destination: string): Promise<number> {
  const at = join(destination, "A/cur");
  const names = await readdir(at);
  for (const name of names) {
    const { digest, size } = contentOf(await readFile(join(at, name)));
    expect(name).toContain(`.${digest},S=${size}`);
  }
  return names.length;
}

describe("a destination that runs full", () => {
  it("is DISK_FULL, keeps what was published whole, and is completed once there is room", async () => {
    await using mount = await tmpfs("2m");
    const destination = join(mount.path, "dest");
    const source = new MemorySource([folder("A", ...large())]);
    const store = new LocalStore(destination, { batchFiles: 16 });
    await expect(backup({ source, store })).rejects.toMatchObject({ name: "BackupError", code: "DISK_FULL" });
    const kept = await countWhole(destination);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(192);
    expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
    expect(await readdir(join(destination, ".backup"))).toEqual(["checkpoint.json", "tmp"]);

    // Again, with no more room: the same answer, and nothing lost.
    await expect(backup({ source, store })).rejects.toThrow(/is full .*Make room/);
    expect(await countWhole(destination)).toBeGreaterThanOrEqual(kept);

    mount.remount("size=8m");
    const report = await backup({ source, store });
    expect(report.result).toBe("done");
    expect(report.added).toBeLessThanOrEqual(192 - kept);
    expect(await countWhole(destination)).toBe(192);
    expect(await backup({ source, store })).toMatchObject({ result: "done", unchanged: 1, added: 0 });
  });

  it("does not touch what is there when one large file does not fit", async () => {
    await using mount = await tmpfs("2m");
    const destination = join(mount.path, "dest");
    const small = entry("small", "small");
    const source = new MemorySource([folder("A", small)]);
    const store = new LocalStore(destination);
    await backup({ source, store });
    source.data = [folder("A", { id: "large", bytes: Buffer.alloc(4 * 1024 * 1024, "x"), mtime: TIME })];
    await expect(backup({ source, store })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await countWhole(destination)).toBe(1);
    expect(await readdir(join(destination, ".backup/tmp"))).toEqual([]);
  });
});

describe("a destination that cannot be written", () => {
  it("is DESTINATION_UNWRITABLE", async () => {
    await using mount = await tmpfs("2m");
    const source = new MemorySource([folder("A", entry("1", "one"))]);
    const store = new LocalStore(mount.path);
    await backup({ source, store });
    mount.remount("ro");
    await expect(backup({ source, store })).rejects.toMatchObject({
      name: "BackupError",
      code: "DESTINATION_UNWRITABLE",
    });
    await expect(backup({ source, store })).rejects.toThrow(`${mount.path} cannot be written (EROFS`);
    // Looking is allowed.
    expect(await backup({ source, store, dryRun: true })).toMatchObject({ result: "done", unchanged: 1 });
  });

  it.each(["makeDirectories", "move", "put", "remove", "removeDirectories", "write"])(
    "is DESTINATION_UNWRITABLE too when that begins before %s",
    async (method) => {
      await using mount = await tmpfs("2m");
      const source = new MemorySource([
        folder("A", entry("1", "one"), entry("2", "two")),
        folder("Gone", entry("1", "g")),
      ]);
      // Longer than a busy machine lets anybody wait; and while a heartbeat writes nothing can be mounted anew.
      const timing = { beatMs: 300, expiryMs: 800 };
      const local = new LocalStore(mount.path, { timing });
      await backup({ source, store: local });
      source.data = [folder("A", entry("1", "one", "S"), entry("3", "three")), folder("B", entry("1", "b"))];
      const { store } = watched(local, (call) => {
        if (call === method) mount.remount("ro");
      });
      await expect(backup({ source, store })).rejects.toMatchObject({
        name: "BackupError",
        code: "DESTINATION_UNWRITABLE",
      });
      mount.remount("rw");
      // The lease could not be given back, and this process lives: it has to expire.
      await sleep(timing.expiryMs + 200);
      expect(await backup({ source, store: local })).toMatchObject({ result: "done" });
      const files = [...(await local.list(["A/cur"], NEVER)), ...(await local.list(["B/cur"], NEVER))];
      expect(files).toHaveLength(3);
      expect((await local.directories([], NEVER)).map(({ path }) => path)).not.toContain("Gone");
    },
  );
});
