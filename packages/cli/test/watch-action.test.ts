import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FollowTiming } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { writeSecret } from "../../../test/support/command.js";
import { type FakeImap, makeFolder, startFakeImap } from "../../../test/support/fake-imap.js";
import { modelTree } from "../../../test/support/fake-mirror.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { readTree } from "../../../test/support/tree.js";
import { PLUGINS, imapType } from "./support/types.js";
import { watchAction } from "../src/watch-action.js";

const SOON = { timeout: 60_000, interval: 20 } as const;
/** As it is, a thousand times as fast. */
const FAST: Partial<FollowTiming> = { quietMs: 2, passMs: 300, backOff: { firstMs: 5, longestMs: 50 } };
const NEVER = 3_600_000;

let server: FakeImap;
let directory: TemporaryDirectory;
let dest: string;
let secret: string;
let stopped: AbortController;

beforeEach(async () => {
  stopped = new AbortController();
  server = await startFakeImap({ folders: new Map([["INBOX", makeFolder(3)]]) });
  directory = await temporaryDirectory();
  dest = join(directory.path, "dest");
  secret = await writeSecret(directory.path, "alice.password", "secret");
});
afterEach(async () => {
  stopped.abort();
  vi.restoreAllMocks();
  await server[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

/** Watches in this process; what it prints is kept. */
function watch(timing: Partial<FollowTiming>) {
  let output = "";
  const keep = (text: unknown): boolean => {
    output += String(text);
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(keep);
  vi.spyOn(process.stderr, "write").mockImplementation(keep);
  const options = { keepDeleted: false, allowDeletes: false, dryRun: false, full: false, connections: 4, timeout: 1 };
  const lists = { hist: false, histkeep: false, folder: [], excludeFolder: [], namespace: [], watchFolder: [] };
  const args = {
    user: "alice",
    dest,
    server: `imaps://localhost:${server.tlsPort}`,
    tlsCa: server.caFile,
    srcsecret: secret,
    watch: true,
    ...options,
    ...lists,
  };
  const action = imapType.create(args);
  const { changes } = action;
  if (!changes) throw new Error("it is not to be watched");
  const context = {
    json: false,
    quiet: false,
    verbose: false,
    debug: false,
    signal: stopped.signal,
    secrets: directory.path,
    env: {},
    plugins: PLUGINS,
    allowToEnd: () => {},
    onLeave: () => {},
  };
  const ended = watchAction({ ...action, changes }, context, timing);
  return {
    said: async (what: string) => {
      await expect.poll(() => output, SOON).toContain(what);
    },
    output: () => output,
    ended,
    /** Resolves to the exit status. */
    stop: async () => {
      stopped.abort();
      return await ended;
    },
  };
}

function logins(): number {
  return server.commands.filter((command) => /^(LOGIN|AUTHENTICATE)/.test(command)).length;
}

/** After the first run: it listens, and the run after it began to has ended. */
async function isQuiet(): Promise<void> {
  await expect.poll(logins, SOON).toBe(3);
  await expect.poll(() => server.openConnections, SOON).toBe(1);
}

describe("an action that is watched", () => {
  it("is run after a time whatever it is told: a new folder comes with that", async () => {
    const watching = watch(FAST);
    await watching.said("watching for changes\n");
    server.folders.set("Fresh", makeFolder(2));
    await watching.said(" 2 new,");
    // A run that finds nothing says nothing.
    const lists = (): number => server.commands.filter((command) => command.startsWith("LIST")).length;
    const before = lists();
    await expect.poll(lists, SOON).toBeGreaterThan(before + 2);
    expect([0, 130]).toContain(await watching.stop());
    expect(watching.output().match(/^done: /gm)).toHaveLength(2);
    expect(await readTree(dest)).toEqual(modelTree(server.folders));
  });

  it("goes on when the password is wrong all of a sudden, and reads the new one", async () => {
    const watching = watch({ ...FAST, passMs: NEVER });
    await watching.said("watching for changes\n");
    await isQuiet();
    await writeFile(secret, "wrong\n");
    server.fault = ({ command }) => (command === "NOOP" ? { type: "cut" } : undefined);
    await watching.said("refused the login of alice");
    await expect.poll(logins, SOON).toBeGreaterThan(6);
    await writeFile(secret, "secret\n");
    server.fault = undefined;
    server.folders.set("Fresh", makeFolder(2));
    await watching.said(" 2 new,");
    expect(await watching.stop()).toBe(0);
    expect(watching.output().match(/refused the login/g)).toHaveLength(1);
    expect(watching.output()).toContain("the source is watched again\n");
  });

  it("goes on when the destination fails, and says so once", async () => {
    const watching = watch({ ...FAST, passMs: NEVER });
    await watching.said("watching for changes\n");
    await isQuiet();
    await rm(dest, { recursive: true });
    await writeFile(dest, "");
    server.fault = ({ command }) => (command === "NOOP" ? { type: "untagged", lines: ["* 4 EXISTS"] } : undefined);
    await watching.said("warning: the run failed: ");
    const before = logins();
    await expect.poll(logins, SOON).toBeGreaterThan(before + 3);
    await rm(dest);
    await watching.said("runs go well again\n");
    expect([0, 130]).toContain(await watching.stop());
    expect(watching.output().match(/the run failed/g)).toHaveLength(1);
    expect(await readTree(dest)).toEqual(modelTree(server.folders));
  });

  it("that cannot be watched ends after its first run", async () => {
    server.folders = new Map([["Other", makeFolder(1)]]);
    const watching = watch(FAST);
    await expect(watching.ended).rejects.toMatchObject({ code: "NOTHING_SELECTED" });
    expect(await readTree(dest)).toEqual(modelTree(server.folders));
  });
});
