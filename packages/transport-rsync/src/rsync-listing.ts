import { type Path, isSafe } from "@backup/core";

/** A line of `rsync --list-only`. */
export interface RsyncEntry {
  readonly type: "file" | "directory" | "link" | "other";
  readonly path: Path;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970, to the second. */
  readonly mtime: number;
}

/** `-rw-r--r--          1,234 2026/11/23 05:48:10 a/b`, the name up to the end: it may begin or end with a blank. */
const LINE = /^([-dlcbps])\S{9,10}\s+([\d,.]+) (\d{4,})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d) (.+)$/s;

/**
 * Reads what `rsync --list-only --8-bit-output` prints with TZ=UTC and without `--links`, which would add the target
 * of a link to its name. A name that is no UTF-8 is left out, and so is the directory `.`.
 */
export function parseListing(output: Uint8Array): readonly RsyncEntry[] {
  const entries: RsyncEntry[] = [];
  // Bytes as characters: the names are decoded one by one.
  for (const line of Buffer.from(output.buffer, output.byteOffset, output.byteLength).toString("latin1").split("\n")) {
    const [, type, size, year, month, day, hour, minute, second, name] = LINE.exec(line) ?? [];
    if (type === undefined || size === undefined || name === undefined) continue;
    const path = decodeName(name);
    if (path === undefined || !isSafe(path)) continue;
    entries.push({
      type: type === "-" ? "file" : type === "d" ? "directory" : type === "l" ? "link" : "other",
      path,
      size: Number(size.replace(/[,.]/g, "")),
      mtime: Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)),
    });
  }
  return entries;
}

/**
 * A name as rsync(1) prints it with --8-bit-output, each byte a character: control characters come as `\#012`, in octal,
 * and a backslash that such a text would follow too.
 */
export function unescapeName(name: string): string {
  if (!name.includes("\\#")) return name;
  return name.replace(/\\#([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function decodeName(name: string): Path | undefined {
  const bytes = unescapeName(name);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, "latin1"));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
