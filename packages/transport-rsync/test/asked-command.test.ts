import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { isMeant, readWords, sendingCommand } from "../src/asked-command.js";

const OPTIONS = ["-aHAX", "--numeric-ids", "--bwlimit=100", "--files-from=-", "--from0"];

describe("a command that one host asks for at another", () => {
  it("is what rsync of this machine would run, whatever the two can do and in which order options come", async () => {
    const meant = await sendingCommand(OPTIONS, process.env);
    expect(meant.slice(0, 3)).toEqual(["rsync", "--server", "--sender"]);
    expect(meant.slice(-2)).toEqual([".", "./"]);
    expect(isMeant(meant, meant)).toBe(true);
    const older = meant.map((word) => word.replace(/e[\d.]*\.[A-Za-z]+$/, "e31.1LsfxC"));
    expect(older).not.toEqual(meant);
    expect(isMeant(older, meant)).toBe(true);
    expect(isMeant([...meant.slice(0, 3), ...meant.slice(3, -2).toReversed(), ...meant.slice(-2)], meant)).toBe(true);
  });

  it.each<readonly [what: string, change: (words: readonly string[]) => readonly string[]]>([
    ["another program", (words) => ["sh", ...words.slice(1)]],
    ["one that writes", (words) => words.filter((word) => word !== "--sender")],
    ["one more option", (words) => words.toSpliced(4, 0, "--remove-source-files")],
    ["an option with another value", (words) => words.map((word) => word.replace("=100", "=1000"))],
    ["an option twice", (words) => words.toSpliced(4, 0, "--numeric-ids")],
    ["more letters", (words) => words.map((word) => word.replace(/^-([a-z]+)/i, "-L$1"))],
    ["another directory", (words) => [...words.slice(0, -1), "/etc/"]],
    ["one more directory", (words) => [...words, ".", "./"]],
    ["a command behind it", (words) => [...words.slice(0, -1), "./;id"]],
    ["nothing", () => []],
  ])("is not %s", async (_what, change) => {
    const meant = await sendingCommand(OPTIONS, process.env);
    const asked = change(meant);
    expect(asked).not.toEqual(meant);
    expect(isMeant(asked, meant)).toBe(false);
  });

  it("is read in pieces of any size, and what follows it is left", async () => {
    for (const size of [1, 3, 7, 100]) {
      const stream = new PassThrough();
      const bytes = Buffer.from("3\nthere\0rsync\0a b\n\0protocol");
      for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
      expect(await readWords(stream)).toEqual(["there", "rsync", "a b\n"]);
      expect(String(stream.read())).toBe("protocol");
    }
  });

  it.each(["welcome\n", "-1\n", "1000000\n", `2\n${"x".repeat(100_000)}`])("is nothing else: %s", async (text) => {
    const stream = new PassThrough();
    stream.write(text);
    await expect(readWords(stream)).rejects.toMatchObject({ code: "PROTOCOL" });
  });

  it("may be none", async () => {
    const stream = new PassThrough();
    stream.end();
    expect(await readWords(stream)).toBeUndefined();
  });
});
