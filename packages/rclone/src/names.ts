import type { Path } from "@backup/core";

/**
 * rclone's own writing of names, which it calls the standard encoding (rclone.org/overview, "Restricted filenames"):
 * control characters are symbols for them, and whatever stands for something else is quoted.
 */
const QUOTE = "\u201b";
const SYMBOLS = 0x2400;
const DELETE = "\u2421";
const DOT = "\uff0e";

/** A name or a path as rclone takes it. */
export function toRclone(path: Path): string {
  return path.split("/").map(encode).join("/");
}

/** A path as we write it, of one that rclone lists; inverse to `toRclone`. */
export function fromRclone(path: string): Path {
  return path.split("/").map(decode).join("/");
}

function encode(name: string): string {
  if (name === DOT || name === DOT + DOT) return name.replaceAll(DOT, QUOTE + DOT);
  // What needs it: control characters, and those that stand for one, for a slash, or quote.
  return name.replace(/[\u0001-\u001f\u007f\u2400-\u241f\u2421\uff0f\u201b]/g, (char) => {
    if (char === "\u007f") return DELETE;
    return char < "\u0020" ? String.fromCharCode(SYMBOLS + char.charCodeAt(0)) : QUOTE + char;
  });
}

function decode(name: string): string {
  if (name === QUOTE + DOT || name === QUOTE + DOT + QUOTE + DOT) return name.replaceAll(QUOTE, "");
  // A slash in a name, which some remotes allow, stays what stands for it: here it would be a path.
  return name.replace(/\u201b([\u2400-\u241f\u2421\uff0f\u201b])|[\u2401-\u241f\u2421]/g, (char, quoted?: string) => {
    if (quoted !== undefined) return quoted;
    return char === DELETE ? "\u007f" : String.fromCharCode(char.charCodeAt(0) - SYMBOLS);
  });
}
