import { unescapeName } from "@backup/transport-rsync";
import type { RawPath } from "./raw-path.js";

/** What is or would be done of one entry; as a line of rsync(1), see --itemize-changes in its manual. */
export interface Itemized {
  readonly kind: "file" | "directory" | "link" | "other";
  /** `transfer`: bytes of a file; `make`: anything else that was not so; `attributes`: only those. */
  readonly action: "transfer" | "make" | "attributes" | "delete";
  /** There was none of this name. */
  readonly isNew: boolean;
  readonly path: RawPath;
  /** Bytes; 0 where it is deleted. */
  readonly size: number;
  /** Seconds since 1970, of the source. */
  readonly mtime: number;
  /** A file that changed while it was transferred. */
  readonly isUnsteady?: boolean;
  /** SHA-256 of the bytes that were transferred, hexadecimal; undefined: they were not seen. */
  readonly sha256?: string | undefined;
}

/** Before each line, so that none of rsync's own looks like one. */
const MARK = "=";

/** The options that make rsync(1) print such lines. The names of links have no target in them. */
export const ITEMIZE: readonly string[] = ["--itemize-changes", `--out-format=${MARK}%i %l %M %n`];

const LINE = /^=(.)(.)(.{9}) (\d+) (\d{4,})\/(\d\d)\/(\d\d)-(\d\d):(\d\d):(\d\d) (.+)$/s;

const KINDS: Readonly<Record<string, Itemized["kind"]>> = { f: "file", d: "directory", L: "link" };

/** Undefined: it is no such line. With TZ=UTC, --no-human-readable and --8-bit-output. */
export function parseItemized(line: string): Itemized | undefined {
  if (!line.startsWith(MARK)) return undefined;
  const [, action, type = "", rest = "", size, year, month, day, hour, minute, second, name = ""] =
    LINE.exec(line) ?? [];
  if (action === undefined) return undefined;
  const path = unescapeName(name.endsWith("/") ? name.slice(0, -1) : name);
  if (action === "*") {
    if (!`${type}${rest}`.startsWith("deleting")) return undefined;
    // What it was, its name alone says.
    return { kind: name.endsWith("/") ? "directory" : "file", action: "delete", isNew: false, path, size: 0, mtime: 0 };
  }
  const isNew = rest.includes("+++++++");
  const mtime = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  return {
    kind: KINDS[type] ?? "other",
    action: action === "<" || action === ">" ? "transfer" : action === "." ? "attributes" : "make",
    isNew,
    path,
    size: Number(size),
    mtime: mtime / 1000,
  };
}
