import { appendFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { type Begin, beginInJournal, readJournal } from "../src/journal.js";
import type { ActionResult } from "../src/result.js";

const STARTED = "2026-01-01T00:00:00.000Z";
const SOON = Date.parse(STARTED) + 2500;

let directory: TemporaryDirectory;
let file: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  file = join(directory.path, "journal");
});
afterEach(() => directory[Symbol.asyncDispose]());

function begin(name: string): Begin {
  return { name, type: "imap", destination: `/srv/${name}`, startedAt: STARTED };
}

function ok(name: string): ActionResult {
  return { ...begin(name), outcome: "ok", status: 0, seconds: 1 };
}

describe("a journal", () => {
  it("gives back what was noted, in the order in which it began", () => {
    const [a, b] = [beginInJournal(file, begin("a")), beginInJournal(file, begin("b\n\u2028\u0000é"))];
    b([ok("b\n\u2028\u0000é")]);
    a([{ ...ok("a"), outcome: "failed", status: 1, error: { code: "TIMEOUT", message: "too\nlate" } }]);
    expect(readJournal(file)).toEqual({
      actions: [
        { ...ok("a"), outcome: "failed", status: 1, error: { code: "TIMEOUT", message: "too\nlate" } },
        ok("b\n\u2028\u0000é"),
      ],
      problems: 0,
      statuses: new Set([0, 1]),
      unended: [],
    });
  });

  it("knows with which statuses its commands may have ended", () => {
    const noted = (problems: number, ...statuses: readonly number[]) => {
      const outcomes = new Map([
        [0, "ok"],
        [3, "partial"],
        [130, "interrupted"],
      ] as const);
      const results = statuses.map(
        (status): ActionResult => ({
          ...ok("x"),
          status,
          outcome: outcomes.get(status as 0 | 3 | 130) ?? "failed",
        }),
      );
      beginInJournal(file, begin("run"))(results, problems);
      const { statuses: all, problems: sum } = readJournal(file);
      return [[...all].toSorted((one, other) => one - other), sum];
    };
    expect(noted(0, 0)).toEqual([[0], 0]);
    expect(noted(2, 0, 0)).toEqual([[0, 4], 2]);
    // Of many, where one was refused: 1, as one for all has it.
    expect(noted(1, 2, 0)).toEqual([[0, 1, 2, 4], 3]);
    expect(noted(0, 3, 130)).toEqual([[0, 1, 2, 3, 4, 130], 3]);
  });

  it("takes what has no end for killed, or for stopped with the run", () => {
    beginInJournal(file, begin("a"));
    beginInJournal(file, begin("b"))([ok("b")]);
    expect(readJournal(file, { now: SOON })).toEqual({
      actions: [
        {
          ...begin("a"),
          outcome: "failed",
          status: 1,
          seconds: 2.5,
          error: { code: "KILLED", message: expect.stringMatching(/ended from outside.*next run goes on/) },
        },
        ok("b"),
      ],
      problems: 0,
      statuses: new Set([0, 1]),
      unended: [process.pid],
    });
    expect(readJournal(file, { now: SOON, isStopped: true }).actions[0]).toMatchObject({
      outcome: "interrupted",
      status: 130,
      error: { code: "ABORTED" },
    });
    // The clock was set back.
    expect(readJournal(file, { now: 0 }).actions[0]).toMatchObject({ seconds: 0 });
  });

  it("holds as many actions in the place of one as a run in a run had", () => {
    const [run, other] = [beginInJournal(file, begin("run")), beginInJournal(file, begin("other"))];
    const none = beginInJournal(file, begin("none"));
    other([ok("other")]);
    run([ok("x"), ok("y")]);
    none([]);
    expect(readJournal(file).actions).toEqual([ok("x"), ok("y"), ok("other")]);
  });

  it("says of a line that it cannot read that something is missing, and reads the others", async () => {
    const end = beginInJournal(file, begin("a"));
    const whole = await readFile(file, "utf8");
    // The disk was full, or the writer was killed.
    await appendFile(file, whole.trim().slice(0, 40));
    end([ok("a")]);
    for (const line of ["null", "[]", "{}", '"text"', '{"id":"x"}', '{"is":"begin","id":"x"}', '{"is":"end","id":"y"}'])
      await appendFile(file, `${line}\n`);
    const { actions } = readJournal(file);
    expect(actions[0]).toEqual(ok("a"));
    expect(actions).toHaveLength(9);
    for (const action of actions.slice(1))
      expect(action).toMatchObject({ outcome: "failed", error: { code: "JOURNAL_BROKEN" } });
  });

  it("is empty before anything began", async () => {
    await writeFile(file, "");
    expect(readJournal(file)).toEqual({ actions: [], problems: 0, statuses: new Set(), unended: [] });
  });

  it("is for its owner alone, and says when it cannot be written", async () => {
    beginInJournal(file, begin("a"));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await mkdir(join(directory.path, "d"));
    for (const [place, code] of [
      [join(directory.path, "d"), "EISDIR"],
      [join(directory.path, "none/journal"), "ENOENT"],
    ] as const) {
      const error = new BackupError(
        "USAGE",
        `BACKUP_JOURNAL names ${place}, which cannot be written (${code}); leave that variable alone`,
      );
      expect(() => beginInJournal(place, begin("a"))).toThrow(error);
    }
  });
});
