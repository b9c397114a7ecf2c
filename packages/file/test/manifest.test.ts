import fc from "fast-check";
import { expect, it } from "vitest";
import { type Entry, formatEntry, parseEntry } from "../src/manifest.js";

const bytes = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 20 })
  .map((codes) => String.fromCharCode(...codes));

it("gives back what it was given, whatever the names", () => {
  const entry: fc.Arbitrary<Entry> = fc.record({
    path: bytes,
    type: fc.constantFrom("file", "dir", "link", "other"),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    size: fc.nat(),
    mtime: fc.bigInt({ min: -5_000_000_000_000_000_000n, max: 5_000_000_000_000_000_000n }),
    inode: fc.option(fc.bigInt({ min: 1n, max: 2n ** 63n }), { nil: undefined }),
    target: fc.option(bytes, { nil: undefined }),
    sha256: fc.option(fc.constant("ab".repeat(32)), { nil: undefined }),
  });
  fc.assert(
    fc.property(entry, (one) => {
      const line = formatEntry(one);
      expect(line).toMatch(/^[!-~ ]+$/);
      expect(parseEntry(line)).toEqual({ ...one, size: one.type === "file" ? one.size : 0 });
    }),
  );
});

it("writes mtree(5), with names in octal", () => {
  const entry: Entry = {
    path: "a b/nl\nx=#",
    type: "file",
    mode: 0o644,
    size: 3,
    mtime: 1_700_000_000_000_000_042n,
    sha256: "00ff",
  };
  expect(formatEntry(entry)).toBe(
    "./a\\040b/nl\\012x\\075\\043 type=file mode=0644 size=3 time=1700000000.000000042 sha256digest=00ff",
  );
});

it("leaves out comments and what it does not know", () => {
  for (const line of ["#mtree", "# backup started=2026-11-24T02:00:00Z", "/set type=file", "./x", "./x type=file"])
    expect(parseEntry(line)).toBeUndefined();
});
