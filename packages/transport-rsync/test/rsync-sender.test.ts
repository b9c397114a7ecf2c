import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, chown, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BackupEvent, BackupError } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { tmpfs } from "../../../test/support/mounts.js";
import type { RemoteShell } from "../src/connection.js";
import { type RunRsync, rsyncProgram } from "../src/rsync-process.js";
import { type RsyncMark, probeRsync } from "../src/rsync-probe.js";
import { rsyncSender } from "../src/rsync-sender.js";
import type { Outgoing, Sender } from "../src/sender.js";
import { Spool } from "../src/spool.js";
import { plainShell, restrictedShell, scriptShell } from "./support/rsync-shells.js";

const NEVER = new AbortController().signal;
const MTIME = 1_600_000_000_000;

let parent: TemporaryDirectory;
let spool: Spool;
let home: string;

beforeEach(async () => {
  parent = await temporaryDirectory();
  spool = new Spool({ directory: join(parent.path, "spool") });
  home = join(parent.path, "home");
  await mkdir(join(home, ".backup/tmp"), { recursive: true });
  await mkdir(join(home, "a"));
});
afterEach(async () => {
  await spool[Symbol.asyncDispose]();
  await parent[Symbol.asyncDispose]();
});

interface Making {
  readonly shell: RemoteShell;
  readonly directory?: string;
  readonly run?: RunRsync;
  readonly events?: BackupEvent[];
  readonly bwlimit?: string;
}

function senderOf({ shell, directory = "", run = rsyncProgram(), events, bwlimit }: Making): Sender {
  return rsyncSender({
    run,
    shell: async () => shell,
    directory,
    spool,
    bwlimit,
    retryMs: 10,
    onEvent: (event) => events?.push(event),
  });
}

async function outgoing(path: string, bytes: Uint8Array, mtime = MTIME): Promise<Outgoing> {
  const file = await spool.newName();
  await writeFile(file, bytes, { mode: 0o600 });
  return { path, mtime, size: bytes.byteLength, content: { file } };
}

/** Different bytes for each. */
function many(count: number, size: number): Promise<readonly Outgoing[]> {
  return Promise.all(
    Array.from({ length: count }, (_, n) => outgoing(`a/${n}`, Buffer.alloc(size, `${n} `), MTIME + n * 1000)),
  );
}

/** Fails unless every file that is there is whole. */
async function countWhole(size: number): Promise<number> {
  const names = await readdir(join(home, "a"));
  for (const name of names) {
    expect(name).toMatch(/^\d+$/);
    expect((await readFile(join(home, "a", name))).equals(Buffer.alloc(size, `${name} `))).toBe(true);
  }
  return names.length;
}

const left = async (): Promise<readonly string[]> =>
  (await readdir(await spool.directory())).filter((name) => !/^\d+$|^owner/.test(name));

describe("the rsync sender", () => {
  it("sends files 0600 with their times, replaces what is there, and leaves nothing here", async () => {
    const events: BackupEvent[] = [];
    const shell = await restrictedShell(home);
    await writeFile(join(home, "a/x"), "old", { mode: 0o644 });
    const files = [
      await outgoing("a/x", Buffer.from("new"), -86_400_000),
      await outgoing("a/#y 'z'", Buffer.from("")),
      await outgoing("a/n\nl*", Buffer.alloc(100_000)),
    ];
    await senderOf({ shell, events }).send(files, NEVER);
    expect(await readFile(join(home, "a/x"), "utf8")).toBe("new");
    for (const { path, mtime, size } of files) {
      const stats = await stat(join(home, path));
      expect([stats.mode & 0o777, stats.mtimeMs, stats.size]).toEqual([0o600, mtime, size]);
    }
    expect(events.at(-1)).toEqual({ type: "sending", bytes: 100_003, totalBytes: 100_003 });
    expect(await left()).toEqual([]);
    for (const { content } of files) if ("file" in content) expect((await stat(content.file)).isFile()).toBe(true);
  });

  it.each(["", "sub", "sub/dest"])("keeps temporary files apart in %j, restricted or not", async (directory) => {
    for (const [index, shell] of [await plainShell(home), await restrictedShell(home)].entries()) {
      const root = join(home, directory);
      if (directory !== "") await rm(join(home, ".backup"), { recursive: true, force: true });
      await mkdir(join(root, ".backup/tmp"), { recursive: true });
      await mkdir(join(root, "a"), { recursive: true });
      // Where rsync has nowhere else to put it, it fails: the directory of the file takes no other name.
      const commands: string[] = [];
      const run: RunRsync = (options) => {
        commands.push(options.options.join(" "));
        return rsyncProgram()(options);
      };
      const sender = senderOf({ shell, directory, run });
      await sender.send([await outgoing(`a/${index}`, Buffer.from("1"))], NEVER);
      await sender.send([await outgoing(`a/${index}`, Buffer.from("22"))], NEVER);
      expect(await readFile(join(root, "a", String(index)), "utf8")).toBe("22");
      expect(commands.at(-1)).toContain(".backup/tmp");
      expect(commands.length).toBe(index === 1 && directory !== "" ? 3 : 2);
    }
  });

  it("goes without what the other side does not know, and asks it only once", async () => {
    const old = await scriptShell(
      join(parent.path, "old"),
      `cd '${home}'; case "$*" in *--fsync*) echo "rsync: --fsync: unknown option" >&2; exit 1;; esac; exec sh -c "$*"`,
    );
    // rrsync without deletions takes all that is needed.
    const noDeletes = await restrictedShell(home, "-no-del");
    for (const [shell, expected] of [
      [old, 3],
      [noDeletes, 2],
    ] as const) {
      let runs = 0;
      const run: RunRsync = (options) => {
        runs++;
        return rsyncProgram()(options);
      };
      const sender = senderOf({ shell, run });
      await sender.send([await outgoing("a/1", Buffer.from("1"))], NEVER);
      await sender.send([await outgoing("a/2", Buffer.from("2"))], NEVER);
      expect(runs).toBe(expected);
      expect((await readdir(join(home, "a"))).toSorted()).toEqual(["1", "2"]);
    }
  });

  it.each([0.05, 0.3, 0.6, 0.95])("goes on where it was when rsync is killed there after %d of it", async (part) => {
    const size = 20_000;
    const files = await many(100, size);
    const shell = await scriptShell(
      join(parent.path, "killable"),
      `cd '${home}'; echo $$ > '${parent.path}/pid'; exec sh -c "exec $*"`,
    );
    const sizes: number[] = [];
    const run: RunRsync = (options) => {
      sizes.push(options.files?.length ?? 0);
      const onProgress = (bytes: number): void => {
        options.onProgress?.(bytes);
        if (sizes.length > 2 || bytes < (options.files?.length ?? 0) * size * part) return;
        // It may have ended a moment ago.
        execFile("kill", ["-9", readFileSync(join(parent.path, "pid"), "utf8").trim()], () => {});
      };
      return rsyncProgram()({ ...options, onProgress });
    };
    await senderOf({ shell, run, bwlimit: "4000" }).send(files, NEVER);
    expect(await countWhole(size)).toBe(100);
    expect(sizes[0]).toBe(100);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  });

  it("leaves no part of a file under its name, and nothing here, when it is aborted on the way", async () => {
    const size = 200_000;
    const controller = new AbortController();
    const events: BackupEvent[] = [];
    const plain = await plainShell(home);
    const sender = rsyncSender({
      run: rsyncProgram(),
      shell: async () => plain,
      directory: "",
      spool,
      bwlimit: "2000",
      onEvent: (event) => {
        events.push(event);
        if (event.type === "sending" && event.bytes > 0) controller.abort();
      },
    });
    await expect(sender.send(await many(30, size), controller.signal)).rejects.toMatchObject({ code: "ABORTED" });
    expect(await countWhole(size)).toBeLessThan(30);
    expect(await left()).toEqual([]);
  });

  it("gives up on what is not transient, and after five retries", async () => {
    let attempts = 0;
    const run: RunRsync = async () => {
      attempts++;
      throw new BackupError("CONNECTION_LOST", "gone", { transient: true });
    };
    const shell = await plainShell(home);
    const files = [await outgoing("a/1", Buffer.from("1"))];
    await expect(senderOf({ shell, run }).send(files, NEVER)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(attempts).toBe(6);
    await expect(senderOf({ shell }).send([await outgoing("../x", Buffer.from("1"))], NEVER)).rejects.toMatchObject({
      code: "UNSAFE_PATH",
    });
  });

  it("is DISK_FULL where there is no room, keeps what was whole, and leaves no temporary file", async () => {
    await using mount = await tmpfs("1m");
    await mkdir(join(mount.path, ".backup/tmp"), { recursive: true });
    await mkdir(join(mount.path, "a"));
    const shell = await restrictedShell(mount.path);
    home = mount.path;
    const failed = senderOf({ shell }).send(await many(100, 20_000), NEVER);
    await expect(failed).rejects.toMatchObject({
      code: "DISK_FULL",
      message: expect.stringMatching(/host is full.*Make room/),
    });
    expect(await countWhole(20_000)).toBeLessThan(60);
    expect(await readdir(join(home, ".backup/tmp"))).toEqual([]);
  });

  it("is DESTINATION_UNWRITABLE where another user owns the directory", async () => {
    await chmod(parent.path, 0o755);
    await chown(join(home, ".backup/tmp"), 65_534, 65_534);
    const shell = await scriptShell(
      join(parent.path, "nobody"),
      `cd '${home}'; exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "$*"`,
    );
    const failed = senderOf({ shell }).send([await outgoing("a/1", Buffer.from("1"))], NEVER);
    await expect(failed).rejects.toMatchObject({
      code: "DESTINATION_UNWRITABLE",
      message: expect.stringMatching(/Permission denied/),
    });
  });

  it("writes no file through a symbolic link that has its name", async () => {
    const outside = join(parent.path, "outside");
    await writeFile(outside, "precious");
    await symlink(outside, join(home, "a/1"));
    await senderOf({ shell: await plainShell(home) }).send([await outgoing("a/1", Buffer.from("mail"))], NEVER);
    expect(await readFile(outside, "utf8")).toBe("precious");
    expect(await readFile(join(home, "a/1"), "utf8")).toBe("mail");
  });
});

describe("the probe", () => {
  const probe = async (shell: RemoteShell, directory = "", mark: Omit<RsyncMark, "path"> = {}) =>
    probeRsync({
      run: rsyncProgram(),
      shell,
      directory,
      seen: { path: "a/seen", ...mark },
      local: parent.path,
      signal: NEVER,
      timeoutMs: 2000,
    });

  it("tells a working rsync from one that sees another tree, and from none", async () => {
    await writeFile(join(home, "a/seen"), "x");
    const shell = await plainShell(home);
    expect(await probe(shell)).toEqual({ works: true });
    expect(await probe(await restrictedShell(home))).toEqual({ works: true });
    // What the last run has left may be of the same name in another tree.
    const { size, mtimeMs: mtime } = await stat(join(home, "a/seen"));
    expect(await probe(shell, "", { size, mtime })).toEqual({ works: true });
    for (const other of [
      { size: size + 1, mtime },
      { size, mtime: mtime - 1000 },
    ])
      expect(await probe(shell, "", other)).toMatchObject({ works: false, reason: { code: "TRANSPORT_MISSING" } });
    for (const directory of ["a", "missing"])
      expect(await probe(shell, directory)).toMatchObject({
        works: false,
        reason: { code: "TRANSPORT_MISSING", message: expect.stringMatching(/does not find what SFTP has written/) },
      });
    const none = await scriptShell(join(parent.path, "none"), "exec /nonexistent/rsync");
    expect(await probe(none)).toMatchObject({ works: false, reason: { code: "TRANSPORT_MISSING" } });
    const silent = await scriptShell(join(parent.path, "silent"), "exec sleep 20");
    expect(await probe(silent)).toMatchObject({
      works: false,
      reason: { code: "TRANSPORT_MISSING", message: expect.stringMatching(/answer/) },
    });
    const lost = await scriptShell(join(parent.path, "lost"), "echo 'ssh: connect to host: No route' >&2; exit 255");
    await expect(probe(lost)).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      message: expect.stringMatching(/No route/),
    });
  });
});
