import { mkdir, readdir, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { LocalStore, backup } from "../src/index.js";
import { MemorySource, MemoryStore } from "../src/testing/index.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { entry, folder, record, textsIn } from "./support/world.js";

const NEVER = new AbortController().signal;
const ONE = [folder("INBOX", entry("1", "one"))];

describe("a new destination inside of a backup", () => {
  let directory: TemporaryDirectory;
  let outer: string;
  beforeEach(async () => {
    directory = await temporaryDirectory();
    outer = join(directory.path, "outer");
    await backup({ source: new MemorySource(ONE), store: new LocalStore(outer) });
  });
  afterEach(() => directory[Symbol.asyncDispose]());

  it.each(["INBOX", "new/below"])("is refused, and nothing is made: %s", async (name) => {
    const before = await readdir(outer, { recursive: true });
    const store = new LocalStore(join(outer, name));
    await expect(store.lease(NEVER)).rejects.toMatchObject({
      code: "DESTINATION_OTHER",
      message: `${join(outer, name)} is inside of ${outer}, which is a backup itself; name a directory beside it`,
    });
    expect(await readdir(outer, { recursive: true })).toEqual(before);
  });

  it("is refused through a symbolic link too", async () => {
    await symlink("outer/INBOX", join(directory.path, "link"));
    for (const name of ["link", "link/below"])
      await expect(new LocalStore(join(directory.path, name)).lease(NEVER)).rejects.toThrow(`inside of ${outer},`);
  });

  it("goes on where it was made before", async () => {
    const inner = join(outer, "INBOX");
    await mkdir(join(inner, ".backup"));
    const source = new MemorySource(ONE);
    for (const added of [1, 0]) {
      const { report } = await record({ source, store: new LocalStore(inner) });
      expect(report).toMatchObject({ result: "done", added });
    }
  });

  it("is left alone where it is nobody's folder, and not sent again and again where it is", async () => {
    const inner = join(outer, "INBOX");
    await mkdir(join(inner, ".backup"));
    await backup({ source: new MemorySource(ONE), store: new LocalStore(inner) });
    const before = await readdir(inner, { recursive: true });
    const source = new MemorySource([
      ...ONE,
      folder("INBOX/below", entry("1", "below")),
      folder("Sent", entry("1", "s")),
    ]);
    for (const added of [1, 0]) {
      const { report, events } = await record({ source, store: new LocalStore(outer) });
      expect(report).toMatchObject({ result: "partial", added, failed: 2 });
      const failed = events.filter(({ type }) => type === "failed");
      expect(failed).toMatchObject([
        {
          collection: "INBOX",
          code: "COLLECTION_UNAVAILABLE",
          message: expect.stringMatching(/another backup at INBOX, .*; move that /),
        },
        { collection: "INBOX/below", message: expect.stringContaining("another backup at INBOX, ") },
      ]);
    }
    expect(await readdir(inner, { recursive: true })).toEqual(before);
    source.data = [folder("Sent", entry("1", "s"))];
    expect((await record({ source, store: new LocalStore(outer) })).report).toMatchObject({
      result: "done",
      failed: 0,
    });
    expect(await readdir(inner, { recursive: true })).toEqual(before);
  });
});

describe("a destination where the system says that there is no such directory, for ever", () => {
  it("is refused at once", async () => {
    const started = performance.now();
    await expect(new LocalStore("/proc/none/below").lease(NEVER)).rejects.toMatchObject({
      code: "DESTINATION_UNWRITABLE",
      message: "/proc/none/below cannot be made (ENOENT at /proc/none); choose another directory",
    });
    expect(performance.now() - started).toBeLessThan(busy(1000));
  });
});

describe("a destination that is used for the first time and is not empty", () => {
  it("brings one warning, that names what is there", async () => {
    const store = new MemoryStore();
    for (const name of ["b/cc/x", "lost+found/x", ".hidden/x", "c/x", "a/x", "d/x", "INBOX/x"])
      store.plant(name, Buffer.from("x"));
    const source = new MemorySource(ONE);
    const first = await record({ source, store });
    expect(first.events.filter(({ type }) => type === "warning")).toEqual([
      {
        type: "warning",
        code: "DESTINATION_NOT_EMPTY",
        message:
          "memory was not empty: 4 of its directories (a, b, c, …) hold nothing of this backup, and are left alone; " +
          "if that is not the place that you meant, name another",
      },
    ]);
    expect(textsIn(store, "INBOX")).toEqual(["one"]);
    expect((await record({ source, store })).events.filter(({ type }) => type === "warning")).toEqual([]);
  });

  it("brings none for a backup that lost its .backup, also of folders that are left out now", async () => {
    await using directory = await temporaryDirectory();
    const source = new MemorySource([...ONE, folder("Archive/2024", entry("1", "old"))]);
    await backup({ source, store: new LocalStore(directory.path) });
    await rm(join(directory.path, ".backup"), { recursive: true });
    source.data = ONE;
    const { report, events } = await record({ source, store: new LocalStore(directory.path), keepDeleted: true });
    expect(report).toMatchObject({ added: 0, kept: 1 });
    expect(events.filter(({ type }) => type === "warning")).toEqual([]);
    await expect(stat(join(directory.path, "Archive"))).resolves.toBeDefined();
  });
});
