import { expect, it } from "vitest";
import { parseItemized } from "../src/itemized.js";

it("reads what is done with each kind of entry", () => {
  const file = { kind: "file", path: "a/b", size: 1234, mtime: Date.UTC(2026, 10, 24, 2, 15, 48) / 1000 };
  const line = (what: string, name = "a/b"): string => `=${what} 1234 2026/11/24-02:15:48 ${name}`;
  expect(parseItemized(line(">f+++++++++"))).toEqual({ ...file, action: "transfer", isNew: true });
  expect(parseItemized(line("<f.st......"))).toEqual({ ...file, action: "transfer", isNew: false });
  expect(parseItemized(line(".f...p....."))).toEqual({ ...file, action: "attributes", isNew: false });
  expect(parseItemized(line("hf+++++++++"))).toEqual({ ...file, action: "make", isNew: true });
  expect(parseItemized(line("cL+++++++++"))).toEqual({ ...file, kind: "link", action: "make", isNew: true });
  expect(parseItemized(line("cD+++++++++"))).toEqual({ ...file, kind: "other", action: "make", isNew: true });
  expect(parseItemized(line("cd+++++++++", "a/b/"))).toEqual({
    ...file,
    kind: "directory",
    action: "make",
    isNew: true,
  });
});

it("reads what is deleted, a directory by its slash", () => {
  expect(parseItemized("=*deleting   0 1970/01/01-00:00:00 a/b/y")).toMatchObject({
    kind: "file",
    action: "delete",
    path: "a/b/y",
  });
  expect(parseItemized("=*deleting   0 1970/01/01-00:00:00 a/b/")).toMatchObject({ kind: "directory", path: "a/b" });
});

it("gives names as bytes: line feeds, backslashes, blanks and what is no UTF-8", () => {
  const pathOf = (name: string): string | undefined =>
    parseItemized(`=>f+++++++++ 1 2026/11/24-02:15:48 ${name}`)?.path;
  expect(pathOf("nl\\#012name")).toBe("nl\nname");
  expect(pathOf("back\\#134#012")).toBe("back\\#012");
  expect(pathOf("back\\slash")).toBe("back\\slash");
  expect(pathOf(" first and last ")).toBe(" first and last ");
  expect(pathOf("inv\xff")).toBe("inv\xff");
});

it("takes no other line for one", () => {
  for (const line of [
    "",
    "created directory d",
    "Number of files: 10 (reg: 6, dir: 3, link: 1)",
    ">f+++++++++ 1 2026/11/24-02:15:48 x",
    "=",
    "=>f+++++++++ x",
    "=*message    0 1970/01/01-00:00:00 x",
  ])
    expect(parseItemized(line), line).toBeUndefined();
});
