import { describe, expect, it } from "vitest";
import { Header, headerLength } from "../src/index.js";

const header = (text: string, encoding: BufferEncoding = "utf8"): Header => new Header(Buffer.from(text, encoding));

describe("a header", () => {
  it("ends with the first empty line", () => {
    expect(headerLength(Buffer.from("A: b\r\n\r\nbody\n\n"))).toBe(8);
    expect(headerLength(Buffer.from("A: b\n\nbody\r\n\r\n"))).toBe(6);
    expect(headerLength(Buffer.from("\r\nbody"))).toBe(2);
    expect(headerLength(Buffer.from("\nbody"))).toBe(1);
    expect(headerLength(Buffer.from("A: b\r\n"))).toBeUndefined();
    expect(header("\r\nSubject: body").text("subject")).toBe("");
  });

  it("has its fields unfolded and decoded, whatever the case of their names", () => {
    const text =
      "SUBJECT: =?utf-8?Q?J=C3=BCrgen?=\r\n =?utf-8?B?ISE=?=\r\nX-Other:\r\n\tfolded\r\n\tlines\r\nSubject: second\r\n\r\n";
    expect(header(text).text("subject")).toBe("Jürgen!!");
    expect(header(text).fields()).toEqual([
      { name: "SUBJECT", value: "Jürgen!!" },
      { name: "X-Other", value: "folded\tlines" },
      { name: "Subject", value: "second" },
    ]);
  });

  it("has raw bytes as UTF-8, or else as the usual character set", () => {
    expect(header("Subject: Grüße 会議\r\n\r\n").text("subject")).toBe("Grüße 会議");
    expect(header("Subject: Gr\xfc\xdfe\r\n\r\n", "latin1").text("subject")).toBe("Grüße");
  });

  it("has addresses as people write them", () => {
    const to = header(
      'To: "M, J" <a@b.c>, d@e.f, =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <g@xn--mnchen-3ya.de>, team: x@y.z, u@v.w;\r\n\r\n',
    );
    expect(to.addresses("to")).toBe("M, J <a@b.c>, d@e.f, Grüße <g@münchen.de>, team: x@y.z, u@v.w;");
    expect(to.mailbox("to")).toBe("a@b.c");
    expect(to.addresses("cc")).toBe("");
    expect(to.mailbox("cc")).toBeUndefined();
  });
});
