import { createCipheriv } from "node:crypto";
import type { Draft } from "./appender.js";
import { type Random, seededRandom } from "./random.js";

export interface MessagesOptions {
  readonly count: number;
  /** Same seed, same messages. Default 1. */
  readonly seed?: number;
  /** Bytes, about. Default 500 to 200,000; small ones are far more frequent, as in real mail. */
  readonly minBytes?: number;
  readonly maxBytes?: number;
}

const SUBJECTS = [
  "Invoice 2024-117",
  "Re: Überraschung für Jürgen",
  "会議の議事録",
  "Привет, как дела?",
  "🎉 We ship",
  "",
];
const WORDS = "the quick brown fox jumps over a lazy dog while Grüße aus München und naïve café 日本語 текст".split(
  " ",
);
const FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"];
const KEYWORDS = ["$Forwarded", "Junk", "NonJunk", "$Label1", "todo"];
const START_S = Date.UTC(2005, 0, 1) / 1000;
const YEARS_S = 20 * 365 * 24 * 60 * 60;

/** Messages as mailboxes hold them: plain, 8-bit, HTML, attachments, very long lines; with flags, keywords and dates. */
export function makeMessages(options: MessagesOptions): readonly Draft[] {
  return Array.from({ length: options.count }, (_, index) => makeMessage(index, options));
}

/** Message number `index` of a seed, alone. All differ. */
function makeMessage(index: number, options: Omit<MessagesOptions, "count"> = {}): Draft {
  const { seed = 1, minBytes = 500, maxBytes = 200_000 } = options;
  const random = seededRandom(seed * 1_000_003 + index * 7919);
  const size = Math.round(minBytes * (maxBytes / minBytes) ** (random.next() ** 1.5));
  const date = new Date((START_S + random.below(YEARS_S)) * 1000);
  const subject = random.pick(SUBJECTS);
  const head = [
    `From: "Sender ${random.below(50)}" <sender${random.below(50)}@example.org>`,
    "To: alice@example.net",
    // Half of them raw, as servers with SMTPUTF8 deliver them, half as encoded words.
    `Subject: ${random.below(2) ? subject : encodedWord(subject)}`,
    `Date: ${date.toUTCString().replace("GMT", "+0000")}`,
    `Message-ID: <${seed}.${index}.${random.below(2 ** 31)}@example.org>`,
    "MIME-Version: 1.0",
  ].join("\r\n");
  const room = Math.max(0, size - Buffer.byteLength(head) - 100);
  const bytes = Buffer.concat([Buffer.from(`${head}\r\n`), random.pick(BODIES)(random, room)]);
  return { bytes, date, flags: pickFlags(random) };
}

type MakeBody = (random: Random, bytes: number) => Buffer;

const BODIES: readonly MakeBody[] = [plain, latin1, html, attachment, longLine];

function plain(random: Random, bytes: number): Buffer {
  return Buffer.from(`${type("text/plain; charset=utf-8", "8bit")}${prose(random, bytes)}`);
}

/** Bytes above 127 that are not UTF-8: whoever decodes them on the way breaks them. */
function latin1(random: Random, bytes: number): Buffer {
  return Buffer.from(`${type("text/plain; charset=iso-8859-1", "8bit")}${prose(random, bytes)}`, "latin1");
}

function html(random: Random, bytes: number): Buffer {
  const half = Math.floor(bytes / 2);
  const parts = [
    `${type("text/plain; charset=utf-8", "8bit")}${prose(random, half)}`,
    `${type("text/html; charset=utf-8", "8bit")}<p>${prose(random, half)}</p>\r\n`,
  ];
  return Buffer.from(multipart("alternative", random, parts));
}

function attachment(random: Random, bytes: number): Buffer {
  const data = noise(random, Math.floor((bytes * 3) / 4)).toString("base64");
  const lines = data.replace(/.{76}/g, "$&\r\n");
  const parts = [
    `${type("text/plain; charset=utf-8", "8bit")}See attachment.\r\n`,
    `${type('application/octet-stream; name="data.bin"', "base64")}${lines}\r\n`,
  ];
  return Buffer.from(multipart("mixed", random, parts));
}

/** Longer than the 998 bytes that RFC 5322 allows: real mail has them. */
function longLine(random: Random, bytes: number): Buffer {
  return Buffer.from(`${type("text/plain; charset=utf-8", "8bit")}${prose(random, bytes).replaceAll("\r\n", " ")}\r\n`);
}

function type(contentType: string, encoding: string): string {
  return `Content-Type: ${contentType}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`;
}

function multipart(kind: string, random: Random, parts: readonly string[]): string {
  const boundary = `=_${random.below(2 ** 31).toString(36)}`;
  const body = parts.map((part) => `--${boundary}\r\n${part}`).join("");
  return `Content-Type: multipart/${kind}; boundary="${boundary}"\r\n\r\n${body}--${boundary}--\r\n`;
}

function prose(random: Random, bytes: number): string {
  const lines: string[] = [];
  for (let length = 0; length < bytes; ) {
    const words = Array.from({ length: 4 + random.below(10) }, () => random.pick(WORDS));
    // A line of one dot, and one that begins like an mbox separator: classics of what gets mangled.
    const line = random.below(40) ? words.join(" ") : random.pick([".", "From here on", "", "\tindented  "]);
    lines.push(line, "\r\n");
    length += line.length + 2;
  }
  return lines.join("");
}

function noise(random: Random, bytes: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(random.below(2 ** 32));
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

function pickFlags(random: Random): readonly string[] {
  const flags = FLAGS.filter((flag) => random.below(flag === "\\Seen" ? 2 : 10) === 0);
  return random.below(5) ? flags : [...flags, random.pick(KEYWORDS)];
}

function encodedWord(text: string): string {
  return `=?utf-8?B?${Buffer.from(text).toString("base64")}?=`;
}
