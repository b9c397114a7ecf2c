import { describe, expect, it } from "vitest";
import { formatServer, parseServer } from "../src/server.js";

describe("parseServer", () => {
  it.each([
    ["mail.example.org", "mail.example.org", 993, "tls"],
    ["mail.example.org:993", "mail.example.org", 993, "tls"],
    ["mail.example.org:143", "mail.example.org", 143, "starttls"],
    ["imaps://mail.example.org", "mail.example.org", 993, "tls"],
    ["imaps://mail.example.org:1993", "mail.example.org", 1993, "tls"],
    ["imaps://mail.example.org:143", "mail.example.org", 143, "tls"],
    ["imap://mail.example.org", "mail.example.org", 143, "starttls"],
    ["imap://mail.example.org:1143/", "mail.example.org", 1143, "starttls"],
    ["127.0.0.1:143", "127.0.0.1", 143, "starttls"],
    ["[::1]", "::1", 993, "tls"],
    ["imap://[2001:db8::1]:1143", "2001:db8::1", 1143, "starttls"],
  ])("reads %s", (text, host, port, security) => {
    expect(parseServer(text)).toEqual({ host, port, security });
    expect(parseServer(formatServer(parseServer(text)))).toEqual({ host, port, security });
  });

  it.each(["", "host:", "host:abc", "host:0", "host:99999", "http://host", "user@host", "a b", "host:993:993", "::1"])(
    "refuses %j",
    (text) => {
      expect(() => parseServer(text)).toThrowError(expect.objectContaining({ code: "USAGE" }));
    },
  );

  it("asks how TLS starts on a port of its own", () => {
    expect(() => parseServer("host:1143")).toThrowError(
      /imaps:\/\/host:1143 for TLS, or imap:\/\/host:1143 for STARTTLS/,
    );
  });
});
