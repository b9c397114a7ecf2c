/** Characters that some file system, shell or eye cannot hold, and `%`, which begins an escape. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
const UNSAFE = /[%\x00-\x1f\x7f/\\:*?"<>|]/;
/** What no file system takes for another one. */
const PLAIN = /^[a-z0-9 !#$&'()+,.;=@[\]^_`{}~-]$/;
/** An empty name. */
const EMPTY = "%-";

/**
 * A name as that of a file or directory: what is unsafe in it is `%` and two capital hexadecimal digits for each byte of its
 * UTF-8, and so are a `.` or `-` at its beginning and a `.` or space at its end. Reversible: see `unescapeName`.
 * It may be longer than a file system takes.
 */
export function escapeName(name: string): string {
  return escaped(name, UNSAFE);
}

/**
 * The same for names that are in one directory: of those that a file system may take for one, because it ignores case or
 * Unicode normalization, every character is escaped but small letters, digits and some signs.
 */
export function escapeNames(names: readonly string[]): readonly string[] {
  const alike = new Map<string, number>();
  for (const name of names) alike.set(fold(name), (alike.get(fold(name)) ?? 0) + 1);
  return names.map((name) => ((alike.get(fold(name)) ?? 0) > 1 ? escaped(name, undefined) : escapeName(name)));
}

/** The name that was escaped, by either; undefined: nothing is escaped so. */
export function unescapeName(text: string): string | undefined {
  if (text === EMPTY) return "";
  const bytes = (text.match(/%[0-9A-F]{2}|[^%]+|%/g) ?? []).map((token) =>
    /^%./.test(token) ? Buffer.from(token.slice(1), "hex") : Buffer.from(token),
  );
  const name = Buffer.concat(bytes).toString();
  const isInverse = escapeName(name) === text || escaped(name, undefined) === text;
  return isInverse ? name : undefined;
}

/** @param unsafe undefined: all that is not plain */
function escaped(name: string, unsafe: RegExp | undefined): string {
  if (name === "") return EMPTY;
  const characters = Array.from(name);
  return characters
    .map((character, index) => {
      const isExposed =
        (index === 0 && /[.-]/.test(character)) || (index === characters.length - 1 && /[. ]/.test(character));
      const isUnsafe = unsafe ? unsafe.test(character) : !PLAIN.test(character);
      return isExposed || isUnsafe ? hex(character) : character;
    })
    .join("");
}

function hex(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

/** By upper case first: only so are `ς` and `σ` alike, as some file systems have them. */
function fold(name: string): string {
  return name.normalize("NFC").toUpperCase().toLowerCase();
}
