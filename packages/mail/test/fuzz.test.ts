import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { makeMessages } from "../../../test/support/messages.js";
import { mboxEntry, parseMail } from "../src/index.js";

/** No message of this size may take longer, however it is made. */
const LONGEST_MS = 5000;
const REAL = makeMessages({ count: 25, maxBytes: 5000 }).map(({ bytes }) => Buffer.from(bytes));
/** What parsers stumble over. */
const MARKS = [
  "\r\n\r\n",
  "\n\n",
  "\r",
  "\0",
  "--",
  "=?utf-8?B?",
  "?=",
  'boundary="',
  "=E4=",
  "\xff\xfe",
  ": ",
  ";",
  "<",
  "charset=x",
];

const realMail = fc.integer({ min: 0, max: REAL.length - 1 }).map((index) => REAL[index] ?? Buffer.alloc(0));
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat(200),
  insert: fc.oneof(
    fc.constantFrom(...MARKS).map((mark) => Buffer.from(mark, "latin1")),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  ),
});
const mutated = fc.tuple(realMail, fc.array(change, { minLength: 1, maxLength: 20 })).map(([mail, changes]) =>
  changes.reduce((bytes, { at, cut, insert }) => {
    const from = Math.floor(at * bytes.length);
    return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + cut)]);
  }, mail),
);
const structured = fc
  .array(
    fc.constantFrom(
      "Content-Type: multipart/mixed; boundary=b\r\n",
      "Content-Type: multipart/alternative; boundary=b\r\n",
      "Content-Type: message/rfc822\r\n",
      "Content-Type: text/html; charset=utf-7\r\n",
      "Content-Type: text/plain; charset=iso-2022-jp; format=flowed; delsp=yes\r\n",
      "Content-Disposition: attachment; filename*0*=utf-8''%f0%9f; filename*1*=%98%80\r\n",
      "Content-Disposition: inline\r\n",
      "Content-Transfer-Encoding: base64\r\n",
      "Content-Transfer-Encoding: quoted-printable\r\n",
      'From: a@b, (((, <, "\r\n',
      "Date: 99 Foo 0000\r\n",
      "\r\n",
      "--b\r\n",
      "--b--\r\n",
      "text =\r\n",
      "=?utf-8?Q?=?=\r\n",
      "<div><table><tr><td>\r\n",
    ),
    { maxLength: 60 },
  )
  .map((lines) => Buffer.from(lines.join("")));
const random = fc.uint8Array({ maxLength: 4000 }).map((bytes) => Buffer.from(bytes));

describe("any bytes at all", () => {
  it.each([
    ["random bytes", random, 200],
    ["real mail that was changed", mutated, 300],
    ["lines of mail in any order", structured, 300],
  ] as const)("are taken apart without failing: %s", async (_what, messages, numRuns) => {
    await fc.assert(
      fc.asyncProperty(messages, async (bytes) => {
        const begun = performance.now();
        const { header, text, attachments, problem } = await parseMail(bytes);
        expect(typeof text).toBe("string");
        for (const { name, size } of attachments) expect([typeof name, typeof size]).toEqual(["string", "number"]);
        expect(["undefined", "string"]).toContain(typeof problem);
        for (const name of ["from", "to", "cc"]) expect(typeof header.addresses(name)).toBe("string");
        expect(header.fields().every(({ value }) => typeof value === "string")).toBe(true);
        expect(mboxEntry(bytes, { date: 0, letters: "S" }).subarray(0, 5).toString()).toBe("From ");
        expect(performance.now() - begun).toBeLessThan(busy(LONGEST_MS));
      }),
      { numRuns },
    );
  });
});
