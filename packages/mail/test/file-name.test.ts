import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attachmentFileName, numberedName, safeFileName } from "../src/index.js";

describe("the name of a file", () => {
  it.each([
    ["Invoice 2024.pdf", "Invoice 2024.pdf"],
    ["Re: a/b\\c?", "Re_ a_b_c_"],
    ["..hidden", "hidden"],
    ["--option", "option"],
    ["a\u202etxt.exe", "a_txt.exe"],
    ["\u001b[31m", "_[31m"],
    ["con.txt", "_con.txt"],
    ["trailing. . ", "trailing"],
    ["", "fallback"],
    ["...", "fallback"],
    ["//", "fallback"],
    ["日本語.pdf", "日本語.pdf"],
  ])("of %j is %j", (text, name) => expect(safeFileName(text, "fallback")).toBe(name));

  it("is short, and keeps its extension", () => {
    const name = safeFileName(`${"ü".repeat(300)}.pdf`, "x");
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(180);
    expect(name).toMatch(/^ü+\.pdf$/);
  });

  it("is one that any file system holds, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const name = safeFileName(text, "fallback");
        expect(name).toMatch(/^[^/\\:*?"<>|\p{Cc}\p{Bidi_Control}\p{Surrogate}]+$/u);
        expect(name).not.toMatch(/^\.|[. ]$/);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
      }),
    );
  });

  it("is numbered before its extension", () => {
    expect(numberedName("a.b.pdf", 2)).toBe("a.b (2).pdf");
    expect(numberedName("README", 3)).toBe("README (3)");
  });

  it("of an attachment has no path, and a number where it has no name", () => {
    expect(attachmentFileName({ name: "../../etc/passwd", type: "text/plain" }, 1)).toBe("passwd");
    expect(attachmentFileName({ name: "C:\\Users\\a.doc", type: "text/plain" }, 1)).toBe("a.doc");
    expect(attachmentFileName({ name: "", type: "image/png" }, 2)).toBe("attachment-2.png");
    expect(attachmentFileName({ name: "..", type: "x/y" }, 3)).toBe("attachment-3.bin");
  });
});
