import { mkdir, readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  BackupError,
  type BackupEvent,
  type Dump,
  DumpSource,
  type DumpSourceOptions,
  LocalStore,
  type Path,
  type Report,
  backup,
  backupToHistory,
  contentOf,
  dumpLayout,
  listBackup,
  readBackup,
  verify,
} from "../src/index.js";
import { sourceSuite } from "../src/testing/index.js";
import { tmpfs } from "../../../test/support/mounts.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { TIME } from "./support/world.js";

const NEVER = new AbortController().signal;

/** What a program would say of one collection: texts by name; an error: the dump breaks off with it. */
type World = Record<Path, Record<string, string | Error>>;

/** How often which dump was produced. */
type Calls = string[];

function dumpsOf(world: World, calls: Calls = [], options: Partial<DumpSourceOptions> = {}): DumpSource {
  return new DumpSource({
    id: "test:dumps",
    now: () => TIME,
    async *collections() {
      for (const path of Object.keys(world))
        yield {
          path,
          name: path,
          dumps: () => Object.keys(world[path] ?? {}).map((name): Dump => dumpOf(world, path, name, calls)),
        };
    },
    ...options,
  });
}

function dumpOf(world: World, path: Path, name: string, calls: Calls): Dump {
  return {
    name,
    extension: ".sql",
    async *produce({ signal }) {
      calls.push(name);
      const text = world[path]?.[name] ?? "";
      yield Buffer.from("-- begin\n");
      // A program that has not been waited for is still at it.
      await sleep(1, undefined, { signal });
      if (text instanceof Error) throw text;
      yield Buffer.from(text);
    },
  };
}

interface Ran {
  readonly report: Report;
  readonly failed: readonly Extract<BackupEvent, { type: "failed" }>[];
}

async function run(source: DumpSource, destination: string, more: { dryRun?: boolean } = {}): Promise<Ran> {
  await using store = new LocalStore(destination);
  await using opened = source;
  const failed: Extract<BackupEvent, { type: "failed" }>[] = [];
  const onEvent = (event: BackupEvent): void => void (event.type === "failed" && failed.push(event));
  return { report: await backup({ source: opened, store, onEvent, ...more }), failed };
}

const nameOf = (name: string, text: string): string =>
  `${name}.D${contentOf(Buffer.from(`-- begin\n${text}`)).digest}.sql`;
const filesIn = async (destination: string, path: Path): Promise<readonly string[]> =>
  (await readdir(join(destination, path))).toSorted();
const broken = (): BackupError => new BackupError("ITEM_UNREADABLE", "the program was killed");

describe("a source of dumps keeps what a source promises", () => {
  const world: World = {
    "databases/shop": { shop: "one", "a/b:c": "two", empty: "" },
    "databases/%53hop": { "..": "one" },
    server: {},
  };
  for (const { name, run: test } of sourceSuite) it(name, () => test({ open: async () => dumpsOf(world) }));
});

describe("a source of dumps", () => {
  it("is not asked for what has the fingerprint of the last run, unless that or a file is not as it was", async () => {
    await using directory = await temporaryDirectory();
    const calls: Calls = [];
    let fingerprint = "1";
    const source = (world: World): DumpSource =>
      dumpsOf(world, [], {
        async *collections() {
          const dumps = (): readonly Dump[] => ["a", "b"].map((name) => dumpOf(world, "shop", name, calls));
          yield { path: "shop", name: "shop", fingerprint, dumps };
        },
      });
    const taken = (): readonly string[] => calls.splice(0);
    expect((await run(source({ shop: { a: "1" } }), directory.path)).report).toMatchObject({
      result: "done",
      added: 2,
    });
    expect(taken()).toEqual(["a", "b"]);
    expect((await run(source({ shop: { a: "2" } }), directory.path)).report).toMatchObject({ unchanged: 1, added: 0 });
    expect(taken()).toEqual([]);
    fingerprint = "2";
    const broke = await run(source({ shop: { a: "3", b: broken() } }), directory.path);
    expect(broke.report).toMatchObject({ result: "partial", added: 1 });
    expect(taken()).toEqual(["a", "b"]);
    expect((await run(source({ shop: { a: "3", b: "3" } }), directory.path)).report).toMatchObject({ added: 1 });
    expect(taken()).toEqual(["a", "b"]);
    await rm(join(directory.path, "shop", nameOf("a", "3")));
    expect((await run(source({ shop: { a: "3", b: "3" } }), directory.path)).report).toMatchObject({ added: 1 });
    expect(taken()).toEqual(["b", "a"]);
  });

  it("names a file by what is in it, and touches it no more as long as that is so", async () => {
    await using directory = await temporaryDirectory();
    const world: World = { shop: { shop: "one", news: "two" } };
    const { report: first } = await run(dumpsOf(world), directory.path);
    expect(first).toMatchObject({ result: "done", added: 2, unit: "file" });
    const files = [nameOf("news", "two"), nameOf("shop", "one")];
    expect(await filesIn(directory.path, "shop")).toEqual(files.toSorted());
    const file = join(directory.path, "shop", nameOf("shop", "one"));
    expect(await readFile(file, "utf8")).toBe("-- begin\none");
    await utimes(file, 1_500_000_000, 1_500_000_000);
    const before = await stat(file);

    world.shop = { shop: "one", news: "three" };
    const { report } = await run(dumpsOf(world, [], { now: () => TIME + 86_400_000 }), directory.path);
    expect(report).toMatchObject({ result: "done", added: 1, removed: 0, bytes: 14 });
    expect(await filesIn(directory.path, "shop")).toEqual([nameOf("news", "three"), nameOf("shop", "one")].toSorted());
    const after = await stat(file);
    expect([after.mtimeMs, after.ino]).toEqual([before.mtimeMs, before.ino]);
    expect((await stat(join(directory.path, "shop", nameOf("news", "three")))).mtimeMs).toBe(TIME + 86_400_000);

    world.shop = { shop: "one" };
    expect((await run(dumpsOf(world), directory.path)).report).toMatchObject({ result: "done", added: 0, removed: 1 });
  });

  it("produces each once where there is room, straight into the store where it is new, and leaves nothing behind", async () => {
    await using directory = await temporaryDirectory();
    const stage = { directory: join(directory.path, "stage") };
    const calls: Calls = [];
    const world: World = { shop: { shop: "one", news: "two" } };
    await run(dumpsOf(world, calls, { stage }), join(directory.path, "dest"));
    expect(calls).toEqual(["shop", "news"]);
    world.shop = { shop: "one more", news: "two" };
    await run(dumpsOf(world, calls, { stage }), join(directory.path, "dest"));
    expect(calls).toEqual(["shop", "news", "shop", "news"]);
    expect(await readdir(stage.directory)).toEqual([]);
  });

  it("produces once more what does not fit beside the others", async () => {
    await using directory = await temporaryDirectory();
    const calls: Calls = [];
    const world: World = { shop: { shop: "one", news: "two" } };
    await run(dumpsOf(world), directory.path);
    world.shop = { shop: "x".repeat(600), news: "y".repeat(600) };
    const { report } = await run(dumpsOf(world, calls, { stage: { limitBytes: 1000 } }), directory.path);
    expect(report).toMatchObject({ result: "done", added: 2, failed: 0 });
    expect(calls).toEqual(["shop", "news", "news"]);
    expect(await filesIn(directory.path, "shop")).toEqual(
      [nameOf("news", "y".repeat(600)), nameOf("shop", "x".repeat(600))].toSorted(),
    );
  });

  it("produces once more what the directory for temporary files has no room for", async () => {
    await using mount = await tmpfs("1m");
    await using directory = await temporaryDirectory();
    const calls: Calls = [];
    const world: World = { shop: { shop: "one", news: "two" } };
    await run(dumpsOf(world), directory.path);
    const large = "x".repeat(3 * 1024 * 1024);
    world.shop = { shop: large, news: "three" };
    const { report } = await run(dumpsOf(world, calls, { stage: { directory: mount.path } }), directory.path);
    expect(report).toMatchObject({ result: "done", added: 2, failed: 0 });
    expect(calls).toEqual(["shop", "news", "shop"]);
    expect(await filesIn(directory.path, "shop")).toEqual([nameOf("news", "three"), nameOf("shop", large)].toSorted());
    expect(await readdir(mount.path)).toEqual([]);
  });

  it.each([["when it is new"], ["when it has changed"]])("stores no half dump, %s, and the others", async (when) => {
    await using directory = await temporaryDirectory();
    const world: World = { a: { shop: "one", news: "two" }, b: { more: "three" } };
    const wasThere = when !== "when it is new";
    if (wasThere) await run(dumpsOf(world), directory.path);
    world.a = { shop: broken(), news: "two and more" };
    world.b = { more: "three and more" };
    const { report, failed } = await run(dumpsOf(world), directory.path);
    expect(report).toMatchObject({ result: "partial", failed: 1 });
    expect(failed.map(({ collection, item, code, message }) => ({ collection, item, code, message }))).toEqual([
      { collection: "a", item: "shop.sql", code: "ITEM_UNREADABLE", message: "the program was killed" },
    ]);
    const ours = wasThere ? [nameOf("shop", "one")] : [];
    expect(await filesIn(directory.path, "a")).toEqual([nameOf("news", "two and more"), ...ours].toSorted());
    expect(await filesIn(directory.path, "b")).toEqual([nameOf("more", "three and more")]);
    expect(await readdir(join(directory.path, ".backup/tmp"))).toEqual([]);
  });

  it("gives each program a directory of its own, which is gone afterwards", async () => {
    await using directory = await temporaryDirectory();
    const seen: string[] = [];
    const produce: Dump["produce"] = async function* (work) {
      const own = await work.directory();
      expect(await readdir(own)).toEqual([]);
      expect((await stat(own)).mode & 0o777).toBe(0o700);
      seen.push(own);
      await writeFile(join(own, "out"), "made");
      yield await readFile(join(own, "out"));
    };
    const dumps = ["a", "b"].map((name): Dump => ({ name, extension: "", produce }));
    const source = dumpsOf({}, [], {
      async *collections() {
        yield { path: "x", name: "x", dumps: () => dumps };
      },
    });
    expect((await run(source, directory.path)).report).toMatchObject({ result: "done", added: 2 });
    expect(new Set(seen).size).toBe(2);
    for (const own of seen) await expect(stat(own)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("leaves what it was told not to look at, and files that are not dumps", async () => {
    await using directory = await temporaryDirectory();
    await run(dumpsOf({ a: { shop: "one" }, b: { news: "two" } }), directory.path);
    await writeFile(join(directory.path, "a", "notes.txt"), "mine");
    await mkdir(join(directory.path, "mine"));
    const { report } = await run(dumpsOf({ a: { other: "x" } }, [], { wants: (path) => path === "a" }), directory.path);
    expect(report).toMatchObject({ result: "done", added: 1, removed: 1 });
    expect(await filesIn(directory.path, "a")).toEqual(["notes.txt", nameOf("other", "x")].toSorted());
    expect(await filesIn(directory.path, "b")).toEqual([nameOf("news", "two")]);
  });

  it("can be listed and verified without its program", async () => {
    await using directory = await temporaryDirectory();
    await run(dumpsOf({ a: { shop: "one" }, b: { news: "two" } }), directory.path);
    await using store = new LocalStore(directory.path);
    const looked = { store, layout: dumpLayout, signal: NEVER };
    const { inventory } = await readBackup(store, NEVER);
    const listed = await listBackup({ ...looked, inventory });
    expect(listed.map(({ name, now }) => ({ name, files: now.files }))).toEqual([
      { name: "a", files: 1 },
      { name: "b", files: 1 },
    ]);
    expect(await verify({ ...looked, inventory })).toMatchObject({ files: 2, readFiles: 2, damaged: [], others: [] });
    await writeFile(join(directory.path, "a", nameOf("shop", "one")), "-- begin\nonf");
    const { damaged } = await verify({ ...looked, inventory });
    expect(damaged).toMatchObject([{ kind: "content", collection: "a", item: "shop.sql" }]);
  });

  it("has a history, in which an unchanged dump is another name of the same file", async () => {
    await using directory = await temporaryDirectory();
    const world: World = { a: { shop: "one", news: "two" } };
    for (const [day, text] of [
      ["01", "two"],
      ["02", "three"],
    ] as const) {
      world.a = { shop: "one", news: text };
      await using store = new LocalStore(directory.path);
      await using source = dumpsOf(world);
      expect(await backupToHistory({ source, store, day: `2026/11/${day}` })).toMatchObject({ result: "done" });
    }
    const shop = (day: string): string => join(directory.path, "2026/11", day, "a", nameOf("shop", "one"));
    expect((await stat(shop("01"))).ino).toBe((await stat(shop("02"))).ino);
    expect(await filesIn(directory.path, "2026/11/01/a")).toContain(nameOf("news", "two"));
    expect(await filesIn(directory.path, "2026/11/02/a")).toContain(nameOf("news", "three"));
  });
});
