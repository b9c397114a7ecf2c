import { PRIVATE, type RawPath } from "@backup/core";
import ignore, { type Ignore } from "ignore";
import { rawOf } from "./raw-path.js";
import type { TreeOptions } from "./tree-options.js";

/** What a walk leaves out. */
export interface WalkRules {
  /** It is neither copied nor, at the destination, touched. */
  isLeftOut(path: RawPath, isDirectory: boolean): boolean;
  /** By its size: it is not copied, and stays at the destination. Bytes. */
  isSkipped(size: number): boolean;
}

/** Paths that are asked for before what was found out of them is forgotten. */
const REMEMBERED = 10_000;

/** As rsync(1) is told in tree-options.ts. */
export function walkRules({ exclude = [], include = [], maxSize, minSize }: TreeOptions): WalkRules {
  const patterns = [...exclude, ...include.map((pattern) => `!${pattern}`)].map((pattern) => plain(rawOf(pattern)));
  // It keeps what it finds out of every path.
  const make = (): Ignore => ignore({ ignorecase: false, allowRelativePaths: true }).add(patterns);
  let [matcher, asked] = [make(), 0];
  const largest = maxSize === undefined ? Number.POSITIVE_INFINITY : bytesOf(maxSize);
  const smallest = minSize === undefined ? 0 : bytesOf(minSize);
  return {
    isLeftOut(path, isDirectory) {
      if (path === PRIVATE) return true;
      if (patterns.length === 0) return false;
      if (++asked % REMEMBERED === 0) matcher = make();
      return matcher.ignores(isDirectory ? `${path}/` : path);
    },
    isSkipped: (size) => size > largest || size < smallest,
  };
}

/** Blanks at the end of a line of a .gitignore would not count. */
function plain(pattern: string): string {
  return pattern.replace(/ +$/, (blanks) => "\\ ".repeat(blanks.length));
}

const POWERS = "bkmgtp";

/** Bytes of a size as rsync(1) takes it: `1.5m`, `2gb` by thousands, `1kib-1` one less. */
export function bytesOf(size: string): number {
  const [, number = "0", unit = "b", rest = "", one = "0"] = /^([\d.]+)([a-z]?)(i?b)?([+-]1)?$/i.exec(size) ?? [];
  const base = rest.toLowerCase() === "b" && unit.toLowerCase() !== "b" && unit !== "" ? 1000 : 1024;
  const power = Math.max(0, POWERS.indexOf(unit.toLowerCase()));
  return Math.floor(Number(number) * base ** power) + Number(one);
}
