/** Text as it is compared: without case and accents, any white space as one space. */
export function fold(text: string): string {
  const plain = isAscii(text)
    ? text
    : text
        .normalize("NFKD")
        .replace(/\p{M}+/gu, "")
        .toUpperCase();
  return plain.toLowerCase().replace(/\s+/g, " ").trim();
}

function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}
