import { type Hash, createHash, hash } from "node:crypto";
import type { Content } from "./model.js";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
/** Bytes of SHA-256 that are kept: 128 bits. */
const KEPT = 16;

/** base32 of RFC 4648 section 6, in lower case, without padding. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31];
    }
  }
  if (bits > 0) text += ALPHABET[(value << (5 - bits)) & 31];
  return text;
}

/** `Content.digest`, of a whole SHA-256. */
export function digestOf(sha256: Uint8Array): string {
  return base32(sha256.subarray(0, KEPT));
}

/** The content of bytes that are all here. */
export function contentOf(bytes: Uint8Array): Content {
  return { digest: digestOf(hash("sha256", bytes, "buffer")), size: bytes.byteLength };
}

/** The content of bytes that come in pieces. */
export class ContentHash {
  readonly #hash: Hash = createHash("sha256");
  #size = 0;

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#size += bytes.byteLength;
  }

  content(): Content {
    return { digest: digestOf(this.#hash.digest()), size: this.#size };
  }
}
