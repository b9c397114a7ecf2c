import type { Bytes, Folder, Message } from "./model.js";

export const DEFAULT_CAPABILITIES: readonly string[] = [
  "IMAP4rev1",
  "AUTH=PLAIN",
  "SASL-IR",
  "LITERAL+",
  "ID",
  "ENABLE",
  "NAMESPACE",
  "UIDPLUS",
  "UNSELECT",
  "LIST-EXTENDED",
  "LIST-STATUS",
  "CONDSTORE",
];

/** What a plain server offers: nothing. */
export const BARE_CAPABILITIES: readonly string[] = ["IMAP4rev1"];

/** A message that is like any other but for what is given. */
export function makeMessage(uid: number, changes: Partial<Omit<Message, "uid">> = {}): Message {
  const text = `Subject: message ${uid}\r\nMessage-ID: <${uid}@example.org>\r\n\r\nText of message ${uid}.\r\n`;
  const internaldate = new Date(Date.UTC(2024, 0, 1) + uid * 1000);
  return { uid, flags: [], internaldate, bytes: Buffer.from(text), ...changes };
}

/** `messages` may be a number: so many ordinary ones, with UIDs from 1. */
export function makeFolder(messages: number | Message[] = 0, changes: Partial<Omit<Folder, "messages">> = {}): Folder {
  const all =
    typeof messages === "number" ? Array.from({ length: messages }, (_, index) => makeMessage(index + 1)) : messages;
  const uidnext = all.reduce((max, { uid }) => Math.max(max, uid), 0) + 1;
  return { delimiter: "/", attributes: [], uidvalidity: 1, uidnext, highestmodseq: 1, messages: all, ...changes };
}

/** `head`, then `fill` over and over up to `length` bytes: made when asked for, never held as a whole. */
export function lazyBytes(length: number, { head = "", fill = "x" } = {}): Bytes {
  const start = Buffer.from(head, "latin1").subarray(0, length);
  const pattern = Buffer.from(fill, "latin1");
  return {
    length,
    subarray(from, to) {
      const end = Math.min(to, length);
      const bytes = Buffer.alloc(Math.max(0, end - from));
      const copied = start.copy(bytes, 0, Math.min(from, start.length), Math.min(end, start.length));
      const phase = (from + copied - start.length) % pattern.length;
      const turned = Buffer.concat([pattern.subarray(phase), pattern.subarray(0, phase)]);
      return bytes.fill(turned, copied);
    },
  };
}

/** One line of `length` bytes with neither header nor end. */
export function longLine(length: number): Bytes {
  return lazyBytes(length);
}
