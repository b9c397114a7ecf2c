import type { Path } from "@backup/core";

/** A folder's name as its parts, outermost first: `["Archive", "2024"]`. */
export type FolderName = readonly string[];

/** Longest name of a directory, bytes: below the 255 of most file systems. */
const LONGEST = 240;
/** Names that mean something in a Maildir, or to Dovecot, or to us: escaped, whatever their case. */
const RESERVED = /^(cur$|new$|tmp$|dovecot|backup-|maildirfolder$)/i;
/** Characters that some file system, shell or eye cannot hold, and `%`, which begins an escape. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
const UNSAFE = /[%\x00-\x1f\x7f/\\:*?"<>|]/;
const SURROGATE = /^[\ud800-\udfff]$/;
/** Ends a part of a name that goes on in the directory below, which begins with the same mark. */
const CONTINUED = "%+";
/** An empty name. */
const EMPTY = "%-";

/**
 * The directory of every folder, in the same order. Injective and reversible (`folderOf`), also where the file system
 * ignores case or Unicode normalization; see docs/format.md.
 */
export function directoriesFor(folders: readonly FolderName[]): readonly Path[] {
  const top = makeLevel();
  for (const folder of folders) {
    let level = top;
    for (const name of folder) level = enter(level, name);
  }
  return folders.map((folder) => {
    let level = top;
    const parts: Path[] = [];
    for (const name of folder) {
      parts.push(directoryFor(name, (level.alike.get(fold(name)) ?? 1) > 1));
      level = enter(level, name);
    }
    return parts.join("/");
  });
}

/** The names below one name. A tree, so that the work for a folder grows with its name, not with the square of its depth. */
interface Level {
  readonly below: Map<string, Level>;
  /** How many of them a file system may take for one, by what it may take them for. */
  readonly alike: Map<string, number>;
}

function makeLevel(): Level {
  return { below: new Map(), alike: new Map() };
}

/** The level below a name, which is made if it is not there. */
function enter({ below, alike }: Level, name: string): Level {
  const known = below.get(name);
  if (known) return known;
  const made = makeLevel();
  below.set(name, made);
  const key = fold(name);
  alike.set(key, (alike.get(key) ?? 0) + 1);
  return made;
}

/** By upper case first: only so are `ς` and `σ`, and `ı` and `i`, alike, as some file systems have them. */
function fold(name: string): string {
  return name.normalize("NFC").toUpperCase().toLowerCase();
}

/** The folder that a directory is for; undefined: no folder has this directory. */
export function folderOf(directory: Path): FolderName | undefined {
  const names: string[] = [];
  let open = false;
  for (const part of directory.split("/")) {
    const continues = open;
    if (continues !== part.startsWith(CONTINUED)) return undefined;
    const body = part.slice(continues ? CONTINUED.length : 0);
    open = body.endsWith(CONTINUED);
    const text = unescape(open ? body.slice(0, -CONTINUED.length) : body);
    if (text === undefined) return undefined;
    if (continues) names.push((names.pop() ?? "") + text);
    else names.push(text);
  }
  return open ? undefined : names;
}

function directoryFor(name: string, clashes: boolean): Path {
  if (name === "") return EMPTY;
  const plain = escapeName(name, clashes);
  if (Buffer.byteLength(plain.join("")) <= LONGEST) return plain.join("");
  // A long name is cut, and its first part must not clash in case with that of another long name.
  return cut(escapeName(name, true)).join("/");
}

/** The name's characters, each as it is or escaped. */
function escapeName(name: string, strict: boolean): string[] {
  const characters = Array.from(name);
  const last = characters.length - 1;
  return characters.map((character, index) => {
    const exposed =
      (index === 0 && (character === "." || character === "-" || RESERVED.test(name))) ||
      (index === last && (character === "." || character === " ")) ||
      (strict && !/^[a-z0-9 !#$&'()+,.;=@[\]^_`{}~-]$/.test(character));
    return exposed || UNSAFE.test(character) || SURROGATE.test(character) ? escape(character) : character;
  });
}

function escape(character: string): string {
  if (SURROGATE.test(character)) return `%u${character.charCodeAt(0).toString(16)}`;
  return Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

function unescape(text: string): string | undefined {
  if (text === EMPTY) return "";
  const bytes: Buffer[] = [];
  let result = "";
  const flush = (): boolean => {
    const decoded = Buffer.concat(bytes.splice(0));
    const plain = decoded.toString();
    result += plain;
    return Buffer.from(plain).equals(decoded);
  };
  for (const token of text.match(/%u[0-9a-f]{4}|%[0-9A-F]{2}|[^%]+|%/g) ?? []) {
    if (token === "%") return undefined;
    if (token.startsWith("%u")) {
      if (!flush()) return undefined;
      result += String.fromCharCode(Number.parseInt(token.slice(2), 16));
    } else bytes.push(token.startsWith("%") ? Buffer.from(token.slice(1), "hex") : Buffer.from(token));
  }
  return flush() ? result : undefined;
}

/** Pieces of at most LONGEST bytes with their marks, never cut inside an escape. */
function cut(characters: readonly string[]): string[] {
  const room = LONGEST - 2 * CONTINUED.length;
  const pieces: string[] = [];
  let piece = "";
  let bytes = 0;
  for (const character of characters) {
    const size = Buffer.byteLength(character);
    if (bytes + size > room) {
      pieces.push(piece);
      piece = "";
      bytes = 0;
    }
    piece += character;
    bytes += size;
  }
  pieces.push(piece);
  return pieces.map(
    (text, index) => (index > 0 ? CONTINUED : "") + text + (index < pieces.length - 1 ? CONTINUED : ""),
  );
}
