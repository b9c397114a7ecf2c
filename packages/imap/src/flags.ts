import type { KeywordTable } from "./keywords.js";

/** System flags of RFC 3501, section 2.3.2, as the Maildir letters. `\Recent` belongs to a session, not to a message. */
const LETTERS = new Map([
  ["\\draft", "D"],
  ["\\flagged", "F"],
  ["\\answered", "R"],
  ["\\seen", "S"],
  ["\\deleted", "T"],
]);

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
