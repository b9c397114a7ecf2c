import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeName, escapeNames, isSafe, unescapeName } from "../src/index.js";

const hostile = fc.oneof(
  fc.constantFrom(
    "..",
    ".",
    "",
    "a/b",
    "/",
    "\0",
    "\n",
    "%",
    "%41",
    "%-",
    "-rf",
    " ",
    "a.",
    ".backup",
    "Shop",
    "shop",
    "ς",
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);

describe("escapeName", () => {
  it("leaves a name as it is, and writes what is unsafe in it as bytes", () => {
    expect(escapeName("shop_2024-01 é.old")).toBe("shop_2024-01 é.old");
    expect(escapeName("a/b:c%d\n")).toBe("a%2Fb%3Ac%25d%0A");
    expect(escapeName("..")).toBe("%2E%2E");
    expect(escapeName("-rf ")).toBe("%2Drf%20");
    expect(escapeName("")).toBe("%-");
  });

  it("gives one safe name for each, and back", () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const text = escapeName(name);
        expect(isSafe(text) && !text.includes("/") && !text.startsWith(".")).toBe(true);
        expect(unescapeName(text)).toBe(name);
      }),
    );
  });

  it("keeps names apart that a file system may take for one, and reads them back", () => {
    expect(escapeNames(["shop", "Shop", "news"])).toEqual(["shop", "%53hop", "news"]);
    fc.assert(
      fc.property(fc.uniqueArray(hostile, { maxLength: 6 }), (names) => {
        const texts = escapeNames(names);
        expect(new Set(texts.map((text) => text.normalize("NFC").toUpperCase().toLowerCase())).size).toBe(names.length);
        expect(texts.map(unescapeName)).toEqual(names);
      }),
    );
  });

  it("reads no name that it does not write", () => {
    for (const text of ["%", "%zz", "%61", "a/b", ".a", "%FF", "%2e"]) expect(unescapeName(text)).toBeUndefined();
  });
});
