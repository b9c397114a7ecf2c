import type { RawPath } from "./raw-path.js";

/** What a manifest says of one entry of a tree. */
export interface Entry {
  readonly path: RawPath;
  readonly type: "file" | "dir" | "link" | "other";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Of the source, where that is on this machine. */
  readonly inode?: bigint | undefined;
  /** Of a link, each byte a character. */
  readonly target?: string | undefined;
  /** SHA-256 of a file's bytes, hexadecimal; undefined: they changed while they were read. */
  readonly sha256?: string | undefined;
}

const SECOND = 1_000_000_000n;

/** A line of it, in the form of mtree(5), without its end. No mtree(1) checks inodes: they are tags. */
export function formatEntry(entry: Entry): string {
  const { path, type, mode, size, mtime, inode, target, sha256 } = entry;
  const nanoseconds = ((mtime % SECOND) + SECOND) % SECOND;
  const seconds = (mtime - nanoseconds) / SECOND;
  return [
    `./${escape(path)}`,
    `type=${type === "other" ? "char" : type}`,
    `mode=${mode.toString(8).padStart(4, "0")}`,
    ...(type === "file" ? [`size=${size}`] : []),
    `time=${seconds}.${String(nanoseconds).padStart(9, "0")}`,
    ...(inode === undefined ? [] : [`tags=inode:${inode}`]),
    ...(target === undefined ? [] : [`link=${escape(target)}`]),
    ...(sha256 === undefined ? [] : [`sha256digest=${sha256}`]),
  ].join(" ");
}

/** Undefined: it is a comment, or nothing that this version knows. */
export function parseEntry(line: string): Entry | undefined {
  if (!line.startsWith("./")) return undefined;
  const [name = "", ...words] = line.split(" ");
  const values = new Map(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]));
  const type = values.get("type");
  const [, seconds, nanoseconds = ""] = /^(-?\d+)\.(\d{9})$/.exec(values.get("time") ?? "") ?? [];
  if (type === undefined || seconds === undefined) return undefined;
  const inode = /^inode:(\d+)$/.exec(values.get("tags") ?? "")?.[1];
  const target = values.get("link");
  return {
    path: unescape(name.slice(2)),
    type: type === "file" || type === "dir" || type === "link" ? type : "other",
    mode: Number.parseInt(values.get("mode") ?? "0", 8),
    size: Number(values.get("size") ?? 0),
    mtime: BigInt(seconds) * SECOND + BigInt(nanoseconds),
    inode: inode === undefined ? undefined : BigInt(inode),
    target: target === undefined ? undefined : unescape(target),
    sha256: values.get("sha256digest"),
  };
}

/** As vis(3) does with VIS_OCTAL: what is no visible ASCII, and what means something to those who read such files. */
function escape(raw: string): string {
  return raw.replace(/[^!-~]|[\\#*?[=]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function unescape(text: string): RawPath {
  return text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
