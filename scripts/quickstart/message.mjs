/**
 * A message as a mail program would have written it, lines ended by CRLF.
 * @param {object} parts
 * @param {string} parts.from  name; may be any text
 * @param {string} parts.subject
 * @param {Date} parts.date
 * @param {string} parts.id  for Message-ID: unique
 * @param {string} parts.text
 * @param {{ name: string, type: string, bytes: Buffer }} [parts.attachment]
 * @returns {Buffer}
 */
export function makeMessage({ from, subject, date, id, text, attachment }) {
  const headers = [
    `From: ${encoded(from)} <${id.split(".")[0]}@example.net>`,
    "To: Alice <alice@example.org>",
    `Subject: ${encoded(subject)}`,
    `Date: ${date.toUTCString().replace("GMT", "+0000")}`,
    `Message-ID: <${id}@example.net>`,
    "MIME-Version: 1.0",
  ];
  const body = ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", text, ""];
  if (attachment === undefined) return Buffer.from([...headers, ...body].join("\r\n"));
  const boundary = `=_${id}`;
  const lines = [
    ...headers,
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    "",
    `--${boundary}`,
    ...body,
    `--${boundary}`,
    `Content-Type: ${attachment.type}; name="${attachment.name}"`,
    `Content-Disposition: attachment; filename="${attachment.name}"`,
    "Content-Transfer-Encoding: base64",
    "",
    ...(attachment.bytes.toString("base64").match(/.{1,76}/g) ?? []),
    `--${boundary}--`,
    "",
  ];
  return Buffer.from(lines.join("\r\n"));
}

/** A header's text by RFC 2047, each word short enough, and no character cut in two. */
function encoded(text) {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  const words = [];
  let word = "";
  for (const character of text) {
    if (Buffer.byteLength(word + character) > 42) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word].map((part) => `=?utf-8?B?${Buffer.from(part).toString("base64")}?=`).join("\r\n ");
}
