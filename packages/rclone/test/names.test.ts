import fc from "fast-check";
import { expect, test } from "vitest";
import { fromRclone, toRclone } from "../src/names.js";

/** What rclone writes in another way, and what it writes that with. */
const SPECIAL = [
  "\u0001",
  "\n",
  "\u001f",
  "\u007f",
  "\u2400",
  "\u240a",
  "\u2421",
  "\uff0f",
  "\uff0e",
  "\u201b",
  "a",
  ".",
  ":",
];

test("every name comes back from rclone's writing of it", () => {
  const name = fc.array(fc.oneof(fc.constantFrom(...SPECIAL), fc.string({ unit: "grapheme" })), { minLength: 1 });
  fc.assert(
    fc.property(
      name.map((parts) => parts.join("").replaceAll("/", "").replaceAll("\0", "")),
      (text) => {
        expect(fromRclone(toRclone(text))).toBe(text);
      },
    ),
  );
});

test("two names are never written alike, and none as a path", () => {
  expect(toRclone("a\nb/\uff0f")).toBe("a\u240ab/\u201b\uff0f");
  expect(toRclone("a\u240ab")).toBe("a\u201b\u240ab");
  // A name with a slash in it, at a remote that allows that.
  expect(fromRclone("a\uff0fb")).toBe("a\uff0fb");
});
