import { execFile } from "node:child_process";
import { lstat, mkdir, readFile, readdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BackupEvent, type Store, backup } from "@backup/core";
import { MemorySource, type StoreFixture, storeSuite } from "@backup/core/testing";
import { afterEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import type { RemoteShell } from "../src/connection.js";
import { RsyncOnlyStore } from "../src/rsync-only-store.js";
import { Spool } from "../src/spool.js";
import { exfat } from "../../../test/support/mounts.js";
import { plainShell, restrictedShell, scriptShell } from "./support/rsync-shells.js";

const NEVER = new AbortController().signal;

interface World {
  readonly parent: TemporaryDirectory;
  readonly spool: Spool;
  readonly shell: RemoteShell;
  readonly home: string;
  readonly events: BackupEvent[];
}

async function cleanup(made: World[]): Promise<void> {
  for (const { parent, spool } of made.splice(0)) {
    await spool[Symbol.asyncDispose]();
    await parent[Symbol.asyncDispose]();
  }
}

const worlds: World[] = [];
afterEach(() => cleanup(worlds));

async function world(shellIn: (home: string) => Promise<RemoteShell>, among: World[] = worlds): Promise<World> {
  const parent = await temporaryDirectory();
  const home = join(parent.path, "home");
  const made: World = {
    parent,
    home,
    spool: new Spool({ directory: join(parent.path, "spool") }),
    shell: await shellIn(home),
    events: [],
  };
  among.push(made);
  return made;
}

function storeIn({ spool, shell, events }: World, directory: string): RsyncOnlyStore {
  return new RsyncOnlyStore({
    name: `host:${directory}`,
    directory,
    shell: async () => shell,
    spool,
    onEvent: (event) => events.push(event),
    retryMs: 20,
  });
}

function fixture(shellIn: (home: string) => Promise<RemoteShell>, directory: string): StoreFixture {
  const of = new Map<Store, World>();
  const among: World[] = [];
  return {
    async open() {
      const made = await world(shellIn, among);
      const store = storeIn(made, directory);
      of.set(store, made);
      return store;
    },
    async reopen(store) {
      const made = of.get(store);
      if (!made) throw new Error("not opened here");
      const again = storeIn(made, directory);
      of.set(again, made);
      return again;
    },
    cleanup: () => cleanup(among),
    stampMs: 1100,
  };
}

describe.each([
  ["a plain shell", plainShell, "deep/er/de st*'"],
  ["rrsync", restrictedShell, "sub/dest"],
] as const)("RsyncOnlyStore through %s as a Store", (_name, shellIn, directory) => {
  // Most of the time they wait for the next second.
  for (const { name, run } of storeSuite) it.concurrent(name, () => run(fixture(shellIn, directory)), 600_000);
});

describe("a destination that only rsync reaches", () => {
  it("is private: 0700 and 0600 whatever the umask there", async () => {
    const made = await world(plainShell);
    const loose: RemoteShell = {
      ...made.shell,
      program: "sh",
      args: ["-c", `umask 000; exec '${made.shell.program}' "$@"`, "sh"],
    };
    const store = storeIn({ ...made, shell: loose }, "dest");
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a/b"], NEVER);
    await store.write("a/b/x", Buffer.from("x"), NEVER);
    const root = join(made.home, "dest");
    const modes = await Promise.all(["", "a", "a/b", ".backup", ".backup/tmp"].map((path) => stat(join(root, path))));
    expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(["700", "700", "700", "700", "700"]);
    for (const file of ["a/b/x", ".backup/lease.json"])
      expect(((await stat(join(root, file))).mode & 0o777).toString(8)).toBe("600");
  });

  it("writes again what has the same size and was written within the same second", async () => {
    const store = storeIn(await world(restrictedShell), "");
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a"], NEVER);
    for (const text of ["one", "two", "six"]) {
      await store.write("a/x", Buffer.from(text), NEVER);
      expect(Buffer.from(await store.read("a/x", NEVER)).toString()).toBe(text);
    }
  });

  it("refuses to make a directory where a symbolic link is, and leaves the link", async () => {
    const made = await world(plainShell);
    const store = storeIn(made, "dest");
    await using _lease = await store.lease(NEVER);
    const outside = join(made.parent.path, "outside");
    await mkdir(outside);
    await symlink(outside, join(made.home, "dest/link"));
    await expect(store.makeDirectories(["link/a"], NEVER)).rejects.toMatchObject({ code: "DESTINATION_UNWRITABLE" });
    expect((await lstat(join(made.home, "dest/link"))).isSymbolicLink()).toBe(true);
    expect(await readdir(outside)).toEqual([]);
  });

  it("says once that renamed files are sent again, keeps their times, and is the same when done again", async () => {
    const made = await world(restrictedShell);
    const store = storeIn(made, "");
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a"], NEVER);
    await store.write("a/1", Buffer.from("1"), NEVER);
    await utimes(join(made.home, "a/1"), 1e9, 1e9);
    await store.move([{ from: "a/1", to: "a/2" }], NEVER);
    await store.move([{ from: "a/1", to: "a/2" }], NEVER);
    await store.move([{ from: "a/2", to: "a/3" }], NEVER);
    await store.move([{ from: "a/3", to: "a/3" }], NEVER);
    expect(await store.list(["a"], NEVER)).toEqual([{ path: "a/3", size: 1, mtime: 1e12 }]);
    const warnings = made.events.filter(({ type }) => type === "warning");
    expect(warnings).toMatchObject([{ code: "MOVES_ARE_RESENT", message: expect.stringContaining("1 renamed") }]);
  });

  it("does not remove a file that has the name of a directory", async () => {
    const made = await world(restrictedShell);
    const store = storeIn(made, "");
    await using _lease = await store.lease(NEVER);
    await writeFile(join(made.home, "precious"), "x");
    await store.removeDirectories(["precious", "precious/a"], NEVER);
    expect(await readFile(join(made.home, "precious"), "utf8")).toBe("x");
  });

  it("takes over a lease that nobody beats, by the clock of the host", async () => {
    const made = await world(restrictedShell);
    const store = storeIn(made, "");
    await mkdir(join(made.home, ".backup"));
    const file = join(made.home, ".backup/lease.json");
    const holder = { token: "t", host: "elsewhere", pid: 1, process: "", since: "2020-01-01T00:00:00Z" };
    await writeFile(file, JSON.stringify(holder));
    await expect(store.lease(NEVER)).rejects.toMatchObject({
      code: "LEASE_HELD",
      message: expect.stringMatching(/elsewhere/),
    });
    const old = Date.now() / 1000 - 16 * 60;
    await utimes(file, old, old);
    await using lease = await store.lease(NEVER);
    expect(lease.lost.aborted).toBe(false);
    expect(await readFile(file, "utf8")).not.toContain("elsewhere");
  });

  it("says so where the account may only read", async () => {
    const made = await world((home) => restrictedShell(home, "-ro"));
    await expect(storeIn(made, "").lease(NEVER)).rejects.toMatchObject({
      code: "DESTINATION_UNWRITABLE",
      message: expect.stringContaining("read-only"),
    });
  });

  it("waits for another rsync of the account", async () => {
    const made = await world(restrictedShell);
    const store = storeIn(made, "");
    const holder = execFile("flock", [made.home, "sh", "-c", "echo locked; read line"]);
    const ended = new Promise((resolve) => holder.once("close", resolve));
    await new Promise((resolve) => holder.stdout?.once("data", resolve));
    const listing = store.list(["a"], NEVER);
    await promisify(setTimeout)(30);
    holder.stdin?.end("\n");
    await ended;
    expect(await listing).toEqual([]);
  });

  it("holds a whole backup, and finds nothing to do the second time", async () => {
    const store = storeIn(await world(restrictedShell), "dest");
    const entries = [1, 2, 3].map((n) => ({ id: String(n), label: "", bytes: Buffer.from(`mail ${n}`), mtime: 1e12 }));
    const source = new MemorySource([{ path: "A", entries }]);
    expect(await backup({ source, store })).toMatchObject({ result: "done", added: 3 });
    expect(await backup({ source, store })).toMatchObject({ result: "done", added: 0, unchanged: 1 });
  });
});

describe("a clone by rsync alone", () => {
  it("is begun anew where the connection was lost, with what rsync said of a file that vanished", async () => {
    const made = await world(async (home) => {
      const plain = await plainShell(home);
      const lost = `${home}.lost`;
      const losing = `rm '${home}/dest/a/b/gone' && '${plain.program}' "$@" && touch '${lost}' && exit 255`;
      return scriptShell(
        join(`${home}.bin`, "losing"),
        `case "$*" in *link-dest*) [ -e '${lost}' ] || { set -- host "$@"; ${losing}; };; esac
        exec '${plain.program}' host "$@"`,
      );
    });
    const store = storeIn(made, "dest");
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a/b"], NEVER);
    await store.write("a/b/gone", Buffer.from("gone"), NEVER);
    await store.write("a/b/kept", Buffer.from("kept"), NEVER);
    expect(await store.clone("a", "z", NEVER)).toEqual({ copied: 0 });
    expect(await readdir(made.parent.path)).toContain("home.lost");
    expect(await readdir(join(made.home, "dest/z/b"))).toEqual(["kept"]);
    expect(await stat(join(made.home, "dest/z/b/kept"))).toMatchObject({ nlink: 2 });
  });

  it("is taken back where a file vanished, since a file of holes was sent for it", async () => {
    const made = await world(async (home) => {
      const plain = await plainShell(home);
      const body = `case "$*" in *link-dest*) rm -f '${home}/dest/a/gone';; esac; exec '${plain.program}' host "$@"`;
      return scriptShell(join(`${home}.bin`, "removing"), body);
    });
    const store = storeIn(made, "dest");
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a"], NEVER);
    await store.write("a/gone", Buffer.from("gone"), NEVER);
    await expect(store.clone("a", "z", NEVER)).rejects.toMatchObject({
      code: "DESTINATION_UNWRITABLE",
      message: expect.stringContaining("1 of the files of a could neither be linked nor copied"),
    });
    expect(await readdir(join(made.home, "dest"))).not.toContain("z");
  });

  it("copies, with their times, and counts what cannot have another name; a rename does too", async () => {
    await using disk = await exfat();
    const home = join(disk.path, "home");
    const store = storeIn(await world(() => plainShell(home)), "dest");
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a/.backup", "a/b"], NEVER);
    await store.write("a/b/1", Buffer.from("one"), NEVER);
    await store.write("a/.backup/2", Buffer.from("two"), NEVER);
    for (const path of ["a/b/1", "a/.backup/2"]) await utimes(join(home, "dest", path), 1e9, 1e9);
    expect(await store.clone("a", "z", NEVER)).toEqual({ copied: 2 });
    await store.moveTree("z", "y", NEVER);
    expect(await store.list(["y/b", "y/.backup"], NEVER)).toEqual(
      expect.arrayContaining([
        { path: "y/b/1", size: 3, mtime: 1e12 },
        { path: "y/.backup/2", size: 3, mtime: 1e12 },
      ]),
    );
    expect(Buffer.from(await store.read("y/b/1", NEVER)).toString()).toBe("one");
    expect(Buffer.from(await store.read("y/.backup/2", NEVER)).toString()).toBe("two");
  });
});
