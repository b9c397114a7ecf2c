import type { KeywordTable } from "./keywords.js";

/** System flags of RFC 3501, section 2.3.2, as the Maildir letters. `\Recent` belongs to a session, not to a message. */
const LETTERS = new Map([
  ["\\draft", "D"],
  ["\\flagged", "F"],
  ["\\answered", "R"],
  ["\\seen", "S"],
  ["\\deleted", "T"],
]);

const FLAGS: ReadonlyMap<string, string> = new Map([
  ["D", "\\Draft"],
  ["F", "\\Flagged"],
  ["R", "\\Answered"],
  ["S", "\\Seen"],
  ["T", "\\Deleted"],
]);

/** The system flags, and the keywords, that letters of a name stand for; a letter that nothing has is left out. */
export function flagsOf(
  letters: string,
  table: KeywordTable,
): { readonly flags: string[]; readonly keywords: string[] } {
  const found = Array.from(letters, (letter) => ({ flag: FLAGS.get(letter), keyword: table.nameOf(letter) }));
  return {
    flags: found.flatMap(({ flag }) => flag ?? []),
    keywords: found.flatMap(({ keyword }) => keyword ?? []),
  };
}

/** A message's flags as they stand in its name, and the keywords that have no letter. */
export interface Letters {
  /** ASCII order, each once. */
  readonly letters: string;
  readonly rest: readonly string[];
}

export function flagLetters(flags: Iterable<string>, table: KeywordTable): Letters {
  const letters = new Set<string>();
  const rest: string[] = [];
  for (const flag of flags) {
    const system = LETTERS.get(flag.toLowerCase());
    if (system) letters.add(system);
    else if (!flag.startsWith("\\")) {
      const letter = table.letterOf(flag);
      if (letter === undefined) rest.push(flag);
      else letters.add(letter);
    }
  }
  return { letters: [...letters].toSorted().join(""), rest: rest.toSorted() };
}
