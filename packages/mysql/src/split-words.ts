import { BackupError } from "@backup/core";

/**
 * Words of a command as a person writes them: parted by spaces, what is in quotes together, a backslash for the character
 * after it; in single quotes everything is itself. Nothing else has a meaning, and no shell reads them.
 * @throws BackupError USAGE where a quote is not closed
 */
export function splitWords(text: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  const add = (piece: string): void => {
    word = (word ?? "") + piece;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === "\\" && quote !== "'") {
      if (++at >= text.length) throw new BackupError("USAGE", `nothing follows the backslash at the end of: ${text}`);
      add(text[at] ?? "");
    } else if (quote !== "") {
      if (character === quote) quote = "";
      else add(character);
    } else if (character === "'" || character === '"') {
      quote = character;
      add("");
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else add(character);
  }
  if (quote !== "") throw new BackupError("USAGE", `the quote ${quote} is not closed in: ${text}`);
  if (word !== undefined) words.push(word);
  return words;
}

/** A word for a POSIX shell, sh(1): that and nothing else. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
