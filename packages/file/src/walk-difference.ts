import type { TreeEntry } from "@backup/core";
import type { Itemized } from "./itemized.js";
import { secondsOf } from "./seconds.js";

/** How entries are compared. */
export interface WalkComparison {
  /** Files by size alone. */
  readonly sizeOnly: boolean;
  /** The destination keeps whole seconds from 1970 to 2106 only. */
  readonly wholeSeconds: boolean;
  /** Times of symbolic links count. */
  readonly linkTimes: boolean;
  /** Other places may share the files of the destination: one is replaced where only its attributes differ. */
  readonly isShared: boolean;
}

const LAST = 0xffff_ffff;

/** What is to be done to make an entry of the destination what the source has; undefined: they are equal. Pure. */
export function differenceOf(
  source: TreeEntry,
  there: TreeEntry | undefined,
  { sizeOnly, wholeSeconds, linkTimes, isShared }: WalkComparison,
): Pick<Itemized, "action" | "isNew"> | undefined {
  const isFile = source.type === "file";
  if (there?.type !== source.type) return { action: isFile ? "transfer" : "make", isNew: true };
  const timeOf = ({ mtime }: TreeEntry): number =>
    wholeSeconds ? Math.min(Math.max(0, secondsOf(mtime)), LAST) : secondsOf(mtime);
  const isOfTime = timeOf(source) === timeOf(there);
  if (source.type === "link") {
    if (source.target !== there.target) return { action: "make", isNew: false };
    return isOfTime || !linkTimes ? undefined : { action: "attributes", isNew: false };
  }
  if (isFile && (source.size !== there.size || (!isOfTime && !sizeOnly))) return { action: "transfer", isNew: false };
  if (isOfTime && source.mode === there.mode) return undefined;
  return { action: isFile && isShared ? "transfer" : "attributes", isNew: false };
}
