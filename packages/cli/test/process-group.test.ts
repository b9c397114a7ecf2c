import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { membersOf, startGroup, waitForGroup } from "@backup/core";
import { waitForBackground } from "../src/script-background.js";

let directory: TemporaryDirectory;
let journal: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  journal = join(directory.path, "journal");
  await writeFile(journal, "");
});
afterEach(() => directory[Symbol.asyncDispose]());

const start = (script: string) =>
  startGroup({ program: "bash", args: ["-c", script], env: process.env, stdio: ["ignore", "ignore", "ignore"] });
const never = (): AbortSignal => new AbortController().signal;

describe("a process group", () => {
  it("knows how its program ended, and what still runs", async () => {
    const group = await start("sleep 60 & exit 3");
    expect(await waitForGroup(group, { signal: never(), graceMs: 0 })).toEqual({ code: 3, signal: null });
    // Between fork(2) and execve(2) it is still called bash.
    await expect
      .poll(() => membersOf(group.pid).map(({ name }) => name), { interval: 10, timeout: 60_000 })
      .toEqual(["sleep"]);
    expect(await waitForGroup(group, { signal: AbortSignal.abort(), graceMs: 1000 })).toEqual({
      code: 3,
      signal: null,
    });
    expect(membersOf(group.pid)).toEqual([]);
  });

  it("is ended down to the last, also when the program goes at once and the others take their time", async () => {
    const stop = new AbortController();
    const group = await start("bash -c 'trap \"sleep 0.5; exit\" TERM; while :; do sleep 0.05; done' & wait");
    await expect.poll(() => membersOf(group.pid).length, { interval: 10, timeout: 60_000 }).toBeGreaterThan(2);
    const waiting = waitForGroup(group, { signal: stop.signal, graceMs: 5000 });
    const began = performance.now();
    stop.abort();
    expect(await waiting).toEqual({ code: null, signal: "SIGTERM" });
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(performance.now() - began).toBeLessThan(busy(3000));
    expect(membersOf(group.pid)).toEqual([]);
  });

  it("is ended with the process groups that were made in it", async () => {
    const group = await start("set -m; sleep 60 & timeout 60 sleep 60 & wait");
    const names = (): readonly string[] => membersOf(group.pid).map(({ name }) => name);
    await expect
      .poll(() => names().toSorted(), { interval: 10, timeout: 60_000 })
      .toEqual(["bash", "sleep", "sleep", "timeout"]);
    expect(new Set(membersOf(group.pid).map((member) => member.group)).size).toBeGreaterThan(2);
    await waitForGroup(group, { signal: AbortSignal.abort(), graceMs: 5000 });
    expect(names()).toEqual([]);
  });

  it("is listened for no longer than it runs", async () => {
    const before = [process.listenerCount("exit"), process.getMaxListeners()];
    const group = await start("read");
    await waitForGroup(group, { signal: never(), graceMs: 0 });
    expect([process.listenerCount("exit"), process.getMaxListeners()]).toEqual(before);
  });

  it("counts no process that has ended and that nobody has waited for", async () => {
    // Its parent goes to sleep in its place and never asks.
    const group = await start("true & exec sleep 60");
    await expect.poll(() => membersOf(group.pid).map(({ name }) => name), { timeout: 60_000 }).toEqual(["sleep"]);
    await waitForGroup(group, { signal: AbortSignal.abort(), graceMs: 1000 });
  });

  it("cannot be started: the system's error", async () => {
    const options = { args: [], env: {}, stdio: "ignore" } as const;
    await expect(startGroup({ ...options, program: "/nowhere" })).rejects.toMatchObject({ code: "ENOENT" });
    await expect(startGroup({ ...options, program: "/etc/passwd" })).rejects.toMatchObject({ code: "EACCES" });
  });
});

describe("what a script left in the background", () => {
  it("is waited for as long as it is an action, else for a while", async () => {
    const began = performance.now();
    const group = await start("sleep 1 & sleep 60 & exit");
    await group.ended;
    const sleeping = membersOf(group.pid);
    expect(sleeping).toHaveLength(2);
    const [action] = sleeping.toSorted((a, b) => a.pid - b.pid);
    // As if the first one had begun an action.
    const begin = { name: "a", type: "imap", destination: "d", startedAt: new Date().toISOString() };
    await writeFile(journal, JSON.stringify({ is: "begin", id: "x", pid: action?.pid, action: begin }));
    const left = await waitForBackground({ group: group.pid, journal, signal: never(), quietMs: 300 });
    const took = performance.now() - began;
    expect(left.map(({ name }) => name)).toEqual(["sleep"]);
    expect(took).toBeGreaterThan(1000);
    expect(took).toBeLessThan(busy(3000));
    await waitForGroup(group, { signal: AbortSignal.abort(), graceMs: 1000 });
  });

  it("is not waited for when the run is stopped, or nothing is left", async () => {
    const group = await start("sleep 60 & exit");
    await group.ended;
    expect(await waitForBackground({ group: group.pid, journal, signal: AbortSignal.abort() })).toEqual([]);
    await waitForGroup(group, { signal: AbortSignal.abort(), graceMs: 1000 });
    expect(await waitForBackground({ group: group.pid, journal, signal: never() })).toEqual([]);
  });
});
