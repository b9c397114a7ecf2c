/** What `rsync --stats` counts. */
export interface Totals {
  /** Entries of the source that are no directories. */
  files: number;
  /** Of regular files. */
  regular: number;
  /** Files that were made or would be, and those deleted: no directories. */
  created: number;
  deleted: number;
  /** Regular files that were made or deleted. */
  createdRegular: number;
  deletedRegular: number;
  /** Bytes of files that were transferred, as they are at the source. */
  bytes: number;
  /** On the wire, both ways. */
  wire: number;
}

export function noTotals(): Totals {
  return { files: 0, regular: 0, created: 0, deleted: 0, createdRegular: 0, deletedRegular: 0, bytes: 0, wire: 0 };
}

/** Takes a line of it in; others change nothing. */
export function addTotals(totals: Totals, line: string): void {
  const [, what, rest = ""] = /^(Number of .*files|Total .*|Total bytes .*): (.*)$/.exec(line) ?? [];
  if (what === undefined) return;
  if (what === "Number of files") {
    totals.files = countOf(rest);
    totals.regular = partOf(rest, "reg");
  } else if (what === "Number of created files") {
    totals.created = countOf(rest);
    totals.createdRegular = partOf(rest, "reg");
  } else if (what === "Number of deleted files") {
    totals.deleted = countOf(rest);
    totals.deletedRegular = partOf(rest, "reg");
  } else if (what === "Total transferred file size") totals.bytes = Number.parseInt(rest, 10);
  else if (what === "Total bytes sent" || what === "Total bytes received") totals.wire += Number.parseInt(rest, 10);
}

/** `10 (reg: 6, dir: 3, link: 1)`: all but the directories. */
function countOf(rest: string): number {
  return Number.parseInt(rest, 10) - partOf(rest, "dir");
}

function partOf(rest: string, part: string): number {
  return Number(new RegExp(`\\b${part}: (\\d+)`).exec(rest)?.[1] ?? 0);
}
