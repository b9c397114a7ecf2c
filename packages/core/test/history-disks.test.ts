import { linkSync } from "node:fs";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BackupEvent, LocalStore, backupToHistory, readHistory } from "../src/index.js";
import { MemorySource } from "../src/testing/index.js";
import { frozen } from "../../../test/support/history.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { exfat, ext4, tmpfs } from "../../../test/support/mounts.js";
import { entry, folder, many } from "./support/world.js";

const NEVER = new AbortController().signal;
const [DAY1, DAY2, DAY3] = ["2026/10/31", "2026/11/01", "2026/11/02"] as const;

describe("a history on this machine", () => {
  it("is hard links: a file that stays has one name more with each snapshot, and is never written to", async () => {
    await using directory = await temporaryDirectory();
    const source = new MemorySource([folder("A", ...many(30))]);
    const store = new LocalStore(directory.path);
    await backupToHistory({ source, store, day: DAY1 });
    const [name = ""] = await readdir(join(directory.path, DAY1, "A/cur"));
    const first = await frozen(join(directory.path, DAY1));
    for (const day of [DAY2, DAY3]) await backupToHistory({ source, store, day });
    const { ino, nlink } = await stat(join(directory.path, DAY1, "A/cur", name));
    expect(nlink).toBe(3);
    expect((await stat(join(directory.path, DAY3, "A/cur", name))).ino).toBe(ino);
    expect(await frozen(join(directory.path, DAY1))).toEqual(first);
    source.data = [folder("A", ...many(30).map((each, n) => (n % 2 ? each : { ...each, label: "S" })))];
    await backupToHistory({ source, store, day: DAY3 });
    expect(await frozen(join(directory.path, DAY1))).toEqual(first);
  });

  it("compares a folder in whose directory of the last snapshot somebody made a file", async () => {
    await using directory = await temporaryDirectory();
    const source = new MemorySource([folder("A", ...many(3)), folder("B", ...many(2))]);
    const store = new LocalStore(directory.path);
    await backupToHistory({ source, store, day: DAY1 });
    const at = join(directory.path, DAY1, "A/cur");
    await writeFile(join(at, "new"), "");
    expect(await backupToHistory({ source, store, day: DAY2 })).toMatchObject({ unchanged: 1 });
    expect(await backupToHistory({ source, store, day: DAY3 })).toMatchObject({ unchanged: 2 });
  });
});

describe("a history on a disk that runs full", () => {
  it("is DISK_FULL in the middle of a clone: no snapshot is made, and the next run makes it", async () => {
    // In memory every name takes the place of a file.
    await using mount = await tmpfs("8m,nr_inodes=320");
    const destination = join(mount.path, "dest");
    const source = new MemorySource([folder("A", ...many(192))]);
    const store = new LocalStore(destination);
    await backupToHistory({ source, store, day: DAY1 });
    const first = await frozen(join(destination, DAY1));
    await expect(backupToHistory({ source, store, day: DAY2 })).rejects.toMatchObject({
      code: "DISK_FULL",
      message: expect.stringMatching(/is full .*Make room and run again/),
    });
    expect(await readHistory(store, NEVER)).toMatchObject({ days: [DAY1], begun: [] });
    expect(await frozen(join(destination, DAY1))).toEqual(first);

    mount.remount("nr_inodes=2000");
    expect(await backupToHistory({ source, store, day: DAY2 })).toMatchObject({ result: "done", unchanged: 1 });
    expect(await readHistory(store, NEVER)).toMatchObject({ days: [DAY1, DAY2] });
    expect(await readdir(join(destination, DAY2, "A/cur"))).toHaveLength(192);
    expect(await frozen(join(destination, DAY1))).toEqual(first);
  });
});

describe("a file that has as many names as it may have", () => {
  it("is copied into the snapshot, with its time, and that is said once", async () => {
    await using mount = await ext4();
    const destination = join(mount.path, "dest");
    const source = new MemorySource([folder("A", entry("1", "one"), entry("2", "two"))]);
    const store = new LocalStore(destination);
    await backupToHistory({ source, store, day: DAY1 });
    const at = (day: string, name = ""): string => join(destination, day, "A/cur", name);
    const [first = "", second = ""] = (await readdir(at(DAY1))).toSorted();
    const names = join(mount.path, "names");
    await mkdir(names);
    const more = (): void => {
      for (let n = 1; ; n++) linkSync(at(DAY1, first), join(names, `${n}`));
    };
    expect(more).toThrow(expect.objectContaining({ code: "EMLINK" }));
    const events: BackupEvent[] = [];
    const onEvent = (event: BackupEvent): void => void events.push(event);
    expect(await backupToHistory({ source, store, day: DAY2, onEvent })).toMatchObject({ unchanged: 1, added: 0 });
    expect(events.filter(({ type }) => type === "warning")).toMatchObject([{ code: "FILES_COPIED" }]);
    const [full, copied] = [await stat(at(DAY1, first)), await stat(at(DAY2, first))];
    expect(copied).toMatchObject({ nlink: 1, size: full.size, mtimeMs: full.mtimeMs });
    expect(await readFile(at(DAY2, first))).toEqual(await readFile(at(DAY1, first)));
    expect((await stat(at(DAY2, second))).ino).toBe((await stat(at(DAY1, second))).ino);
    // The copy has room for names again.
    expect(await backupToHistory({ source, store, day: DAY3 })).toMatchObject({ unchanged: 1 });
    expect((await stat(at(DAY3, first))).ino).toBe(copied.ino);
  });
});

describe("a history on a disk without hard links", () => {
  it("is copies, and says so once a run", async () => {
    await using mount = await exfat();
    const source = new MemorySource([folder("A", entry("1", "one", "S"), entry("2", "two"))]);
    const store = new LocalStore(mount.path);
    await backupToHistory({ source, store, day: DAY1 });
    source.data = [folder("A", entry("2", "two"), entry("3", "three"))];
    const events: BackupEvent[] = [];
    const onEvent = (event: BackupEvent): void => void events.push(event);
    expect(await backupToHistory({ source, store, day: DAY2, onEvent })).toMatchObject({ added: 1, removed: 1 });
    expect(events.filter(({ type }) => type === "warning")).toMatchObject([{ code: "FILES_COPIED" }]);
    const texts = async (day: string): Promise<readonly string[]> => {
      const at = join(mount.path, day, "A/cur");
      return Promise.all((await readdir(at)).toSorted().map((name) => readFile(join(at, name), "utf8")));
    };
    expect(await texts(DAY1)).toEqual(["one", "two"]);
    expect(await texts(DAY2)).toEqual(["two", "three"]);
    const [kept = ""] = (await readdir(join(mount.path, DAY2, "A/cur"))).toSorted();
    expect((await stat(join(mount.path, DAY2, "A/cur", kept))).mtimeMs).toBe(1_600_000_000_000);
  });
});
