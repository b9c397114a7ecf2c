import { describe, expect, it } from "vitest";
import { parseMail } from "../src/index.js";

const bytesOf = (...lines: readonly string[]): Buffer => Buffer.from(lines.join("\r\n"));

const mixed = (...parts: readonly (readonly string[])[]): Buffer =>
  bytesOf('Content-Type: multipart/mixed; boundary="b"', "", ...parts.flatMap((part) => ["--b", ...part]), "--b--", "");

describe("a message that is taken apart", () => {
  it("has its text decoded from its character set and transfer encoding", async () => {
    const head = ["Content-Type: text/plain; charset=gb2312", "Content-Transfer-Encoding: base64", ""];
    expect((await parseMail(bytesOf(...head, "1tDOxA=="))).text.trim()).toBe("中文");
    const latin = Buffer.from("Content-Type: text/plain; charset=iso-8859-15\r\n\r\n10 \xa4 f\xfcr dich\r\n", "latin1");
    expect((await parseMail(latin)).text).toBe("10 € für dich\n");
  });

  it("has the text of HTML where there is no other, also beside attachments", async () => {
    const html = ["Content-Type: text/html", "", "<p>Hallo <b>Welt</b> &amp; alle</p><script>bad()</script>"];
    expect((await parseMail(bytesOf(...html))).text).toBe("Hallo Welt & alle");
    const mail = await parseMail(mixed(html, ["Content-Type: image/png", "", "bytes"]));
    expect(mail).toMatchObject({ text: "Hallo Welt & alle", problem: undefined, attachments: [{ type: "image/png" }] });
  });

  it("prefers the text to the HTML that says the same", async () => {
    const both = mixed(["Content-Type: text/plain", "", "text"], ["Content-Type: text/html", "", "<p>html</p>"]);
    const alternative = Buffer.from(both.toString().replace("multipart/mixed", "multipart/alternative"));
    expect((await parseMail(alternative)).text.trim()).toBe("text");
  });

  it("gives attachments decoded, one after the other", async () => {
    const part = (name: string, text: string) => [
      `Content-Disposition: attachment; filename="${name}"`,
      "Content-Transfer-Encoding: base64",
      "",
      Buffer.from(text).toString("base64"),
    ];
    const taken: string[] = [];
    const mail = await parseMail(mixed(part("a.txt", "first"), part("b.txt", "second")), async ({ name }, bytes) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of bytes) pieces.push(piece);
      taken.push(`${name} ${Buffer.concat(pieces).toString()}`);
    });
    expect(taken).toEqual(["a.txt first", "b.txt second"]);
    expect(mail.attachments.map(({ name, size }) => [name, size])).toEqual([
      ["a.txt", 5],
      ["b.txt", 6],
    ]);
  });

  it("fails as whoever takes an attachment fails", async () => {
    const message = mixed(["Content-Disposition: attachment; filename=a", "", "x"]);
    const full = parseMail(message, async () => {
      throw new Error("disk full");
    });
    await expect(full).rejects.toThrow("disk full");
  });

  it.each([
    ["more parts than a person makes", mixed(...Array.from({ length: 3000 }, () => ["", "part"]))],
    [
      "parts within parts",
      bytesOf(
        ...Array.from({ length: 5000 }, (_, n) => [
          `Content-Type: multipart/mixed; boundary=b${n}`,
          "",
          `--b${n}`,
        ]).flat(),
      ),
    ],
    ["a header without an end", Buffer.from(`Subject: ${"x".repeat(3_000_000)}`)],
  ])("is shown as it is where it has %s", async (_what, bytes) => {
    const { problem, text } = await parseMail(bytes);
    expect(problem).toMatch(/^it cannot be taken apart \(.+\)$/);
    expect(text).toBe(bytes.toString());
  });

  it("says that HTML is too deep or too long to be shown", async () => {
    for (const html of ["<div>".repeat(100_000), `<p>${"x".repeat(3_000_000)}</p>`])
      expect(await parseMail(bytesOf("Content-Type: text/html", "", html))).toMatchObject({
        text: "",
        problem: expect.stringMatching(/^its HTML cannot be shown as text/),
      });
  });

  it("may be nothing at all", async () => {
    expect(await parseMail(Buffer.alloc(0))).toMatchObject({ text: "", attachments: [], problem: undefined });
  });
});
