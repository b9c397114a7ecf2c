import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import type { RsyncRun } from "../src/rsync-process.js";
import type { Outgoing } from "../src/sender.js";
import { Spool } from "../src/spool.js";
import { stagedSender } from "../src/staged-sender.js";

const NEVER = new AbortController().signal;
const SHELL = { program: "none", args: [], target: "nas", env: {} };

let parent: TemporaryDirectory;
let spool: Spool;

beforeEach(async () => {
  parent = await temporaryDirectory();
  spool = new Spool({ directory: parent.path });
});
afterEach(async () => {
  await spool[Symbol.asyncDispose]();
  await parent[Symbol.asyncDispose]();
});

async function files(): Promise<readonly Outgoing[]> {
  return Promise.all(
    ["a/1", "b/2"].map(async (path) => {
      const file = await spool.newName();
      await writeFile(file, path);
      return { path, mtime: 0, size: 3, content: { file } };
    }),
  );
}

/** A host that notes what it is told, in order. */
function world(answers: readonly boolean[]) {
  const calls: string[] = [];
  const left = [...answers];
  const published = new Map<string, string>();
  const staged = new Map<string, string>();
  const sender = stagedSender({
    spool,
    directory: "mail",
    retryMs: 1,
    shell: async () => SHELL,
    run: async ({ options, files: names = [], local, directory }: RsyncRun) => {
      const how = options.includes("--checksum") ? " again" : options.includes("--fsync") ? " with fsync" : "";
      calls.push(`push${how}`);
      expect(directory).toMatch(/^mail\/\.backup\/tmp\/in-[0-9a-f-]+$/);
      expect(options).toContain("--inplace");
      for (const name of names)
        staged.set(`${directory.slice("mail/".length)}/${name}`, await readFile(join(local, name), "utf8"));
      return Buffer.alloc(0);
    },
    stage: {
      sync: async () => {
        calls.push("sync");
        return left.shift() ?? true;
      },
      publish: async (moves) => {
        calls.push("publish");
        for (const { from, to } of moves) published.set(to, staged.get(from) ?? "nothing");
      },
      clear: async (directory) => {
        calls.push("clear");
        expect(directory).toMatch(/^\.backup\/tmp\/in-[0-9a-f-]+$/);
      },
    },
  });
  return { sender, calls, published };
}

describe("a batch that is staged", () => {
  it("is sent, synced as a whole, and only then renamed to its places", async () => {
    const { sender, calls, published } = world([]);
    await sender.send(await files(), NEVER, () => calls.push("sent"));
    await sender.send(await files(), NEVER);
    // The first sync finds out whether there is one.
    expect(calls).toEqual(["sync", "push", "sent", "sync", "publish", "clear", "push", "sync", "publish", "clear"]);
    expect([...published]).toEqual([
      ["a/1", "a/1"],
      ["b/2", "b/2"],
    ]);
    expect(await readdir(await spool.directory())).toHaveLength(4);
  });

  it("is synced file by file where the host cannot do it as a whole, and that is asked once", async () => {
    const { sender, calls } = world([false]);
    await sender.send(await files(), NEVER);
    await sender.send(await files(), NEVER);
    const one = ["push with fsync", "publish", "clear"];
    expect(calls).toEqual(["sync", ...one, ...one]);
  });

  it("is compared and synced again when the host fails to, and not published before", async () => {
    const { sender, calls } = world([true, false]);
    await sender.send(await files(), NEVER);
    expect(calls).toEqual(["sync", "push", "sync", "push again", "sync", "publish", "clear"]);
  });

  it("is not published when the host never does, and cleared away", async () => {
    const { sender, calls } = world([true, false, false, false, false, false, false]);
    await expect(sender.send(await files(), NEVER)).rejects.toBeInstanceOf(BackupError);
    expect(calls).not.toContain("publish");
    expect(calls.at(-1)).toBe("clear");
  });
});
