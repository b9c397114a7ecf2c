import { describe, expect, it } from "vitest";
import { mboxEntry } from "../src/index.js";

const facts = { date: Date.UTC(2024, 0, 3, 4, 5, 6), letters: "" };
const entry = (text: string, letters = ""): string =>
  mboxEntry(Buffer.from(text, "latin1"), { ...facts, letters }).toString("latin1");

describe("an entry of an mbox file", () => {
  it("begins with its sender and its time, and ends with an empty line", () => {
    expect(entry("Return-Path: <bounce@example.org>\r\nFrom: a@b.c\r\n\r\nbody\r\n")).toBe(
      "From bounce@example.org Wed Jan  3 04:05:06 2024\nReturn-Path: <bounce@example.org>\nFrom: a@b.c\nStatus: O\n\nbody\n\n",
    );
    expect(entry("From: <ü@z>\r\n\r\nno end")).toMatch(/^From MAILER-DAEMON .*\n\nno end\n\n$/s);
  });

  it("quotes every line that could be taken for a beginning, once more each time", () => {
    expect(entry("A: b\r\n\r\nFrom here\r\n>From there\r\nFromage\r\n From\r\n")).toContain(
      "\n\n>From here\n>>From there\nFromage\n From\n\n",
    );
    expect(entry("From here to there\r\nSubject: odd\r\n\r\n")).toContain("\n>From here to there\nSubject: odd\n");
  });

  it("has flags in fields, and those of the message not", () => {
    expect(entry("Status: RO\r\nX-Status: AFDT\r\n more\r\nSubject: s\r\n\r\n")).toContain(
      "2024\nSubject: s\nStatus: O\n\n",
    );
    expect(entry("Subject: s\r\n\r\n", "DFRSTa")).toContain("Subject: s\nStatus: RO\nX-Status: AFTD\n\n");
  });

  it("keeps bytes that are no text, and lone carriage returns", () => {
    expect(entry("A: \xff\r\n\r\n\x00\x80\r\xfe\r\n")).toMatch(/\nA: \xff\nStatus: O\n\n\x00\x80\r\xfe\n\n$/);
  });

  it("is one of a message without a header, or without anything", () => {
    expect(entry("\r\nbody\r\n")).toBe("From MAILER-DAEMON Wed Jan  3 04:05:06 2024\nStatus: O\n\nbody\n\n");
    expect(entry("")).toBe("From MAILER-DAEMON Wed Jan  3 04:05:06 2024\nStatus: O\n\n\n");
  });
});
