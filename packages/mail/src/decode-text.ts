/**
 * Bytes that do not say what they are: UTF-8, as RFC 6532 has it in headers, or what is none as the character set that is
 * most often meant.
 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Lines end with a line feed alone. */
export function endLines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}
