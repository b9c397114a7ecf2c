import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { formatMail } from "../src/render/mail.js";
import { rowFormatter } from "../src/render/rows.js";
import { Header } from "@backup/mail";

const DATE = Date.UTC(2024, 0, 31, 12, 34, 56);
const row = { date: DATE, label: "INBOX/1", from: "Alice <alice@example.org>", subject: "s".repeat(100) };

describe("rows of messages", () => {
  it("are as wide as the terminal, also in wide characters", () => {
    for (const subject of ["s".repeat(100), "会議の議事録".repeat(20), "👩‍👩‍👧".repeat(40), "e\u0301".repeat(100)])
      for (const columns of [60, 79, 80]) {
        const line = rowFormatter(["INBOX/1"], { isTTY: true, columns })({ ...row, subject }).trimEnd();
        expect(stringWidth(line)).toBeLessThanOrEqual(columns);
        expect(stringWidth(line)).toBeGreaterThanOrEqual(columns - 1);
        expect(line).toMatch(/^2024-01-31 12:34 {2}INBOX\/1 {2}Alice <alice@example\.or… {2}.*…$/u);
      }
  });

  it("are not cut where there is no terminal, nor in a label", () => {
    expect(rowFormatter(["INBOX/1"], {})(row)).toContain(row.subject);
    const label = `${"long/".repeat(20)}1`;
    expect(rowFormatter([label], { isTTY: true, columns: 60 })({ ...row, label })).toContain(label);
  });

  it("are aligned by the widest label", () => {
    const format = rowFormatter(["INBOX/1", "日本語/12"], {});
    expect(format({ ...row, from: "a", subject: "b" })).toBe(`2024-01-31 12:34  INBOX/1    a${" ".repeat(23)}  b\n`);
    expect(format({ ...row, label: "日本語/12", from: "a", subject: "" })).toBe("2024-01-31 12:34  日本語/12  a\n");
  });

  it("have one line each, and nothing that drives a terminal", () => {
    const line = rowFormatter(["INBOX/1"], {})({ ...row, from: "\u009b31m", subject: "a\r\n\tb\u202ec" });
    expect(line).toMatch(/^[^\p{Cc}\u202e]+\n$/u);
    expect(line).toContain("a b\\u{202e}c");
  });
});

describe("a message as text", () => {
  it("shows nothing that drives a terminal, and says what is missing", () => {
    const text = formatMail(
      {
        folder: "f",
        directory: "f",
        uid: 1,
        id: "V1U1",
        path: "f/cur/x",
        date: DATE,
        letters: "",
        size: 1,
        digest: "d",
      },
      {
        header: new Header(Buffer.from("From: \u001b[2J <a@b>\r\nSubject: x\u2066y\r\n\r\n")),
        text: "a\tb\n\u001b]52;c;x\u0007\u009b\rc\n\n\n",
        attachments: [{ name: "\u001b.txt", type: "text/plain", size: 1 }],
        problem: "it is odd",
      },
      [],
    );
    expect(text).toBe(
      [
        "From:    [2J <a@b>",
        "Date:    Wed, 31 Jan 2024 12:34:56 GMT (received)",
        "Subject: x\\u{2066}y",
        "",
        "a        b",
        "\\u{1b}]52;c;x\\u{7}\\u{9b}\\u{d}c",
        "",
        "[Not all of this message is shown: it is odd. --raw has all of it.]",
        "",
        "Attachments:",
        "  \\u{1b}.txt (text/plain, 1 B)",
        "",
      ].join("\n"),
    );
  });
});
