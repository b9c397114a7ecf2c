import type { Flaw, Known, Sidecars } from "@backup/core";
import { KEYWORDS_FILE, MORE_KEYWORDS_FILE } from "./keywords.js";
import { readMessageName } from "./message-names.js";

/** A line of each file, as docs/format.md has it. */
const LETTER = /^(\d{1,3}) \S+$/;
const MORE = /^(V\d{1,20}U\d{1,10})(?: \S+)+$/;

/** What is wrong with a folder's files of keywords: their form, and letters in names that none of them explains. */
export function keywordFlaws({ path, known, bytes }: Sidecars): readonly Flaw[] {
  const flaws: Flaw[] = [];
  const explained = new Set<string>();
  for (const [file, line, what] of [
    [`${path}/${KEYWORDS_FILE}`, LETTER, "letter"],
    [`${path}/${MORE_KEYWORDS_FILE}`, MORE, "message"],
  ] as const) {
    const found = bytes.get(file);
    const { keys, flaw } = found ? readLines(Buffer.from(found).toString("latin1"), line) : NOTHING;
    if (flaw !== undefined) flaws.push({ path: file, text: flaw });
    else if (new Set(keys).size < keys.length) flaws.push({ path: file, text: `says two things of one ${what}` });
    for (const key of keys) explained.add(key);
  }
  const table = `${path}/${KEYWORDS_FILE}`;
  const open = lettersOf(known).filter((letter) => !explained.has(String(letter.charCodeAt(0) - "a".charCodeAt(0))));
  if (open.length > 0 && !flaws.some((flaw) => flaw.path === table))
    flaws.push({ path: table, text: `does not say which keyword ${open.join(", ")} is` });
  return flaws;
}

const NOTHING: Lines = { keys: [], flaw: undefined };

interface Lines {
  /** What the lines begin with. */
  readonly keys: readonly string[];
  readonly flaw: string | undefined;
}

function readLines(text: string, form: RegExp): Lines {
  const lines = text.split("\n");
  if (lines.pop() !== "") return { keys: [], flaw: "is cut: its last line has no end" };
  const keys = lines.map((line) => (/[\0-\x1f\x7f]/.test(line) ? undefined : form.exec(line)?.[1]));
  const bad = keys.indexOf(undefined);
  const flaw = bad < 0 ? undefined : `is no table of keywords: line ${bad + 1} is none of it`;
  return { keys: keys.filter((key) => key !== undefined), flaw };
}

/** Keyword letters in the names of messages, sorted. */
function lettersOf(known: readonly Known[]): readonly string[] {
  const letters = new Set<string>();
  for (const { file } of known)
    for (const letter of readMessageName(file.path)?.letters ?? "") if (/[a-z]/.test(letter)) letters.add(letter);
  return [...letters].toSorted();
}
