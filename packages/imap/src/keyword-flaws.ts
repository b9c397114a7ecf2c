import type { Path } from "@backup/core";
import { KEYWORDS_FILE } from "./keywords.js";

/** A line of each file, as docs/format.md has it. */
const LETTER = /^\d{1,3} \S+$/;
const MORE = /^V\d{1,20}U\d{1,10}(?: \S+)+$/;

/** What is wrong with a file of keywords, in words that go on after its name; undefined: nothing. */
export function keywordsFlaw(path: Path, bytes: Uint8Array): string | undefined {
  const isTable = path.endsWith(`/${KEYWORDS_FILE}`);
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  if (lines.pop() !== "") return "is cut: its last line has no end";
  const bad = lines.findIndex((line) => !(isTable ? LETTER : MORE).test(line) || /[\0-\x1f\x7f]/.test(line));
  if (bad >= 0) return `is no table of keywords: line ${bad + 1} is none of it`;
  const first = lines.map((line) => line.slice(0, line.indexOf(" ")));
  return new Set(first).size < first.length ? `says two things of one ${isTable ? "letter" : "message"}` : undefined;
}
