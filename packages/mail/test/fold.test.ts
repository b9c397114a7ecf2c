import { describe, expect, it } from "vitest";
import { fold, missingWords } from "../src/index.js";

describe("text that is compared", () => {
  it("has no case, no accents and one kind of space", () => {
    expect(fold("  Grüße\r\n\taus  ÎLE ")).toBe("grusse aus ile");
    expect(fold("STRASSE")).toBe(fold("Straße"));
    expect(fold("ﬁn Ａ")).toBe("fin a");
  });

  it("has words anywhere, also where a long text is cut", () => {
    const text = `${"x".repeat(256 * 1024 - 4)} Die Straße nach\r\n Rom${" y".repeat(300_000)}`;
    expect(missingWords(text, ["strasse nach rom", "y y", "paris", "x die"])).toEqual(["paris"]);
    expect(missingWords("", ["a"])).toEqual(["a"]);
    expect(missingWords("a", [])).toEqual([]);
  });
});
