import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPath } from "@backup/core";
import { directoriesFor, folderOf } from "../src/folder-names.js";

const one = (...names: string[]): string => directoriesFor([names])[0] ?? "";
const hostile = fc.oneof(
  fc.constantFrom(
    "..",
    ".",
    "",
    "cur",
    "NEW",
    "tmp",
    "dovecot-keywords",
    "Dovecot",
    "backup-keywords",
    "a/b",
    "/",
    "\0",
    "\n",
  ),
  fc.constantFrom(
    "%",
    "%41",
    "%+",
    "%-",
    "a%+",
    "%+a",
    "%u0041",
    "%ud800",
    "~",
    "-rf",
    " ",
    "a.",
    "a ",
    ".hidden",
    ".backup",
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom("a", "A", "é", "É", "e\u0301", "ß", "s", "İ", "ı", "i", "ς", "σ", "Σ"),
    maxLength: 4,
  }),
  fc.string({ unit: fc.constantFrom("x", "X", "ä", "%", "\ud800", "/"), minLength: 200, maxLength: 600 }),
  // Lone surrogates, as a broken decoder leaves them.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 }).map((codes) => String.fromCharCode(...codes)),
);
const folder = fc.array(hostile, { minLength: 1, maxLength: 4 });

describe("folder names", () => {
  it("leaves ordinary names as they are", () => {
    for (const names of [
      ["INBOX"],
      ["Archive", "2024"],
      ["Entwürfe"],
      ["日本語"],
      ["[Gmail]", "All Mail"],
      ["a.b"],
      ["R&D, etc. (old)"],
    ])
      expect(one(...names)).toBe(names.join("/"));
  });

  it.each([
    [[".."], "%2E%2E"],
    [["a/b"], "a%2Fb"],
    [["cur"], "%63ur"],
    [["a", "New"], "a/%4Eew"],
    [["dovecot-keywords"], "%64ovecot-keywords"],
    [["100%"], "100%25"],
    [[""], "%-"],
    [["Re: x?"], "Re%3A x%3F"],
    [["-rf"], "%2Drf"],
    [["\ud800"], "%ud800"],
    [["line\nbreak"], "line%0Abreak"],
  ])("escapes %j", (names, directory) => {
    expect(one(...names)).toBe(directory);
    expect(folderOf(directory)).toEqual(names);
  });

  it("tells names apart that differ in case or normalization only", () => {
    expect(directoriesFor([["foo"], ["Foo"], ["FOO", "a"]])).toEqual(["foo", "%46oo", "%46%4F%4F/a"]);
    const [composed, decomposed] = directoriesFor([["\u00e9"], ["e\u0301"]]);
    expect(composed).not.toBe(decomposed);
    expect(directoriesFor([["ς"], ["σ"]])).toEqual(["%CF%82", "%CF%83"]);
    expect(directoriesFor([["i"], ["ı"]])).toEqual(["i", "%C4%B1"]);
    expect(directoriesFor([["ς"], ["a", "σ"]])).toEqual(["ς", "a/σ"]);
  });

  it("takes work that grows with a name's depth, not with its square", () => {
    const depth = 20_000;
    const before = process.cpuUsage();
    const folders = Array.from({ length: 10 }, (_, index) => [
      String(index),
      ...Array.from({ length: depth }, () => "d"),
    ]);
    expect(directoriesFor(folders).map((directory) => directory.length)).toEqual(folders.map(() => 1 + 2 * depth));
    // Seconds of the processor, of which the square takes minutes.
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(10);
  });

  it("cuts names that no file system holds", () => {
    const name = "x".repeat(500);
    const directory = one("INBOX", name);
    expect(directory.split("/")).toHaveLength(4);
    expect(folderOf(directory)).toEqual(["INBOX", name]);
  });

  it("round-trips any names, stays inside, and keeps all apart where case is ignored", () => {
    fc.assert(
      fc.property(fc.uniqueArray(folder, { maxLength: 12, selector: (names) => JSON.stringify(names) }), (folders) => {
        const directories = directoriesFor(folders);
        for (const [index, directory] of directories.entries()) {
          checkPath(directory);
          expect(folderOf(directory)).toEqual(folders[index]);
          for (const part of directory.split("/")) {
            expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255);
            expect(part).not.toMatch(/^(cur|new|tmp|\..*|dovecot.*|backup-.*)$/i);
            // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
            expect(part).not.toMatch(/[\x00-\x1f\x7f\\:*?"<>|\ud800-\udbff](?![\udc00-\udfff])/);
          }
        }
        const plain = directories.map((directory) => directory.normalize("NFC"));
        expect(new Set(plain.map((directory) => directory.toLowerCase())).size).toBe(folders.length);
        expect(new Set(plain.map((directory) => directory.toUpperCase().toLowerCase())).size).toBe(folders.length);
      }),
      { numRuns: 3000 },
    );
  });

  it("does not take a directory for a folder that none has", () => {
    for (const directory of ["%", "%zz", "a%", "a%+", "%+a", "a/%+b", "%C3"])
      expect(folderOf(directory)).toBeUndefined();
  });
});
