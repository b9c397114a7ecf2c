import { makeMessage } from "./message.mjs";

export const USER = "alice@example.org";
export const PASSWORD = "quickstart";

/**
 * @typedef {object} Folder
 * @property {string} name       `/` between its parts, as on the server
 * @property {boolean} [parent]  holds folders and no messages
 * @property {string} [use]      of RFC 6154
 * @property {Mail[]} mails
 *
 * @typedef {object} Mail
 * @property {Buffer} bytes
 * @property {string[]} flags
 * @property {Date} date
 */

const DAY_MS = 24 * 60 * 60 * 1000;

const FOLDERS = [
  { name: "INBOX", count: 14, until: "2025-03-14T09:26:53Z" },
  { name: "Drafts", count: 2, until: "2025-03-12T20:15:00Z", use: "\\Drafts", flags: ["\\Draft"] },
  { name: "Sent", count: 7, until: "2025-03-13T17:40:00Z", use: "\\Sent", flags: ["\\Seen"] },
  { name: "Archive", parent: true },
  { name: "Archive/2023", count: 8, until: "2023-12-22T08:00:00Z" },
  { name: "Archive/2024", count: 11, until: "2024-12-30T23:59:59Z" },
  { name: "Projects", count: 1, until: "2025-01-07T12:00:00Z" },
  { name: "Projects/Website", count: 4, until: "2025-02-18T10:30:00Z" },
  { name: "Projects/Zürich", count: 3, until: "2025-02-27T16:45:00Z" },
  { name: "Templates", count: 0, until: "2025-01-01T00:00:00Z" },
];

const SENDERS = ["Bob", "Zoë Müller", "山田 花子", "Олена Коваль", "Accounts, Example Ltd", "Fatima al-Zahra"];

const SUBJECTS = [
  "Lunch on Friday?",
  "Grüße aus Zürich — die Fotos vom Wochenende",
  "Invoice 2025-0117",
  "お見積りの件について",
  "Re: Re: contract, second draft",
  "🎂 Happy birthday!",
  "Счёт за февраль",
  "[list] Minutes of the meeting, and what is still open after it: a subject that is longer than a line",
  "مرحبا",
];

const TEXTS = [
  "Hello Alice,\r\n\r\nthe table is booked for one o'clock.\r\n\r\nBob",
  "Liebe Alice,\r\n\r\nschöne Grüße! Die Bilder hängen an.\r\n\r\nZoë",
  // Lines that mailbox formats have stumbled over.
  "From the beginning:\r\n.\r\n..two dots\r\n\r\nFrom here on all is well.",
  `${"A long line is no reason to change a message. ".repeat(15)}\r\n`,
  "いつもお世話になっております。\r\nよろしくお願いいたします。",
];

const ATTACHMENTS = [
  { name: "photo.jpg", type: "image/jpeg", size: 41_300 },
  { name: "invoice.pdf", type: "application/pdf", size: 18_700 },
  { name: "figures.csv", type: "text/csv", size: 2_100 },
];

const FLAGS = [["\\Seen"], ["\\Seen", "\\Answered"], [], ["\\Seen", "\\Flagged"], ["\\Seen", "$Forwarded"]];

/** @returns {Folder[]} the same at every call */
export function makeAccount() {
  let serial = 0;
  return FOLDERS.map(({ name, count = 0, until, flags, ...rest }) => {
    const mails = Array.from({ length: count }, (_, index) => {
      const date = new Date(new Date(until).getTime() - (count - 1 - index) * 5.3 * DAY_MS);
      return makeMail(++serial, date, flags);
    });
    return { name, mails, ...rest };
  });
}

/** The mail that arrives later. */
export function makeNewMail() {
  const date = new Date();
  const text = "Hello Alice,\r\n\r\nthis came after the first backup.\r\n\r\nBob";
  return { date, flags: [], bytes: makeMessage({ from: "Bob", subject: "News ✉", date, id: "new", text }) };
}

function makeMail(serial, date, flags = FLAGS[serial % FLAGS.length]) {
  const attached = serial % 4 === 1 ? ATTACHMENTS[serial % ATTACHMENTS.length] : undefined;
  const bytes = makeMessage({
    from: SENDERS[serial % SENDERS.length],
    subject: SUBJECTS[serial % SUBJECTS.length],
    date,
    id: `mail.${serial}`,
    text: TEXTS[serial % TEXTS.length],
    attachment: attached && { ...attached, bytes: noise(attached.size, serial) },
  });
  return { bytes, flags, date };
}

/** Bytes that do not repeat, the same for the same seed. */
function noise(size, seed) {
  let state = seed;
  return Buffer.from(
    Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
}
