import { expect, it } from "vitest";
import { bytesOf, walkRules } from "../src/walk-rules.js";

it("takes sizes as rsync does", () => {
  const sizes = { "10": 10, "1k": 1024, "1kb": 1000, "1.5K": 1536, "2mib": 2_097_152, "1g-1": 1_073_741_823, "3b": 3 };
  for (const [text, bytes] of Object.entries(sizes)) expect(bytesOf(text), text).toBe(bytes);
});

it("skips by size, and leaves out our own directory at the top", () => {
  const rules = walkRules({ maxSize: "1k", minSize: "2" });
  expect([1, 2, 1024, 1025].map((size) => rules.isSkipped(size))).toEqual([true, false, false, true]);
  expect(rules.isLeftOut(".backup", true)).toBe(true);
  expect(rules.isLeftOut("sub/.backup", true)).toBe(false);
});

it("knows a directory that is left out from a file, and letters from other letters", () => {
  const rules = walkRules({ exclude: ["cache/", "*.tmp"], include: ["keep.tmp"] });
  expect(rules.isLeftOut("a/cache", true)).toBe(true);
  expect(rules.isLeftOut("a/cache", false)).toBe(false);
  expect(rules.isLeftOut("x.tmp", false)).toBe(true);
  expect(rules.isLeftOut("x.TMP", false)).toBe(false);
  expect(rules.isLeftOut("a/keep.tmp", false)).toBe(false);
});

it("takes names that are no UTF-8, or look like something else", () => {
  const rules = walkRules({ exclude: ["früh*"] });
  expect(rules.isLeftOut(Buffer.from("a/früh1").toString("latin1"), false)).toBe(true);
  for (const path of ["inv\xff", "..", "...", "..x/y", "./z", "nl\nname", "!a", "#a"])
    expect(rules.isLeftOut(path, false), path).toBe(false);
});
