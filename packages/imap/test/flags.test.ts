import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flagLetters, flagsOf } from "../src/flags.js";
import { KeywordTable, moreKeywordsLine, readMoreKeywords } from "../src/keywords.js";

const LETTER: Readonly<Record<string, string>> = {
  "\\Draft": "D",
  "\\Flagged": "F",
  "\\Answered": "R",
  "\\Seen": "S",
  "\\Deleted": "T",
};
const flag = fc.oneof(
  fc.constantFrom(...Object.keys(LETTER), "\\Recent", "\\*", "\\Whatever"),
  fc.constantFrom("$Forwarded", "Junk", "junk", "NonJunk", "$MDNSent"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 8 }).filter((text) => !text.startsWith("\\")),
);

describe("flags", () => {
  it.each(Object.entries(LETTER))("%s is %s, in any case", (name, letter) => {
    for (const written of [name, name.toUpperCase(), name.toLowerCase()])
      expect(flagLetters([written], new KeywordTable())).toEqual({ letters: letter, rest: [] });
  });

  it("are nothing where there are none, or none that a file can have", () => {
    for (const none of [[], ["\\Recent"], ["\\*"], ["\\Unheard"]])
      expect(flagLetters(none, new KeywordTable())).toEqual({ letters: "", rest: [] });
  });

  it("make the same letters in whatever order they come, once the table knows them", () => {
    fc.assert(
      fc.property(fc.array(flag, { maxLength: 40 }), (flags) => {
        const table = new KeywordTable();
        const first = flagLetters(flags, table);
        expect(flagLetters([...flags, ...flags].toReversed(), table).letters).toBe(first.letters);
        expect(flagLetters(flags, new KeywordTable(String(table))).letters).toBe(first.letters);
      }),
    );
  });

  it("make letters that a Maildir name can hold, each once, in order", () => {
    fc.assert(
      fc.property(fc.array(flag, { maxLength: 60 }), (flags) => {
        const { letters } = flagLetters(flags, new KeywordTable());
        expect(letters).toMatch(/^D?F?R?S?T?[a-z]*$/);
        expect(letters).toBe([...new Set(letters)].toSorted().join(""));
      }),
    );
  });

  it("lose no keyword: each has a letter or is among the rest", () => {
    fc.assert(
      fc.property(fc.array(flag, { maxLength: 60 }), (flags) => {
        const table = new KeywordTable();
        const { letters, rest } = flagLetters(flags, table);
        for (const keyword of flags.filter((name) => !name.startsWith("\\"))) {
          const letter = new KeywordTable(String(table)).letterOf(keyword);
          const named = letter !== undefined && letters.includes(letter);
          expect(named || rest.includes(keyword)).toBe(true);
        }
      }),
    );
  });

  it("and keywords are read back from letters and table as they were written", () => {
    fc.assert(
      fc.property(fc.array(flag, { maxLength: 60 }), (flags) => {
        const table = new KeywordTable();
        const { letters, rest } = flagLetters(flags, table);
        const read = flagsOf(letters, new KeywordTable(String(table)));
        const more = readMoreKeywords(moreKeywordsLine("V1U1", rest)).get("V1U1") ?? [];
        expect(read.flags.every((name) => flags.some((one) => one.toLowerCase() === name.toLowerCase()))).toBe(true);
        const fold = (names: readonly string[]) => [...new Set(names.map((name) => name.toLowerCase()))].toSorted();
        const plain = (name: string) => name.replace(/\p{Surrogate}/gu, "\ufffd");
        const keywords = flags.filter((name) => !name.startsWith("\\")).map(plain);
        expect(fold([...read.keywords, ...more])).toEqual(fold(keywords));
      }),
    );
  });
});
