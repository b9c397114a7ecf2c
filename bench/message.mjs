/** Generated messages: headers, bodies, flags. */
import { closeSync, futimesSync, openSync, writevSync } from "node:fs";
import { join } from "node:path";

const LINE = 77; // bytes of every body line in the file, with its LF; the server sends one more, the CR

/**
 * Writes one message as Dovecot does: line ends as LF, its size in the file and as sent (CRLF) in the name.
 *
 * @param {object} message
 * @param {string} message.dir
 * @param {string} message.folder
 * @param {number} message.uid
 * @param {number} message.epoch INTERNALDATE in seconds: Dovecot takes it from the file's mtime
 * @param {number} message.size  bytes as sent; met to within a line
 * @param {ReturnType<typeof bodyPools>} message.pools
 * @param {() => number} message.next
 * @returns {{ name: string, sent: number }} name: without the flags
 */
export const writeMessage = ({ dir, folder, uid, epoch, size, pools, next }) => {
  const attachment = size > 20_000;
  const head = header({ folder, uid, epoch, attachment });
  const lines = Math.max(1, Math.round((size - head.length) / (LINE + 1)));
  const stored = head.length + lines * LINE;
  const sent = stored + head.toString("latin1").split("\n").length - 1 + lines;
  const name = `${epoch}.M${uid}P1.bench,S=${stored},W=${sent}`;
  const path = join(dir, `${name}:2,${flags(next)}`);
  write({
    path,
    epoch,
    head,
    pool: attachment ? pools.base64 : pools.text,
    firstLine: Math.floor(next() * 1000),
    lines,
  });
  return { name, sent };
};

/** @param {{ folder: string, uid: number, epoch: number, attachment: boolean }} message */
const header = ({ folder, uid, epoch, attachment }) =>
  Buffer.from(
    [
      `Return-Path: <sender${uid % 997}@example.org>`,
      `Received: from mx.example.org by mail.example.net; ${new Date(epoch * 1000).toUTCString()}`,
      `Date: ${new Date(epoch * 1000).toUTCString()}`,
      `From: Sender ${uid % 997} <sender${uid % 997}@example.org>`,
      "To: Alice <alice@example.net>",
      `Subject: Message ${uid} of ${encodeURIComponent(folder)}`,
      `Message-ID: <${epoch}.${uid}.${encodeURIComponent(folder)}@example.org>`,
      "MIME-Version: 1.0",
      attachment ? "Content-Type: application/octet-stream" : "Content-Type: text/plain; charset=utf-8",
      attachment ? "Content-Transfer-Encoding: base64" : "Content-Transfer-Encoding: 8bit",
      "\n",
    ].join("\n"),
  );

/**
 * Maildir flag letters; `a` and `b` are keywords in Dovecot's convention.
 *
 * @param {() => number} next
 */
const flags = (next) =>
  [
    ["D", 0.005],
    ["F", 0.05],
    ["R", 0.2],
    ["S", 0.85],
    ["T", 0.005],
    ["a", 0.03],
    ["b", 0.02],
  ]
    .filter(([, share]) => next() < share)
    .map(([letter]) => letter)
    .join("");

/**
 * A few MB of lines that compress about as mail does; bodies are cut from them.
 *
 * @param {() => number} next
 */
export const bodyPools = (next) => {
  const words = Array.from({ length: 3000 }, () =>
    Array.from({ length: 2 + Math.floor(next() * 9) }, () => String.fromCharCode(97 + Math.floor(next() * 26))).join(
      "",
    ),
  );
  const textLine = () => {
    let line = "";
    while (line.length < LINE) line += `${words[Math.floor(next() ** 2 * words.length)]} `;
    return line.slice(0, LINE - 1);
  };
  const bytes = (LINE - 1) * 0.75; // 57 bytes make the 76 letters of a base64 line
  const base64Line = () => Buffer.from(Array.from({ length: bytes }, () => next() * 256)).toString("base64");
  const pool = (line) => Buffer.from(`${Array.from({ length: 20_000 }, line).join("\n")}\n`, "latin1");
  return { text: pool(textLine), base64: pool(base64Line) };
};

/**
 * @param {object} message
 * @param {string} message.path
 * @param {number} message.epoch
 * @param {Buffer} message.head
 * @param {Buffer} message.pool
 * @param {number} message.firstLine where in the pool the body begins
 * @param {number} message.lines
 */
const write = ({ path, epoch, head, pool, firstLine, lines }) => {
  const file = openSync(path, "wx", 0o600);
  try {
    let chunks = [head];
    let left = lines * LINE;
    for (let from = firstLine * LINE; left > 0; from = 0) {
      const chunk = pool.subarray(from, from + Math.min(left, pool.length - from));
      chunks.push(chunk);
      left -= chunk.length;
      if (chunks.length === 16 || left === 0) {
        writevAll(file, chunks);
        chunks = [];
      }
    }
    futimesSync(file, epoch, epoch);
  } finally {
    closeSync(file);
  }
};

/**
 * @param {number} file
 * @param {Buffer[]} chunks
 */
const writevAll = (file, chunks) => {
  const wanted = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const written = writevSync(file, chunks);
  if (written !== wanted) throw new Error(`wrote ${written} of ${wanted} bytes: is the disk full?`);
};
