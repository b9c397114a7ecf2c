import { headerLength, Header } from "./header.js";

/** What a mailbox keeps of a message besides its bytes. */
export interface MboxFacts {
  /** When it was received, milliseconds since 1970. */
  readonly date: number;
  /** Maildir letters of its flags: D, F, R, S, T. */
  readonly letters: string;
}

/** Fields in which mbox has the flags: those of the message itself would be taken for them. */
const STATUS_FIELDS = /^(?:status|x-status):/i;

/**
 * A message as an entry of an mbox file: the `From ` line of RFC 4155 with its default date form, lines ended by a line feed,
 * `>` before every line of the message that is `From ` behind any number of `>` (mboxrd), `Status` and `X-Status` at the
 * end of the header, and an empty line.
 */
export function mboxEntry(bytes: Uint8Array, { date, letters }: MboxFacts): Buffer {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const length = headerLength(bytes) ?? bytes.length;
  const header = toLines(text.slice(0, length)).replace(/\n*$/, "");
  const body = toLines(text.slice(length));
  const lines = [`From ${senderOf(bytes)} ${asctime(date)}`, ...keptFields(header), ...statusFields(letters), ""];
  const end = body === "" || body.endsWith("\n") ? "\n" : "\n\n";
  return Buffer.from(`${lines.join("\n")}\n${quote(body)}${end}`, "latin1");
}

function toLines(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

function quote(text: string): string {
  return text.replace(/^(>*From )/gm, ">$1");
}

/** The header's lines without fields that speak of flags, each with the lines that continue it. */
function keptFields(header: string): readonly string[] {
  if (header === "") return [];
  const fields = header.split(/\n(?![ \t])/);
  return fields.filter((field) => !STATUS_FIELDS.test(field)).map(quote);
}

/** As mutt, Dovecot and Pine write them: `RO` is seen, `O` not new any more. */
function statusFields(letters: string): readonly string[] {
  const more = [
    ["R", "A"],
    ["F", "F"],
    ["D", "T"],
    ["T", "D"],
  ].flatMap(([letter = "", status]) => (letters.includes(letter) ? [status] : []));
  const status = `Status: ${letters.includes("S") ? "RO" : "O"}`;
  return more.length > 0 ? [status, `X-Status: ${more.join("")}`] : [status];
}

/** A sender that a reader of mbox can find the end of. */
function senderOf(bytes: Uint8Array): string {
  const header = new Header(bytes);
  const sender = header.mailbox("return-path") ?? header.mailbox("from") ?? "";
  return /^[\x21-\x7e]{1,200}$/.test(sender) ? sender : "MAILER-DAEMON";
}

/** `Mon Nov 23 03:17:21 2026`, UTC. */
function asctime(ms: number): string {
  const [day, date, month, year, time] = new Date(ms).toUTCString().replace(",", "").split(" ");
  return `${day} ${month} ${date?.replace(/^0/, " ")} ${time} ${year}`;
}
