/** Characters that are folded at once: a text of many megabytes has no copy of itself. */
const PIECE = 256 * 1024;
/** How much longer a text may be than what it is folded to, about: accents of their own, white space. */
const SPARE = 4;

/** Text as it is compared: without case and accents, any white space as one space. */
export function fold(text: string): string {
  return foldPiece(text).trim();
}

/** Those of the words, which are folded, that are not in the text. */
export function missingWords(text: string, words: readonly string[]): readonly string[] {
  const overlap = SPARE * words.reduce((longest, { length }) => Math.max(longest, length), 0);
  let missing = words;
  for (let at = 0; at < text.length && missing.length > 0; at += PIECE) {
    const piece = foldPiece(text.slice(at, at + PIECE + overlap));
    missing = missing.filter((word) => !piece.includes(word));
  }
  return missing;
}

function foldPiece(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  const isAscii = /^[\x00-\x7f]*$/.test(text);
  const plain = isAscii
    ? text
    : text
        .normalize("NFKD")
        .replace(/\p{M}+/gu, "")
        .toUpperCase();
  return plain.toLowerCase().replace(/[^\S ]\s*| \s+/g, " ");
}
