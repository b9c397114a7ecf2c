import { mkdir, readFile, readdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import type { RemoteShell } from "../src/connection.js";
import { isAtLeast, isSecluded, remoteArgument, remoteShellOption } from "../src/rsync-arguments.js";
import { parseListing } from "../src/rsync-listing.js";
import { parseVersion, rsyncProgram, rsyncVersion } from "../src/rsync-process.js";
import { remoteRsyncVersion } from "../src/rsync-probe.js";
import { plainShell, restrictedShell, scriptShell } from "./support/rsync-shells.js";

const NEVER = new AbortController().signal;
const AWKWARD = [
  " lead",
  'it\'s "q" `id` $(id) \\ b',
  "*?[x]{y}",
  "-rf",
  "~",
  "~root",
  "#c",
  ":colon",
  "a:b",
  "ünï 😀",
  "\\*",
  "tab\tx",
];

let home: TemporaryDirectory;
let shell: RemoteShell;

beforeAll(async () => {
  home = await temporaryDirectory();
  shell = await plainShell(join(home.path, "home"));
});
afterAll(() => home[Symbol.asyncDispose]());

async function localTree(): Promise<string> {
  const local = join(home.path, "local");
  await mkdir(join(local, "d"), { recursive: true });
  await writeFile(join(local, "d/file"), "text");
  return local;
}

describe("the remote shell", () => {
  it("gets its words as they are, whatever is in them", async () => {
    const out = join(home.path, "words");
    const printer = await scriptShell(
      join(home.path, 'sp ace\'s "dir"/print er'),
      `for word in "$@"; do printf '%s\\n' "$word"; done > '${out}'; exit 255`,
    );
    const args = ["dropped", "a b", "", "it's", "''", '"x" y', "\\", "$HOME", "-o=%h", "\ttab"];
    const run = rsyncProgram();
    const words = { ...printer, args, target: "u@fe80::1%eth0" };
    await expect(
      run({
        direction: "pull",
        shell: words,
        directory: "",
        local: home.path,
        options: ["--list-only"],
        signal: NEVER,
      }),
    ).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    const seen = (await readFile(out, "utf8")).split("\n");
    expect(seen.slice(0, args.length + 2)).toEqual([...args.slice(1), "-l", "u", "fe80::1%eth0"]);
    expect(remoteShellOption({ ...printer, program: "a'b", args: [""] })).toBe("'a''b' ''");
  });

  it.each(["-oProxyCommand=id", "user@-x", "a/b", "a b", "", "a:b@c", "u@"])("refuses the target %j", (target) => {
    expect(() => remoteArgument({ target, directory: "x", direction: "pull", isSecluded: false })).toThrow(
      expect.objectContaining({ code: "USAGE" }),
    );
  });

  it("brackets an address of IPv6", () => {
    const argument = { directory: "x", direction: "pull", isSecluded: false } as const;
    expect(remoteArgument({ ...argument, target: "me@::1" })).toBe("me@[::1]:./x/");
    expect(remoteArgument({ ...argument, target: "[::1]" })).toBe("[::1]:./x/");
  });
});

describe("the directory there", () => {
  const names = [...AWKWARD, "new\nline *"];
  it.each(names)("%j is that one, to write and to read", async (name) => {
    const run = rsyncProgram();
    const local = await localTree();
    for (const [index, directory] of [name, join(home.path, "home", name)].entries()) {
      const common = { shell, directory, signal: NEVER };
      const files = ["d/file"];
      await run({ ...common, direction: "push", local, files, options: ["--no-implied-dirs", "--times"] });
      expect(await readFile(join(home.path, "home", name, "d/file"), "utf8")).toBe("text");
      const back = join(home.path, `back-${index}`);
      await run({ ...common, direction: "pull", local: back, files, options: ["--no-implied-dirs"] });
      expect(await readFile(join(back, "d/file"), "utf8")).toBe("text");
      expect(await readdir(join(home.path, "home"))).toContain(name);
    }
    const made = await readdir(join(home.path, "home"));
    expect(made.filter((other) => !names.includes(other))).toEqual([]);
  });

  it.each(AWKWARD.filter((name) => !/[\t\n]/.test(name)))("%j is that one under rrsync", async (name) => {
    const restricted = await restrictedShell(join(home.path, "restricted"));
    const common = { shell: restricted, directory: name, signal: NEVER, files: ["d/file"] };
    const run = rsyncProgram();
    await run({ ...common, direction: "push", local: await localTree(), options: ["--no-implied-dirs"] });
    expect(await readFile(join(home.path, "restricted", name, "d/file"), "utf8")).toBe("text");
    const back = join(home.path, "back-restricted");
    await run({ ...common, direction: "pull", local: back, options: ["--no-implied-dirs"] });
    expect(await readFile(join(back, "d/file"), "utf8")).toBe("text");
  });
});

describe("a run", () => {
  it("ends when it is aborted, also where the other side does nothing", async () => {
    const deaf = await scriptShell(
      join(home.path, "deaf"),
      "echo $$ > '" + join(home.path, "pid") + "'; exec sleep 600",
    );
    const controller = new AbortController();
    const list = { shell: deaf, directory: "", local: home.path, options: ["--list-only"], signal: controller.signal };
    const settled = rsyncProgram()({ ...list, direction: "pull" }).catch((error: unknown) => error);
    await expect
      .poll(() =>
        stat(join(home.path, "pid")).then(
          ({ size }) => size,
          () => 0,
        ),
      )
      .toBeGreaterThan(0);
    const started = performance.now();
    controller.abort();
    expect(await settled).toMatchObject({ code: "ABORTED" });
    expect(performance.now() - started).toBeLessThan(busy(5000));
    const pid = Number(await readFile(join(home.path, "pid"), "utf8"));
    try {
      process.kill(pid);
    } catch {
      // rsync has ended it.
    }
  });

  it("counts the bytes, and takes no RSYNC_ variable of the user", async () => {
    const local = join(home.path, "big");
    await mkdir(local);
    await writeFile(join(local, "x"), Buffer.alloc(3_000_000, 1));
    const seen: number[] = [];
    const env = {
      ...process.env,
      RSYNC_RSH: "/nonexistent",
      RSYNC_PARTIAL_DIR: "/nonexistent",
      RSYNC_PROTECT_ARGS: "1",
    };
    const restricted = await restrictedShell(join(home.path, "restricted"));
    await rsyncProgram({ env })({
      direction: "push",
      shell: restricted,
      directory: "",
      local,
      files: ["x"],
      options: ["--whole-file", "--bwlimit=20000"],
      onProgress: (bytes) => seen.push(bytes),
      signal: NEVER,
    });
    expect(seen.at(-1)).toBe(3_000_000);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it("knows the versions here and there", async () => {
    expect(isAtLeast(await rsyncVersion(), [3, 1, 0])).toBe(true);
    expect(await remoteRsyncVersion(shell, NEVER)).toEqual(await rsyncVersion());
    expect(await remoteRsyncVersion(await restrictedShell(join(home.path, "restricted")), NEVER)).toBeUndefined();
    expect(parseVersion("rsync  version v3.1.3  protocol version 31\n")).toEqual([3, 1, 3]);
    expect(parseVersion("openrsync: protocol version 29\nrsync version 2.6.9 compatible\n")).toEqual([2, 6, 9]);
    expect(isSecluded([3, 2, 3], "x")).toBe(true);
    expect(isSecluded([3, 2, 4], "x")).toBe(false);
    await expect(rsyncVersion({ program: "no-such-rsync" })).rejects.toMatchObject({ code: "TRANSPORT_MISSING" });
  });
});

describe("a listing", () => {
  it("has names, sizes and times as they are", () => {
    const lines = [
      "drwx------          4,096 2026/11/23 05:48:10 .",
      "-rw-------      1,234,567 1960/01/02 03:04:05 a/  lead -> x ",
      "-rw-------              0 2026/11/23 05:48:10 a/nl\\#012x\\#134#012y",
      "lrwxrwxrwx             11 2026/11/23 05:48:10 link",
      "drwx------.            60 2026/11/23 05:48:10 d",
      "prw-------              0 2026/11/23 05:48:10 pipe",
      "skipping non-regular file",
      "-rw-------              1 2026/11/23 05:48:10 ../escape",
    ];
    const bad = Buffer.from("-rw-------              1 2026/11/23 05:48:10 \xff\n", "latin1");
    const now = Date.UTC(2026, 10, 23, 5, 48, 10);
    expect(parseListing(Buffer.concat([bad, Buffer.from(`${lines.join("\n")}\n`)]))).toEqual([
      { type: "file", path: "a/  lead -> x ", size: 1_234_567, mtime: Date.UTC(1960, 0, 2, 3, 4, 5) },
      { type: "file", path: "a/nl\nx\\#012y", size: 0, mtime: now },
      { type: "link", path: "link", size: 11, mtime: now },
      { type: "directory", path: "d", size: 60, mtime: now },
      { type: "other", path: "pipe", size: 0, mtime: now },
    ]);
  });

  it("of real files says what stat(2) says", async () => {
    const local = join(home.path, "home", "listed");
    await mkdir(local);
    for (const [index, name] of AWKWARD.entries()) {
      await writeFile(join(local, name), "x".repeat(index * 1000));
      await utimes(join(local, name), String(-86_400 + index), String(-86_400 + index));
    }
    const options = ["--list-only", "--recursive"];
    const common = { direction: "pull", shell, directory: "listed", local: home.path, signal: NEVER } as const;
    const entries = parseListing(await rsyncProgram()({ ...common, options })).filter(({ type }) => type === "file");
    const expected = AWKWARD.map((path, n) => ({ type: "file", path, size: n * 1000, mtime: (-86_400 + n) * 1000 }));
    const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
    expect(entries.toSorted(byPath)).toEqual(expected.toSorted(byPath));
  });
});
