import { linkSync } from "node:fs";
import { mkdir, readFile, readdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type StoreFixture, storeSuite, withinFixture } from "@backup/core/testing";
import { describe, expect, it } from "vitest";
import { ext4 } from "../../../test/support/mounts.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { SftpStore } from "../src/sftp-store.js";
import { Spool } from "../src/spool.js";
import { ALL, type SftpHostOptions, sftpHost } from "./support/sftp-host.js";

function sftpFixture(options: Partial<SftpHostOptions>): StoreFixture {
  const made: AsyncDisposable[] = [];
  const places = new Map<string, string>();
  const open = (home: string, name: string): SftpStore => {
    places.set(name, home);
    const spool = new Spool({ directory: join(home, "spool") });
    const host = sftpHost({ home, ...options });
    made.push(spool, host);
    return new SftpStore({ name, host, directory: "made/by/lease", spool });
  };
  return {
    stampMs: 1,
    async open() {
      const directory: TemporaryDirectory = await temporaryDirectory();
      made.unshift(directory);
      return open(directory.path, `nas:${directory.path}`);
    },
    reopen: async (store) => open(places.get(store.name) ?? "", store.name),
    async cleanup() {
      for (const resource of made.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
    },
  };
}

describe.each([{ without: [] }, { without: ALL }, { without: ["posix-rename@openssh.com"] }])(
  "SftpStore on a server without $without, as a Store",
  ({ without }) => {
    // Most of the time they wait for the next second.
    for (const { name, run } of storeSuite) it.concurrent(name, () => run(sftpFixture({ without })));
  },
);

describe("a directory of an SftpStore as a Store", () => {
  for (const { name, run } of storeSuite) it.concurrent(name, () => run(withinFixture(sftpFixture({}))));
});

describe("a new destination inside of a backup, over SFTP", () => {
  it("is refused before anything is made, and goes on where it was made before", async () => {
    await using home = await temporaryDirectory();
    await using spool = new Spool({ directory: join(home.path, "spool") });
    await using host = sftpHost({ home: home.path });
    await mkdir(join(home.path, "mail/alice/.backup"), { recursive: true });
    await writeFile(join(home.path, "mail/alice/.backup/checkpoint.json"), "{}");
    const signal = new AbortController().signal;
    for (const root of ["mail/alice", join(home.path, "mail/alice")]) {
      const directory = `${root}/INBOX/below`;
      await using store = new SftpStore({ name: `nas:${directory}`, host, directory, spool });
      await expect(store.lease(signal)).rejects.toMatchObject({
        code: "DESTINATION_OTHER",
        message: `${directory} is inside of ${root}, which is a backup itself; name a directory beside it`,
      });
      expect(await readdir(join(home.path, "mail/alice"))).toEqual([".backup"]);
    }
    await mkdir(join(home.path, "mail/alice/INBOX/.backup"), { recursive: true });
    await using inner = new SftpStore({ name: "nas:inner", host, directory: "mail/alice/INBOX", spool });
    await using lease = await inner.lease(signal);
    expect(lease.lost.aborted).toBe(false);
  });
});

describe("a file over SFTP that has as many names as it may have", () => {
  it("is copied into a clone, with its time, and counted", async () => {
    await using mount = await ext4();
    await using spool = new Spool({ directory: join(mount.path, "spool") });
    await using host = sftpHost({ home: mount.path });
    await using store = new SftpStore({ name: "nas:dest", host, directory: "dest", spool });
    const signal = new AbortController().signal;
    await using lease = await store.lease(signal);
    const at = (name: string): string => join(mount.path, "dest", name);
    await mkdir(at("a/names"), { recursive: true });
    await writeFile(at("a/full"), "full");
    await utimes(at("a/full"), 1e9, 1e9);
    const more = (): void => {
      for (let n = 1; ; n++) linkSync(at("a/full"), join(mount.path, `${n}`));
    };
    expect(more).toThrow(expect.objectContaining({ code: "EMLINK" }));
    await writeFile(at("a/other"), "other");
    expect(await store.clone("a", "z", signal)).toEqual({ copied: 1 });
    expect(await readFile(at("z/full"), "utf8")).toBe("full");
    expect(await stat(at("z/full"))).toMatchObject({ nlink: 1, mtimeMs: 1e12 });
    expect(await stat(at("z/other"))).toMatchObject({ nlink: 2 });
    expect(lease.lost.aborted).toBe(false);
  });
});
