/** What `rsync --stats` counts. */
export interface Totals {
  /** Entries of the source that are no directories. */
  files: number;
  /** Of regular files. */
  regular: number;
  /** Regular files that were made or deleted. */
  createdRegular: number;
  deletedRegular: number;
  /** Bytes of files that were transferred, as they are at the source. */
  bytes: number;
}

export function noTotals(): Totals {
  return { files: 0, regular: 0, createdRegular: 0, deletedRegular: 0, bytes: 0 };
}

/** Takes a line of it in; others change nothing. */
export function addTotals(totals: Totals, line: string): void {
  const [, what, rest = ""] = /^(Number of .*files|Total .*): (.*)$/.exec(line) ?? [];
  if (what === undefined) return;
  if (what === "Number of files") {
    totals.files = countOf(rest);
    totals.regular = partOf(rest, "reg");
  } else if (what === "Number of created files") totals.createdRegular = partOf(rest, "reg");
  else if (what === "Number of deleted files") totals.deletedRegular = partOf(rest, "reg");
  else if (what === "Total transferred file size") totals.bytes = Number.parseInt(rest, 10);
}

/** Regular files at the destination before the run. */
export function heldBefore({ regular, createdRegular, deletedRegular }: Totals): number {
  return regular - createdRegular + deletedRegular;
}

/** `10 (reg: 6, dir: 3, link: 1)`: all but the directories. */
function countOf(rest: string): number {
  return Number.parseInt(rest, 10) - partOf(rest, "dir");
}

function partOf(rest: string, part: string): number {
  return Number(new RegExp(`\\b${part}: (\\d+)`).exec(rest)?.[1] ?? 0);
}
