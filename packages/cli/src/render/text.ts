import prettyBytes from "pretty-bytes";

/**
 * Text from a server as a terminal may show it: control characters, also those of 8 bits that begin escape sequences,
 * and characters that turn the direction of writing, are shown as their code.
 */
export function printable(text: string): string {
  return text.replace(DANGEROUS, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A value as one line of JSON that a terminal may show too: such characters are escaped as JSON has it. */
export function jsonLine(value: unknown): string {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(value).replace(DANGEROUS, escape)}\n`;
}

const DANGEROUS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\p{Surrogate}]/gu;

export function formatBytes(bytes: number): string {
  return prettyBytes(bytes, { maximumFractionDigits: 1 });
}

const NUMBER = new Intl.NumberFormat("en");

export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${NUMBER.format(count)} ${count === 1 ? one : many}`;
}
