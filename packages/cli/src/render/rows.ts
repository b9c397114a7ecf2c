import stringWidth from "string-width";
import { printable } from "./text.js";

/** A message in a list. */
export interface Row {
  /** Milliseconds since 1970. */
  readonly date: number;
  readonly label: string;
  readonly from: string;
  readonly subject: string;
}

/** Columns of labels are aligned up to here; a longer one moves what is behind it. */
const LABEL_WIDTH = 32;
const FROM_WIDTH = 24;
const ELLIPSIS = "…";

/** Rows of these labels, fitted to the terminal; where there is none, nothing is cut but the sender. */
export function rowFormatter(
  labels: readonly string[],
  { isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number },
): (row: Row) => string {
  const widest = labels.reduce((most, label) => Math.max(most, stringWidth(printable(label))), 0);
  const width = isTTY && columns ? columns : Infinity;
  return ({ date, label, from, subject }) => {
    const head = [
      new Date(date).toISOString().slice(0, 16).replace("T", " "),
      pad(printable(label), Math.min(widest, LABEL_WIDTH)),
      pad(fit(plain(from), FROM_WIDTH), FROM_WIDTH),
    ].join("  ");
    return `${`${head}  ${fit(plain(subject), width - stringWidth(head) - 2)}`.trimEnd()}\n`;
  };
}

/** On one line: a subject may have been folded. */
function plain(text: string): string {
  return printable(text.replace(/\s+/g, " "));
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

/** The beginning that is so many cells wide, cut between what a reader takes for characters. */
function fit(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let room = width - 1;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    room -= stringWidth(segment);
    if (room < 0) break;
    kept += segment;
  }
  return width > 0 ? kept + ELLIPSIS : "";
}
