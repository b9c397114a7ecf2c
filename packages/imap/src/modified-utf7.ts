/** A mailbox's name as it goes on the wire (RFC 3501, section 5.1.3). */
export function toModifiedUtf7(name: string): string {
  return name.replace(/&|[^\x20-\x7e]+/g, (text) => (text === "&" ? "&-" : `&${base64Of(text)}-`));
}

/** Of UTF-16, big-endian, without padding, and with `,` for `/`. */
function base64Of(text: string): string {
  return Buffer.from(text, "utf16le").swap16().toString("base64").replace(/=+$/, "").replaceAll("/", ",");
}
