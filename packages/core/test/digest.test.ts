import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ContentHash, contentOf } from "../src/index.js";

/** 128 bits of SHA-256 in base32, computed the slow way: as one number in base 32. */
function slowDigest(bytes: Uint8Array): string {
  const hex = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
  // 128 bits are 25 letters of 5 bits and 3 bits more, filled up with zeros.
  const digits = (BigInt(`0x${hex}`) << 2n).toString(32).padStart(26, "0");
  return Array.from(digits, (digit) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(digit, 32)]).join("");
}

describe("content", () => {
  it.each([
    // printf %s "$text" | sha256sum | cut -c1-32 | xxd -r -p | base32, in lower case and without padding
    ["", "4oymiquy7qobjgx36tejs35zeq"],
    ["abc", "xj4bnp4pahh6uqkbidpf3lrcem"],
    ["The quick brown fox jumps over the lazy dog", "26upxmyh26aji2oktk6lacboj4"],
  ])("of %j is the known one", (text, digest) => {
    expect(contentOf(Buffer.from(text))).toEqual({ digest, size: text.length });
  });

  it("is SHA-256, cut to 128 bits, in 26 letters of base32", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { digest, size } = contentOf(bytes);
        expect(digest).toBe(slowDigest(bytes));
        expect(digest).toMatch(/^[a-z2-7]{26}$/);
        expect(size).toBe(bytes.byteLength);
      }),
      { numRuns: 1000 },
    );
  });

  it("is the same however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }), (pieces) => {
        const hash = new ContentHash();
        for (const piece of pieces) hash.update(piece);
        expect(hash.content()).toEqual(contentOf(Buffer.concat(pieces)));
      }),
    );
  });
});
