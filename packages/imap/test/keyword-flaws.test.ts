import { describe, expect, it } from "vitest";
import { flagLetters } from "../src/flags.js";
import { keywordFlaws } from "../src/keyword-flaws.js";
import { KeywordTable, moreKeywordsLine } from "../src/keywords.js";

const DIGEST = "a".repeat(26);

function flaws(files: Readonly<Record<string, string>>, letters = ""): readonly string[] {
  const file = { path: `INBOX/cur/1.V1U1D${DIGEST}.backup,S=1:2,${letters}`, size: 1, mtime: 0 };
  const bytes = new Map(Object.entries(files).map(([name, text]) => [`INBOX/${name}`, Buffer.from(text)]));
  const known = [{ file, identity: { id: "V1U1", rev: "whole" } }];
  return keywordFlaws({ path: "INBOX", known, bytes }).map(({ path, text }) => `${path} ${text}`);
}

describe("files of keywords", () => {
  it("are good as they are written, whatever the keywords are", () => {
    const table = new KeywordTable();
    const keywords = ["$Forwarded", "a b", "x\ny", "ü", "%", ...Array.from({ length: 40 }, (_, n) => `k${n}`)];
    const { letters, rest } = flagLetters(["\\Seen", ...keywords], table);
    const more = moreKeywordsLine("V1U1", rest) + moreKeywordsLine("V1U2", rest);
    expect(flaws({ "dovecot-keywords": String(table), "backup-keywords": more }, letters)).toEqual([]);
    expect(flaws({})).toEqual([]);
  });

  it.each([
    ["0 A\n1 B", "is cut: its last line has no end"],
    ["0 A\nB\n", "is no table of keywords: line 2 is none of it"],
    ["0 A\n\0\0\0\n", "is no table of keywords: line 2 is none of it"],
    ["0 A\n0 B\n", "says two things of one letter"],
    ["0 A\n", "does not say which keyword b is"],
    ["", "does not say which keyword a, b is"],
  ])("are not good: %j", (text, flaw) => {
    expect(flaws({ "dovecot-keywords": text }, "Sab")).toEqual([`INBOX/dovecot-keywords ${flaw}`]);
  });

  it("are not good where one of them is missing or has others' lines", () => {
    expect(flaws({}, "a")).toEqual(["INBOX/dovecot-keywords does not say which keyword a is"]);
    expect(flaws({ "backup-keywords": "V1U1 x\nV1U1 y\n" })).toEqual([
      "INBOX/backup-keywords says two things of one message",
    ]);
    expect(flaws({ "backup-keywords": "0 A\n" })).toEqual([
      "INBOX/backup-keywords is no table of keywords: line 1 is none of it",
    ]);
  });
});
