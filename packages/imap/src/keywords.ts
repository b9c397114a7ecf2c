/** Dovecot's file of keyword letters, beside `cur`: `<number> <keyword>` a line, 0 is `a` and 25 is `z`. */
export const KEYWORDS_FILE = "dovecot-keywords";
/** Keywords that have no letter: `V<uidvalidity>U<uid> <keyword>…` a line. */
export const MORE_KEYWORDS_FILE = "backup-keywords";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** The keyword letters of one folder. A letter that was given is never taken back. */
export class KeywordTable {
  readonly #names: (string | undefined)[] = [];
  readonly #letters = new Map<string, string>();

  /** From the file's text; lines that are none are left out. */
  constructor(text = "") {
    for (const line of text.split("\n")) {
      const [, number, name] = /^(\d{1,2}) (\S+)$/.exec(line) ?? [];
      const letter = number === undefined ? undefined : LETTERS[Number(number)];
      if (name === undefined || letter === undefined) continue;
      this.#names[Number(number)] = name;
      this.#letters.set(fold(name), letter);
    }
  }

  /** The keyword's letter, a free one the first time; undefined: none is left, or it is no name for this file. */
  letterOf(keyword: string): string | undefined {
    const known = this.#letters.get(fold(keyword));
    if (known !== undefined) return known;
    const free = Array.from(LETTERS).findIndex((_, index) => this.#names[index] === undefined);
    const letter = LETTERS[free];
    if (letter === undefined || !/^[\x21-\x7e]{1,200}$/.test(keyword)) return undefined;
    this.#names[free] = keyword;
    this.#letters.set(fold(keyword), letter);
    return letter;
  }

  /** The keyword that has this letter. */
  nameOf(letter: string): string | undefined {
    return this.#names[LETTERS.indexOf(letter)];
  }

  /** Empty: the folder has no keywords. */
  toString(): string {
    return this.#names.map((name, number) => (name === undefined ? "" : `${number} ${name}\n`)).join("");
  }
}

/** One line of the file of keywords without a letter; what a line cannot hold is percent-encoded. */
export function moreKeywordsLine(id: string, keywords: readonly string[]): string {
  return `${[id, ...keywords.map((keyword) => encodeURI(keyword.replace(/\p{Surrogate}/gu, "\ufffd")))].join(" ")}\n`;
}

/** The keywords of such a file by message; a line that is none is left out. */
export function readMoreKeywords(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split("\n").map((line) => line.split(" "));
  return new Map(lines.map(([id = "", ...encoded]) => [id, encoded.map(decode)]));
}

/** What is no encoding is the keyword itself. */
function decode(text: string): string {
  try {
    return decodeURI(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** Keywords are compared without case (RFC 9051, section 2.3.2). */
function fold(keyword: string): string {
  return keyword.toLowerCase();
}
