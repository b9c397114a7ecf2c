import { inspect } from "node:util";
import { BackupError, type ErrorCode, Secret, scrub } from "@backup/core";
import { describe, expect, it } from "vitest";
import { imapError } from "../src/imap-errors.js";
import type { Server } from "../src/server.js";

const PASSWORD = 'pa"ss\\wörd 7';
const TLS: Server = { host: "mail.example.org", port: 993, security: "tls" };
const STARTTLS: Server = { host: "mail.example.org", port: 143, security: "starttls" };
const PLACE = { server: TLS, user: "alice", secret: new Secret(PASSWORD) };

function failure(fields: object, message = "failed"): Error {
  return Object.assign(new Error(message), fields);
}

interface Case {
  readonly code: ErrorCode;
  readonly transient: boolean;
  /** What is wrong, and what to do. */
  readonly says: RegExp;
}

const AUTHORITY: Case = {
  code: "TLS_UNTRUSTED",
  transient: false,
  says: /certificate of imaps:\/\/mail\.example\.org:993 is signed by an authority that this machine does not know .*nothing was sent.*--tls-ca FILE/,
};
const UNREACHABLE: Case = {
  code: "CONNECTION_REFUSED",
  transient: true,
  says: /mail\.example\.org:993 cannot be reached .*check host and port, and that the server runs/,
};
const LOST: Case = { code: "CONNECTION_LOST", transient: true, says: /connection to .* was lost.*run again to go on/ };
const SLOW: Case = { code: "TIMEOUT", transient: true, says: /did not answer in time.*try again later/ };
const NO_TLS: Case = {
  code: "PROTOCOL",
  transient: false,
  says: /does not speak TLS as expected .*imap:\/\/ instead of imaps:\/\//,
};

const BY_CODE: readonly (readonly [string, Case])[] = [
  ["DEPTH_ZERO_SELF_SIGNED_CERT", { ...AUTHORITY, says: /is self-signed .*--tls-ca FILE/ }],
  ["SELF_SIGNED_CERT_IN_CHAIN", AUTHORITY],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", AUTHORITY],
  ["UNABLE_TO_GET_ISSUER_CERT", AUTHORITY],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", AUTHORITY],
  ["CERT_HAS_EXPIRED", { ...AUTHORITY, says: /has expired .*Its owner must renew it/ }],
  ["CERT_NOT_YET_VALID", { ...AUTHORITY, says: /is not valid yet/ }],
  ["CERT_REVOKED", { ...AUTHORITY, says: /was revoked/ }],
  ["ERR_TLS_CERT_ALTNAME_INVALID", { ...AUTHORITY, says: /is for another host name .*Write the server's name/ }],
  [
    "ENOTFOUND",
    { code: "HOST_UNKNOWN", transient: false, says: /no host named mail\.example\.org; check the spelling/ },
  ],
  ["EAI_AGAIN", { code: "HOST_UNKNOWN", transient: true, says: /cannot be looked up now; check the network/ }],
  ...["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"].map((code) => [code, UNREACHABLE] as const),
  ...["CONNECT_TIMEOUT", "GREETING_TIMEOUT", "UPGRADE_TIMEOUT", "ETIMEOUT", "ETIMEDOUT"].map(
    (code) => [code, SLOW] as const,
  ),
  ...[
    "NoConnection",
    "EConnectionClosed",
    "ClosedAfterConnectTLS",
    "ClosedAfterConnectText",
    "ECONNRESET",
    "EPIPE",
  ].map((code) => [code, LOST] as const),
  ...["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER"].map((code) => [code, NO_TLS] as const),
];

describe("an error of the connection", () => {
  it.each(BY_CODE)("%s says what to do", (code, { code: expected, transient, says }) => {
    const error = imapError(failure({ code }), PLACE);
    expect(error).toBeInstanceOf(BackupError);
    expect(error).toMatchObject({ code: expected, transient });
    expect(error.message).toMatch(says);
    // So that somebody can look it up.
    if (expected !== "HOST_UNKNOWN" && expected !== "CONNECTION_LOST") expect(error.message).toContain(code);
    expect(error.cause).toBeInstanceOf(Error);
  });

  it("a refused login names the user, the server's words and the file to look into", () => {
    const error = imapError(failure({ authenticationFailed: true, responseText: "Invalid credentials" }), PLACE);
    expect(error).toMatchObject({ code: "AUTH_FAILED", transient: false });
    expect(error.message).toBe(
      'imaps://mail.example.org:993 refused the login of alice ("Invalid credentials"); check the user name and the password\'s file',
    );
  });

  it.each(["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"])("a login refused with %s blames no password", (code) => {
    const reason = { authenticationFailed: true, serverResponseCode: code, responseText: "Too many connections" };
    const error = imapError(failure(reason), PLACE);
    expect(error).toMatchObject({ code: "CONNECTION_REFUSED", transient: true });
    expect(error.message).toMatch(/cannot let alice in now \("Too many connections"\).*try again later/);
  });

  it.each([
    ["tlsFailed", failure({ tlsFailed: true })],
    ["its text", new Error("Server does not support STARTTLS")],
  ])("a server without STARTTLS, known by %s, is never spoken to in the clear", (_name, reason) => {
    const error = imapError(reason, { ...PLACE, server: STARTTLS });
    expect(error).toMatchObject({ code: "TLS_REQUIRED", transient: false });
    expect(error.message).toMatch(
      /^imap:\/\/mail\.example\.org:143 does not offer STARTTLS.*never sent unencrypted.*993/,
    );
  });

  it("STARTTLS asked of a port that is for TLS says so", () => {
    const error = imapError(failure({ code: "GREETING_TIMEOUT" }), { ...PLACE, server: STARTTLS });
    expect(error).toMatchObject({ code: "TIMEOUT", transient: true });
    expect(error.message).toMatch(/imaps:\/\//);
  });

  it("anything else is told as it is, and may go away", () => {
    expect(imapError(failure({ responseText: "Server busy" }), PLACE)).toMatchObject({
      code: "PROTOCOL",
      transient: true,
    });
    for (const [reason, name] of [
      [new RangeError("x"), "RangeError"],
      ["text", "string"],
      [undefined, "undefined"],
      [failure({ code: "EWHATEVER" }), "EWHATEVER"],
    ] as const) {
      const error = imapError(reason, PLACE);
      expect(error.code).toBe("PROTOCOL");
      expect(error.message).toContain(name);
      expect(error.message).toMatch(/run with DEBUG=1/);
    }
  });

  it("a BackupError stays what it is", () => {
    const error = new BackupError("LEASE_LOST", "text");
    expect(imapError(error, PLACE)).toBe(error);
  });
});

describe("what a server says", () => {
  const said = (text: string): string => imapError(failure({ responseText: text }), PLACE).message;

  it("is cut, and holds no control character", () => {
    expect(said("x".repeat(5000)).length).toBeLessThan(400);
    const text = said("a\x1b[2Jb\r\nc\x9bd\x07e");
    expect(text).not.toMatch(/\p{Cc}/u);
    expect(text).toContain('("a [2Jb c d e")');
  });

  it("is taken from a BYE too", () => {
    expect(imapError(failure({ code: "EConnectionClosed", reason: "shutting down" }), PLACE).message).toContain(
      '("shutting down")',
    );
  });

  it.each([
    ["itself", PASSWORD],
    ["in base64", Buffer.from(PASSWORD).toString("base64")],
    ["as a quoted string", PASSWORD.replace(/["\\]/g, "\\$&")],
    ["as JSON", JSON.stringify(PASSWORD).slice(1, -1)],
    ["as bytes taken for Latin-1", Buffer.from(PASSWORD).toString("latin1")],
    ["as SASL PLAIN", Buffer.from(`\0alice\0${PASSWORD}`).toString("base64")],
    ["as SASL PLAIN of another length", Buffer.from(`\0bob@example.org\0${PASSWORD}`).toString("base64")],
  ])("never holds the password: %s", (_form, form) => {
    const error = imapError(
      failure({ responseText: `bad ${form} x ${form}`, response: form }, `failed with ${form}`),
      PLACE,
    );
    const everything = error.message + inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
    expect(everything.includes(form)).toBe(false);
    expect(everything).toContain("[secret]");
    expect(scrub(`a ${form} b`, PLACE.secret).includes(form)).toBe(false);
  });

  it("is left as it is where it holds no secret", () => {
    const text = 'a1 NO [ALERT] $& $1 pass word \\ "quoted" 日本語';
    expect(scrub(text, PLACE.secret)).toBe(text);

    class Empty extends Secret {
      override reveal(): string {
        return "";
      }
    }
    expect(scrub(text, new Empty("x"))).toBe(text);
  });
});
