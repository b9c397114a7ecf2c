import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatBytes, formatCount, jsonLine, printable } from "../src/render/text.js";

describe("printable", () => {
  it.each([
    ["a colour", "\x1b[31mred\x1b[0m", "\\u{1b}[31mred\\u{1b}[0m"],
    ["a title", "\x1b]0;owned\x07", "\\u{1b}]0;owned\\u{7}"],
    ["CSI, OSC and DCS of one byte (C1)", "\x9b31m \x9d0;x \x90q", "\\u{9b}31m \\u{9d}0;x \\u{90}q"],
    ["ends of lines", "a\nb\rc\u0085d", "a\\u{a}b\\u{d}c\\u{85}d"],
    ["backspace, tab, NUL and DEL", "a\b\t\0\x7f", "a\\u{8}\\u{9}\\u{0}\\u{7f}"],
    ["a name that is written backwards", "\u202egpj.exe\u202c", "\\u{202e}gpj.exe\\u{202c}"],
    ["isolates and marks", "\u2066a\u2069 \u200eb\u200f", "\\u{2066}a\\u{2069} \\u{200e}b\\u{200f}"],
    ["half a character", "a\ud800b", "a\\u{d800}b"],
  ])("shows %s as its code", (_name, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it("leaves text as it is", () => {
    for (const text of ["", "INBOX", "Entwürfe & Co", "日本語", "🎉 We ship", "שלום مرحبا", "a\\b → c … ☃", "\u00a0"])
      expect(printable(text)).toBe(text);
  });

  it("leaves nothing that a terminal obeys, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
        (text) => {
          expect(printable(text)).not.toMatch(
            /[\0-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u,
          );
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("numbers", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1500, "1.5 kB"],
    [2_000_000, "2 MB"],
    [891_234_567, "891.2 MB"],
    [3.5e12, "3.5 TB"],
  ])("%i bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("counts one and many, in thousands", () => {
    expect(formatCount(0, "message")).toBe("0 messages");
    expect(formatCount(1, "message")).toBe("1 message");
    expect(formatCount(20391, "message")).toBe("20,391 messages");
    expect(formatCount(2, "reply", "replies")).toBe("2 replies");
  });
});

describe("jsonLine", () => {
  it("is one line of JSON that a terminal may show, and reads back as it was", () => {
    const value = { name: "a\u001b[31m\u009b1m\u007f\u202eb\n", count: 1 };
    const line = jsonLine(value);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    expect(line.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
    expect(JSON.parse(line)).toEqual(value);
  });
});
