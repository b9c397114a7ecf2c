import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { readFile, readdir, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Lease, type LeaseFile, LocalStore, isBackupError, takeLease } from "../src/index.js";
import { localLeaseFile } from "../src/local-lease-file.js";
import { isDeadHere, processMark } from "../src/process-mark.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";

const ELSEWHERE = JSON.stringify({ token: "t", host: "other.example", pid: 7, process: "x", since: "2026-01-01" });

/** A lease file of which the test sees and sets everything. */
class PlainFile implements LeaseFile {
  text: string | undefined;
  ageMs = 0;
  beats = 0;
  beatenAt = 0;
  fault: Error | undefined;
  faults = 0;

  async create(text: string): Promise<boolean> {
    if (this.text !== undefined) return false;
    this.text = text;
    this.ageMs = 0;
    return true;
  }

  async read(): Promise<{ text: string; ageMs: number } | undefined> {
    if (this.fault) {
      this.faults++;
      throw this.fault;
    }
    return this.text === undefined ? undefined : { text: this.text, ageMs: this.ageMs };
  }

  async beat(): Promise<void> {
    this.beats++;
    this.beatenAt = performance.now();
  }

  async remove(text: string): Promise<boolean> {
    if (this.fault) throw this.fault;
    if (this.text !== text) return false;
    this.text = undefined;
    return true;
  }
}

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

describe("takeLease", () => {
  const timing = { beatMs: 10, expiryMs: 300 };

  it("writes who holds it, and removes it at the end", async () => {
    const file = new PlainFile();
    {
      await using lease = await takeLease(file, "dest", timing);
      expect(lease.lost.aborted).toBe(false);
      expect(JSON.parse(file.text ?? "")).toMatchObject({ host: hostname(), pid: process.pid, process: processMark() });
    }
    expect(file.text).toBeUndefined();
  });

  it("refuses one that is fresh and says whose it is and how long it may take", async () => {
    const file = new PlainFile();
    file.text = ELSEWHERE;
    file.ageMs = 30_000;
    const taken = takeLease(file, "dest", { beatMs: 15_000, expiryMs: 90_000 });
    await expect(taken).rejects.toMatchObject({ code: "LEASE_HELD", transient: true });
    await expect(taken).rejects.toThrow(/dest: process 7 on other\.example since 2026-01-01.* again in 60 s/);
    expect(file.text).toBe(ELSEWHERE);
  });

  it.each([ELSEWHERE, "", "{", "null", '{"pid":"7"}', "\0\0\0"])(
    "takes over %j only when it has expired",
    async (text) => {
      const file = new PlainFile();
      file.text = text;
      file.ageMs = timing.expiryMs;
      await expect(takeLease(file, "dest", timing)).rejects.toMatchObject({ code: "LEASE_HELD" });
      file.ageMs = timing.expiryMs + 1;
      await using lease = await takeLease(file, "dest", timing);
      expect(lease.lost.aborted).toBe(false);
      expect(JSON.parse(file.text ?? "")).toMatchObject({ pid: process.pid });
    },
  );

  it("has a higher number than the one that it takes over, whatever the clocks say", async () => {
    const file = new PlainFile();
    const ahead = Date.now() + 3_600_000;
    file.text = JSON.stringify({ ...JSON.parse(ELSEWHERE), fence: ahead });
    file.ageMs = timing.expiryMs + 1;
    await using lease = await takeLease(file, "dest", timing);
    expect(lease.fence).toBe(ahead + 1);
    expect(JSON.parse(file.text ?? "")).toMatchObject({ fence: ahead + 1 });
  });

  it("beats while it is held, and not after", async () => {
    const file = new PlainFile();
    {
      await using _lease = await takeLease(file, "dest", timing);
      await expect.poll(() => file.beats, { interval: 5 }).toBeGreaterThan(3);
    }
    const { beats } = file;
    await sleep(50);
    expect(file.beats).toBe(beats);
  });

  it.each([ELSEWHERE, undefined])("is lost when the file says %j, and then left alone", async (text) => {
    const file = new PlainFile();
    {
      await using lease = await takeLease(file, "dest", timing);
      file.text = text;
      await once(lease.lost, "abort");
      expect(lease.lost.reason).toMatchObject({ name: "BackupError", code: "LEASE_LOST", transient: true });
    }
    expect(file.text).toBe(text);
  });

  it("outlives a beat that fails, and is lost when all fail until it would have expired", async () => {
    const file = new PlainFile();
    // Longer than a busy machine lets anybody wait.
    const patient = { ...timing, expiryMs: 1500 };
    await using lease = await takeLease(file, "dest", patient);
    file.fault = systemError("EIO");
    await expect.poll(() => file.faults, { interval: 5 }).toBeGreaterThan(2);
    file.fault = undefined;
    const { beats } = file;
    await expect.poll(() => file.beats, { interval: 5 }).toBeGreaterThan(beats + 2);
    expect(lease.lost.aborted).toBe(false);
    file.fault = systemError("EIO");
    await once(lease.lost, "abort");
    expect(performance.now() - file.beatenAt).toBeGreaterThan(patient.expiryMs - 2 * patient.beatMs);
    expect(lease.lost.reason).toMatchObject({ code: "LEASE_LOST", cause: file.fault });
  });

  it("does not hide why a run ended when the file cannot be removed any more", async () => {
    const file = new PlainFile();
    const run = async (): Promise<void> => {
      await using _lease = await takeLease(file, "dest", timing);
      file.fault = systemError("EROFS");
      throw new Error("why");
    };
    await expect(run()).rejects.toThrow("why");
  });
});

describe("the lease as a local file", () => {
  it("is one file with its whole content, and its time is the heartbeat", async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "lease.json");
    const file = localLeaseFile(path);
    expect(await file.read()).toBeUndefined();
    expect(await file.create("mine")).toBe(true);
    expect(await file.create("mine")).toBe(false);
    expect(await localLeaseFile(path).create("other")).toBe(false);
    const old = new Date(Date.now() - 60_000);
    await utimes(path, old, old);
    const read = await file.read();
    expect(read?.text).toBe("mine");
    expect(read?.ageMs).toBeGreaterThan(59_000);
    expect(read?.ageMs).toBeLessThan(90_000);
    await file.beat("mine");
    expect((await file.read())?.ageMs).toBeLessThan(10_000);
    expect(await file.remove("other")).toBe(false);
    expect(await readFile(path, "utf8")).toBe("mine");
    expect(await file.remove("mine")).toBe(true);
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("goes to one of two that take over at the same time", async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "lease.json");
    for (let round = 0; round < 50; round++) {
      await writeFile(path, ELSEWHERE);
      const old = new Date(Date.now() - 600_000);
      await utimes(path, old, old);
      const taken = await Promise.allSettled([
        takeLease(localLeaseFile(path), "dest"),
        takeLease(localLeaseFile(path), "dest"),
      ]);
      const winners = taken.filter((one) => one.status === "fulfilled");
      expect(winners).toHaveLength(1);
      for (const { value } of winners) await value[Symbol.asyncDispose]();
      expect(await readdir(directory.path)).toEqual([]);
    }
  });
});

describe("a process that stood still until its lease expired", () => {
  it("writes no more when it goes on, also where nobody has asked since whose the lease is", async () => {
    await using directory = await temporaryDirectory();
    const writer = `
      import { LocalStore } from "@backup/core";
      const store = new LocalStore(${JSON.stringify(directory.path)}, { timing: { beatMs: 200, expiryMs: 1500 } });
      const lease = await store.lease(new AbortController().signal);
      process.stdout.write(lease.fence + "\\n");
      lease.lost.addEventListener("abort", () => process.exit(9));
      for (let i = 0; ; i++) await store.write("file", Buffer.from(String(i)), lease.lost);
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", writer]);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    child.kill("SIGSTOP");
    const store = new LocalStore(directory.path, { timing: { beatMs: 200, expiryMs: 1500 } });
    const { signal } = new AbortController();
    const take = async (): Promise<Lease> => {
      for (;;) {
        try {
          return await store.lease(signal);
        } catch (error) {
          if (!isBackupError(error, "LEASE_HELD")) throw error;
          await sleep(100);
        }
      }
    };
    await using lease = await take();
    expect(lease.fence).toBeGreaterThan(Number(line));
    await store.write("file", Buffer.from("ours"), signal);
    const ended = once(child, "exit");
    child.kill("SIGCONT");
    expect(await ended).toEqual([9, null]);
    expect(await readFile(join(directory.path, "file"), "utf8")).toBe("ours");
  });
});

describe("isDeadHere", () => {
  const here = { host: hostname(), pid: process.pid, process: processMark() };

  it("is false for this process, and for one elsewhere", () => {
    expect(isDeadHere(here)).toBe(false);
    expect(isDeadHere({ ...here, host: "other.example", pid: 4_000_000 })).toBe(false);
  });

  // The mark is made of /proc; elsewhere it is empty and only the number is looked at.
  it("knows a later process that got the same number", () => {
    const [boot = "", namespace = "", start = ""] = here.process.split(" ");
    expect(boot).toBe(readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
    expect(namespace).toBe(readlinkSync("/proc/self/ns/pid"));
    expect(isDeadHere({ ...here, process: `${boot} ${namespace} ${Number(start) + 1}` })).toBe(true);
    expect(isDeadHere({ ...here, process: `another-boot ${namespace} ${start}` })).toBe(false);
    expect(isDeadHere({ ...here, process: `${boot} pid:[1] ${start}` })).toBe(false);
  });

  it("is true for a child that has ended", async () => {
    const child = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"]);
    await once(child, "spawn");
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const [boot, namespace] = here.process.split(" ");
    const holder = { host: hostname(), pid: child.pid ?? 0, process: `${boot} ${namespace} ${start}` };
    expect(isDeadHere(holder)).toBe(false);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isDeadHere(holder)).toBe(true);
  });
});
