import { mkdir, readFile, readdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupEvent } from "@backup/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { actionResult, sessionResult } from "../../../test/support/session-result.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { openReport } from "./support/open-report.js";
import { METRICS, type Row, mergeRows } from "../src/reports/metric-rows.js";
import { formatMetrics, parseMetrics } from "../src/reports/metrics-text.js";
import type { SessionResult } from "../src/result.js";

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Reads the text format of Prometheus, version 0.0.4, and refuses whatever is not it: one HELP and one TYPE for each
 * metric, before its samples and in one group, no sample twice, labels escaped, a line end at the end.
 */
function readExposition(text: string): readonly Sample[] {
  if (!text.endsWith("\n")) throw new Error("no line end at the end");
  const samples: Sample[] = [];
  const helps = new Set<string>();
  const types = new Set<string>();
  const closed = new Set<string>();
  const seen = new Set<string>();
  let current = "";
  const enter = (name: string): void => {
    if (name === current) return;
    if (closed.has(name)) throw new Error(`${name} is in two groups`);
    closed.add(current);
    current = name;
  };
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    if (line.startsWith("#")) {
      const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? [];
      if (keyword === undefined) throw new Error(`no comment of ours: ${line}`);
      enter(name);
      const all = keyword === "HELP" ? helps : types;
      if (all.has(name)) throw new Error(`two ${keyword} of ${name}`);
      if (keyword === "TYPE" && rest !== "gauge") throw new Error(`${name} is no gauge`);
      all.add(name);
      continue;
    }
    const sample = readSample(line);
    enter(sample.name);
    if (!helps.has(sample.name) || !types.has(sample.name)) throw new Error(`${sample.name} has no HELP or no TYPE`);
    const key = JSON.stringify([sample.name, sample.labels.action, sample.labels.type, sample.labels.destination]);
    if (seen.has(key)) throw new Error(`twice: ${line}`);
    seen.add(key);
    samples.push(sample);
  }
  return samples;
}

/** One character after the other, as Prometheus' own parser does it. */
function readSample(line: string): Sample {
  let at = 0;
  const take = (pattern: RegExp): string => {
    const [found] = new RegExp(pattern.source, "y").exec(line.slice(at)) ?? [];
    if (found === undefined) throw new Error(`${pattern} expected at ${at} of ${line}`);
    at += found.length;
    return found;
  };
  const name = take(/[a-zA-Z_:][a-zA-Z0-9_:]*/);
  const labels: Record<string, string> = {};
  take(/\{/);
  for (;;) {
    const label = take(/[a-zA-Z_][a-zA-Z0-9_]*/);
    if (label in labels) throw new Error(`label ${label} twice in ${line}`);
    take(/="/);
    let value = "";
    for (;;) {
      const character = line[at++];
      if (character === undefined) throw new Error(`no end of the label in ${line}`);
      if (character === '"') break;
      if (character !== "\\") {
        value += character;
        continue;
      }
      const escaped = line[at++];
      const meant = escaped === "n" ? "\n" : escaped === "\\" || escaped === '"' ? escaped : undefined;
      if (meant === undefined) throw new Error(`wrong escape in ${line}`);
      value += meant;
    }
    labels[label] = value;
    if (take(/[,}]/) === "}") break;
  }
  take(/ /);
  const value = Number(take(/[-+0-9.eE]+/));
  if (!Number.isFinite(value) || at !== line.length) throw new Error(`no number at the end of ${line}`);
  return { name, labels, value };
}

let directory: TemporaryDirectory;
let file: string;
let events: BackupEvent[];

beforeEach(async () => {
  directory = await temporaryDirectory();
  file = join(directory.path, "backup.prom");
  events = [];
});
afterEach(() => directory[Symbol.asyncDispose]());

async function report(result: SessionResult, signal = AbortSignal.timeout(10_000)): Promise<void> {
  const onEvent = (event: BackupEvent): void => void events.push(event);
  const reporter = await openReport("metrics", { file }, { onEvent });
  await reporter.ended(result, signal);
}

const read = async (): Promise<readonly Sample[]> => readExposition(await readFile(file, "utf8"));

/** The values of an action by the metrics' names, without their prefix. */
async function valuesOf(action: string): Promise<Readonly<Record<string, number>>> {
  const own = (await read()).filter(({ labels }) => labels.action === action);
  return Object.fromEntries(own.map(({ name, value }) => [name.replace("backup_", ""), value]));
}

const ENDED = Date.parse("2026-01-02T03:04:07.178Z") / 1000;

describe("the metrics of a run", () => {
  it("are all of what an action did", async () => {
    await report(sessionResult(actionResult("ok")));
    expect(await valuesOf("alice → /srv/alice")).toEqual({
      last_run_timestamp_seconds: ENDED,
      last_success_timestamp_seconds: ENDED,
      last_duration_seconds: 1.5,
      last_status: 0,
      items: 60,
      items_added: 5,
      items_removed: 2,
      items_failed: 0,
      bytes_stored: 123_456,
    });
    const [sample] = await read();
    expect(sample?.labels).toEqual({ action: "alice → /srv/alice", type: "imap", destination: "/srv/alice" });
    expect(new Set((await read()).map(({ name }) => name))).toEqual(new Set(Object.keys(METRICS)));
    expect(events).toEqual([]);
  });

  it.each([
    ["partial", 1],
    ["failed", 2],
    ["interrupted", 3],
  ] as const)("say that it ended %s, and keep when it last ended well", async (outcome, status) => {
    await report(sessionResult(actionResult("ok")));
    const later = { startedAt: "2026-01-03T03:04:05.000Z", seconds: 2 };
    await report(sessionResult(actionResult(outcome, later)));
    expect(await valuesOf("alice → /srv/alice")).toMatchObject({
      last_run_timestamp_seconds: Date.parse("2026-01-03T03:04:07.000Z") / 1000,
      last_success_timestamp_seconds: ENDED,
      last_duration_seconds: 2,
      last_status: status,
      items: 60,
    });
  });

  it("of an action that never ended well have no time of success", async () => {
    await report(sessionResult(actionResult("failed")));
    const values = await valuesOf("alice → /srv/alice");
    expect(Object.keys(values).toSorted()).toEqual([
      "last_duration_seconds",
      "last_run_timestamp_seconds",
      "last_status",
    ]);
  });

  it("keep those of actions that were not in this run", async () => {
    await report(sessionResult(actionResult("ok", { name: "a" }), actionResult("ok", { name: "b" })));
    await report(sessionResult(actionResult("failed", { name: "b" }), actionResult("ok", { name: "c" })));
    expect((await valuesOf("a")).last_status).toBe(0);
    expect((await valuesOf("b")).last_status).toBe(2);
    expect((await valuesOf("c")).last_status).toBe(0);
  });

  it("leave out what is no action: it would never turn good again", async () => {
    const hook = actionResult("failed", { name: "before the actions", type: "hook", destination: "" });
    await report(sessionResult(hook, actionResult("ok")));
    expect(new Set((await read()).map(({ labels }) => labels.type))).toEqual(new Set(["imap"]));
  });

  it("say nothing of a dry run, and keep what was said before", async () => {
    const ok = actionResult("ok");
    const report_ = ok.report && { ...ok.report, dryRun: true };
    await report(sessionResult(ok));
    const before = await read();
    const later = { startedAt: "2026-01-03T03:04:05.000Z", report: report_ };
    await report(sessionResult({ ...ok, ...later }, { ...ok, ...later, name: "b" }));
    expect(await read()).toEqual(before);
  });

  it("hold any name as it is", async () => {
    const names = ['"', "\\", "\n", 'a\\"b\n\\nc', "} 1\nbackup_last_status{", "日本語 ü", "\r\t", ""];
    await report(sessionResult(...names.map((name) => actionResult("ok", { name, destination: `/srv/${name}` }))));
    // Read again from the file, and written again.
    await report(sessionResult(actionResult("ok", { name: "last" })));
    const found = (await read()).filter(({ name }) => name === "backup_last_status").map(({ labels }) => labels.action);
    expect(found).toHaveLength(names.length + 1);
    expect(new Set(found)).toEqual(new Set([...names, "last"]));
    for (const name of names) expect(await valuesOf(name)).toMatchObject({ items: 60 });
  });

  it("are read as they were written, whatever they are", async () => {
    const label = fc.string({ unit: "grapheme" });
    const row = fc.record({
      name: fc.constantFrom(...(Object.keys(METRICS) as Row["name"][])),
      labels: fc.record({ action: label, type: label, destination: label }),
      value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row), async (any) => {
        const rows = mergeRows(any);
        const text = await formatMetrics(rows);
        const parsed = parseMetrics(text);
        expect(parsed?.unknown).toBe(0);
        expect(new Set(parsed?.rows)).toEqual(new Set(rows));
        expect(new Set(readExposition(text))).toEqual(new Set(rows));
      }),
      { numRuns: 100 },
    );
  });
});

describe("the file of metrics", () => {
  it("can be read by everyone, and is alone in its directory", async () => {
    const before = process.umask(0o077);
    try {
      await report(sessionResult(actionResult("ok")));
    } finally {
      process.umask(before);
    }
    expect((await stat(file)).mode & 0o777).toBe(0o644);
    expect(await readdir(directory.path)).toEqual(["backup.prom"]);
  });

  it("is never seen half, and no run's rows are lost, when many write at once", async () => {
    const texts: string[] = [];
    let isDone = false;
    const watch = async (): Promise<void> => {
      while (!isDone) {
        const text = await readFile(file, "utf8").catch(() => undefined);
        if (text !== undefined) texts.push(text);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const names = Array.from({ length: 8 }, (_, index) => `action ${index}`);
    const watching = watch();
    await Promise.all(names.map((name) => report(sessionResult(actionResult("ok", { name })))));
    isDone = true;
    await watching;
    expect(texts.length).toBeGreaterThan(0);
    for (const text of new Set(texts)) expect(readExposition(text).length).toBeGreaterThan(0);
    expect(new Set((await read()).map(({ labels }) => labels.action))).toEqual(new Set(names));
    expect(await readdir(directory.path)).toEqual(["backup.prom"]);
  });

  it("waits for a process that is writing it, and not for one that was killed", async () => {
    const mark = join(directory.path, ".backup.prom.lock");
    await writeFile(mark, "");
    await expect(report(sessionResult(actionResult("ok")), AbortSignal.timeout(200))).rejects.toMatchObject({
      code: "REPORT_FAILED",
      message: expect.stringMatching(/\(there was no more time\)/),
    });
    expect(await readdir(directory.path)).toEqual([".backup.prom.lock"]);
    const old = new Date(Date.now() - 11_000);
    await utimes(mark, old, old);
    await report(sessionResult(actionResult("ok")));
    expect(await readdir(directory.path)).toEqual(["backup.prom"]);
  });

  it("that somebody else wrote is left alone", async () => {
    for (const text of [
      "# HELP node_load1 1m load average.\n# TYPE node_load1 gauge\nnode_load1 0.2\n",
      "root:x:0:0\n",
    ]) {
      await writeFile(file, text);
      await expect(report(sessionResult(actionResult("ok")))).rejects.toMatchObject({
        code: "REPORT_FAILED",
        message: `the metrics were not written: ${file} holds what backup did not write; name another file; the backup itself is not affected`,
      });
      expect(await readFile(file, "utf8")).toBe(text);
      expect(await readdir(directory.path)).toEqual(["backup.prom"]);
    }
  });

  it("that is empty is filled", async () => {
    await writeFile(file, "");
    await report(sessionResult(actionResult("ok")));
    expect((await read()).length).toBe(9);
  });

  it("that is broken keeps what makes sense, and a warning says so", async () => {
    await report(sessionResult(actionResult("ok", { name: "a" })));
    const whole = await readFile(file, "utf8");
    const lines = whole
      .replace(/^(backup_last_status.*)$/m, "$1 what")
      .replace(/\n[^\n]*\n$/, "\nbackup_bytes_stored{act");
    await writeFile(file, `${lines}\nnode_load1 0.2\nbackup_items{action="x"} 1`);
    await report(sessionResult(actionResult("ok", { name: "b" })));
    expect(Object.keys(await valuesOf("a"))).toHaveLength(7);
    expect(Object.keys(await valuesOf("b"))).toHaveLength(9);
    expect(events).toMatchObject([
      { type: "warning", code: "METRICS_REPLACED", message: expect.stringMatching(/ held 4 lines that make no sense/) },
    ]);
  });

  it("is a link's own place, not what it points at", async () => {
    const other = join(directory.path, "other");
    await writeFile(other, "");
    await symlink(other, file);
    await report(sessionResult(actionResult("ok")));
    expect(await readFile(other, "utf8")).toBe("");
    expect((await read()).length).toBe(9);
  });

  it.each([
    ["whose directory is missing", "ENOENT", async () => void (file = join(directory.path, "none", "backup.prom"))],
    ["that is a directory", "EISDIR", () => mkdir(file)],
  ])("%s is told", async (_name, code, prepare) => {
    await prepare();
    await expect(report(sessionResult(actionResult("ok")))).rejects.toMatchObject({
      code: "REPORT_FAILED",
      message: `the metrics could not be written to ${file} (${code}); the backup itself is not affected`,
    });
  });

  it("is not written when there is no more time", async () => {
    await expect(report(sessionResult(actionResult("ok")), AbortSignal.abort())).rejects.toMatchObject({
      code: "REPORT_FAILED",
      message: expect.stringMatching(/\(there was no more time\); the backup itself is not affected$/),
    });
    expect(await readdir(directory.path)).toEqual([]);
  });
});
