import libmime from "libmime";
import { type EmailAddress, parseAddressHeader } from "mailparser";
import { decodeText } from "./decode-text.js";

/** A field of a header, unfolded (RFC 5322, section 2.2.3). */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Longest value that is taken apart, characters: whatever a person has to see of it is in there. */
const LONGEST = 64 * 1024;

/** The header of a message. What is asked of it is decoded when it is asked for. */
export class Header {
  readonly #fields: readonly HeaderField[];

  /** @param bytes of a message; what follows its header does not matter */
  constructor(bytes: Uint8Array) {
    this.#fields = fieldsOf(decodeText(bytes.subarray(0, headerLength(bytes) ?? bytes.length)));
  }

  /** The first field of this name, encoded words decoded (RFC 2047); empty where there is none. */
  text(name: string): string {
    return decodeWords(this.#first(name)).trim();
  }

  /** The addresses of the first field of this name, decoded: `Alice <alice@example.org>, bob@example.org`. */
  addresses(name: string): string {
    const value = this.#first(name).slice(0, LONGEST);
    return value === "" ? "" : parseAddressHeader(value).value.map(formatAddress).join(", ");
  }

  /** The first mailbox of that field; undefined: it has none. */
  mailbox(name: string): string | undefined {
    return parseAddressHeader(this.#first(name).slice(0, LONGEST), { flatten: true }).value[0]?.address;
  }

  /** Every field, decoded, in their order. */
  fields(): readonly HeaderField[] {
    return this.#fields.map(({ name, value }) => ({ name, value: decodeWords(value) }));
  }

  /** Names are in lower case here. */
  #first(name: string): string {
    return this.#fields.find((field) => field.name.toLowerCase() === name)?.value ?? "";
  }
}

/** Bytes of the header with the empty line that ends it; undefined: it does not end in these bytes. */
export function headerLength(bytes: Uint8Array): number | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer[0] === LF) return 1;
  if (buffer[0] === CR && buffer[1] === LF) return 2;
  const ends = ["\n\n", "\n\r\n"].flatMap((mark) => {
    const at = buffer.indexOf(mark);
    return at < 0 ? [] : [at + mark.length];
  });
  return ends.length > 0 ? Math.min(...ends) : undefined;
}

const CR = 13;
const LF = 10;

function fieldsOf(text: string): readonly HeaderField[] {
  const lines = text.replace(/\r?\n(?=[ \t])/g, "").split(/\r?\n/);
  return lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return colon > 0 ? [{ name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() }] : [];
  });
}

function decodeWords(value: string): string {
  return libmime.decodeWords(value.slice(0, LONGEST));
}

function formatAddress({ name, address, group }: EmailAddress): string {
  if (group) return `${name}: ${group.map(formatAddress).join(", ")};`;
  if (address === undefined || address === "") return name;
  return name === "" ? address : `${name} <${address}>`;
}
