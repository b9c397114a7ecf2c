import { readFile, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { breakTurn, takeFileTurn } from "../src/reports/file-turn.js";

let directory: TemporaryDirectory;
let file: string;
let mark: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  file = join(directory.path, "backup.prom");
  mark = join(directory.path, ".backup.prom.lock");
});
afterEach(() => directory[Symbol.asyncDispose]());

const OLD = new Date(Date.now() - 60_000);
const never = (): AbortSignal => new AbortController().signal;

describe("the turn of a file", () => {
  it("is one's alone, also where many find that of a killed process", async () => {
    await writeFile(mark, "");
    await utimes(mark, OLD, OLD);
    let holders = 0;
    const most: number[] = [];
    const take = async (): Promise<void> => {
      await using _turn = await takeFileTurn(file, never());
      most.push(++holders);
      await setImmediate();
      holders--;
    };
    await Promise.all(Array.from({ length: 20 }, take));
    expect(most).toEqual(most.map(() => 1));
    expect(most).toHaveLength(20);
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("that began meanwhile is not broken, and an old one is", async () => {
    await writeFile(mark, "another's");
    await breakTurn(mark);
    expect(await readFile(mark, "utf8")).toBe("another's");
    await utimes(mark, OLD, OLD);
    await breakTurn(mark);
    await breakTurn(mark);
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("that was lost is not given back: another has it", async () => {
    const lost = await takeFileTurn(file, never());
    await utimes(mark, OLD, OLD);
    const next = await takeFileTurn(file, never());
    await lost[Symbol.asyncDispose]();
    expect(await readdir(directory.path)).toEqual([".backup.prom.lock"]);
    await next[Symbol.asyncDispose]();
    expect(await readdir(directory.path)).toEqual([]);
  });
});
