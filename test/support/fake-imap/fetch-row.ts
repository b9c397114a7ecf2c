import type { Bytes, Message } from "./model.js";
import type { Literal } from "./session.js";

/** A row that no parser takes. */
export const GARBAGE = '* 1 FETCH (UID 1 FLAGS (\\Seen BODY[] "never closed';

export interface Item {
  readonly name: string;
  /** Of a BODY item: what is between the brackets. */
  readonly section?: string;
  readonly partial?: { readonly start: number; readonly bytes: number };
}

const NAMES = ["UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "MODSEQ", "EMAILID", "X-GM-MSGID"];
const SECTION = /^(?:HEADER|HEADER\.FIELDS \([^)]*\))?$/;

/** Undefined: not an item that this server knows. */
export function parseItem(text: string): Item | undefined {
  const item = text.toUpperCase();
  if (NAMES.includes(item)) return { name: item };
  const [whole, section = "", start, bytes] = /^BODY(?:\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?$/.exec(item) ?? [];
  if (whole === undefined || !SECTION.test(section)) return undefined;
  const partial = start === undefined ? undefined : { start: Number(start), bytes: Number(bytes) };
  return { name: "BODY", section, ...(partial && { partial }) };
}

interface RowOddities {
  readonly nil?: boolean;
  readonly whole?: boolean;
  readonly announce?: ((sent: number) => number) | undefined;
}

/** `* 3 FETCH (UID 7 … BODY[] {12}…)` */
export function messageRow(sequence: number, message: Message, items: readonly Item[], odd: RowOddities = {}) {
  const values = items.map((item) => valueOf(message, item, odd)).filter((value) => value !== undefined);
  return [`* ${sequence} FETCH (`, ...values.flatMap((value, index) => (index > 0 ? [" ", ...value] : value)), ")"];
}

function valueOf(
  message: Message,
  { name, section, partial: asked }: Item,
  odd: RowOddities,
): (string | Literal)[] | undefined {
  if (section !== undefined) {
    const partial = odd.whole ? undefined : asked;
    const label = `BODY[${section}]${partial ? `<${partial.start}>` : ""}`;
    if (odd.nil) return [`${label} NIL`];
    const bytes = cutOut(sectionOf(message.bytes, section), partial);
    return [`${label} `, { bytes, announce: odd.announce?.(bytes.length) ?? bytes.length }];
  }
  if (name === "INTERNALDATE") return dateValue(message.internaldate);
  if (name === "EMAILID") return message.emailid === undefined ? undefined : [`EMAILID (${message.emailid})`];
  if (name === "X-GM-MSGID") return message.emailid === undefined ? undefined : [`X-GM-MSGID ${message.emailid}`];
  if (name === "FLAGS") return [`FLAGS (${message.flags.join(" ")})`];
  if (name === "MODSEQ") return [`MODSEQ (${message.modseq ?? 1})`];
  return [name === "UID" ? `UID ${message.uid}` : `RFC822.SIZE ${message.size ?? message.bytes.length}`];
}

function dateValue(date: Message["internaldate"]): [string] | undefined {
  if (date === undefined) return undefined;
  if (date === null) return ["INTERNALDATE NIL"];
  return [`INTERNALDATE "${typeof date === "string" ? date : dateTime(date)}"`];
}

/** RFC 3501 date-time: ` 1-Jan-2024 00:00:01 +0000`. */
function dateTime(date: Date): string {
  const [, day, month, year, time] = date.toUTCString().split(" ");
  return `${Number(day)}-${month}-${year} ${time} +0000`.padStart(26);
}

function cutOut(bytes: Bytes, partial: Item["partial"]): Bytes {
  if (!partial) return bytes;
  const start = Math.min(partial.start, bytes.length);
  const end = Math.min(start + partial.bytes, bytes.length);
  return { length: end - start, subarray: (from, to) => bytes.subarray(start + from, Math.min(start + to, end)) };
}

function sectionOf(bytes: Bytes, section: string): Bytes {
  if (section === "") return bytes;
  const header = cutOut(bytes, { start: 0, bytes: headerLength(bytes) });
  if (section === "HEADER") return header;
  const fields = (/\((.*)\)/.exec(section)?.[1] ?? "").split(" ");
  const lines = Buffer.from(header.subarray(0, header.length))
    .toString("latin1")
    .split(/\r?\n(?![ \t])/);
  const kept = lines.filter((line) => fields.includes((line.split(":")[0] ?? "").toUpperCase()));
  return Buffer.from([...kept, "", ""].join("\r\n"), "latin1");
}

/** Up to and with the first empty line; all of it where there is none. */
function headerLength(bytes: Bytes): number {
  const step = 64 * 1024;
  for (let from = 0; from < bytes.length; from += step) {
    const text = Buffer.from(bytes.subarray(from, from + step + 3)).toString("latin1");
    const end = (from === 0 ? /^\r?\n|\n\r?\n/ : /\n\r?\n/).exec(text);
    if (end) return from + end.index + end[0].length;
  }
  return bytes.length;
}
