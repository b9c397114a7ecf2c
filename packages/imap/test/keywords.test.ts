import { describe, expect, it } from "vitest";
import { flagLetters } from "../src/flags.js";
import { KeywordTable, moreKeywordsLine } from "../src/keywords.js";

describe("flags and keywords", () => {
  it("writes system flags as Maildir letters, in order, and leaves out \\Recent", () => {
    const table = new KeywordTable();
    expect(flagLetters(["\\Seen", "\\answered", "\\Recent", "\\FLAGGED", "\\Draft", "\\Deleted"], table)).toEqual({
      letters: "DFRST",
      rest: [],
    });
    expect(String(table)).toBe("");
  });

  it("gives keywords letters, keeps those of the file, and ignores case", () => {
    const table = new KeywordTable("0 Old\n2 $Forwarded\nnonsense\n99 Far\n");
    expect(flagLetters(["$forwarded", "New", "NEW", "\\Seen"], table)).toEqual({ letters: "Sbc", rest: [] });
    expect(String(table)).toBe("0 Old\n1 New\n2 $Forwarded\n");
    expect(String(new KeywordTable(String(table)))).toBe(String(table));
  });

  it("has 26 letters, and says what has none", () => {
    const table = new KeywordTable();
    const keywords = Array.from({ length: 30 }, (_, index) => `k${String(index).padStart(2, "0")}`);
    const { letters, rest } = flagLetters(keywords, table);
    expect(letters).toBe("abcdefghijklmnopqrstuvwxyz");
    expect(rest).toEqual(["k26", "k27", "k28", "k29"]);
    expect(moreKeywordsLine("V1U2", rest)).toBe("V1U2 k26 k27 k28 k29\n");
  });

  it("never lets a keyword break a line or a file", () => {
    const table = new KeywordTable();
    const { letters, rest } = flagLetters(["a b", "x\ny", "ü", "k".repeat(500)], table);
    expect(letters).toBe("");
    const line = moreKeywordsLine("V1U1", rest);
    expect(line.trimEnd().split(" ").slice(1).map(decodeURI).toSorted()).toEqual(rest);
    expect(line.match(/\n/g)).toHaveLength(1);
  });
});
