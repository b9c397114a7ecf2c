import { posix } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPath, parentOf } from "../src/index.js";
import { isSafe } from "../src/paths.js";

describe("checkPath", () => {
  it.each(["a", "a/b", "...", ".hidden", "a..b/..c", " ", "-", "a\\..\\b", "C:", "中/😀", "a\nb", "~"])(
    "takes %j",
    (path) => {
      expect(isSafe(path)).toBe(true);
      checkPath(path);
    },
  );

  it.each([
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "./a",
    "a/.",
    "..",
    "../a",
    "a/..",
    "a/../b",
    "a\0",
    "\ud83d",
    "a/\ude00b",
  ])("refuses %j", (path) => {
    expect(isSafe(path)).toBe(false);
    expect(() => checkPath(path)).toThrow(expect.objectContaining({ code: "UNSAFE_PATH" }));
    expect(() => checkPath(path)).toThrow(JSON.stringify(path));
  });

  it("takes no path that leaves its root, or names the same as another", () => {
    const name = fc.oneof(fc.constantFrom("", ".", "..", "a"), fc.string({ unit: "binary", maxLength: 5 }));
    fc.assert(
      fc.property(fc.array(name, { maxLength: 6 }), (names) => {
        const path = names.join("/");
        if (!isSafe(path)) return;
        expect(posix.join("/root", path)).toBe(`/root/${path}`);
        expect(Buffer.from(path).toString()).toBe(path);
      }),
      { numRuns: 5000 },
    );
  });
});

it("parentOf gives the directory, and nothing for a name alone", () => {
  expect(parentOf("a/b/c")).toBe("a/b");
  expect(parentOf("a/b")).toBe("a");
  expect(parentOf("a")).toBe("");
});
