import { BackupError, Secret } from "@backup/core";
import { describe, expect, it } from "vitest";
import { endpointUrl } from "../src/oauth2-endpoint.js";
import { isOAuth2, readOAuth2 } from "../src/oauth2-file.js";
import { OAUTH2_PROVIDERS } from "../src/oauth2-providers.js";

const LOGIN = JSON.stringify({ provider: "microsoft", client_id: "id", refresh_token: "r" });

describe("a secret", () => {
  it.each([
    ["/x/alice.oauth2", "anything", true],
    ["/x/alice.password", LOGIN, false],
    ["/x/secret", LOGIN, true],
    [undefined, LOGIN, true],
    ["/x/secret", '{"command":["x"]}', true],
    ["/x/secret", '{"password":"x"}', false],
    ["/x/secret", '["refresh_token"]', false],
    ["/x/secret", "{refresh_token", false],
    ["/x/secret", "null", false],
  ])("in %s that is %s is an OAuth2 login: %s", (file, text, expected) => {
    expect(isOAuth2(new Secret(text, file === undefined ? {} : { file }))).toBe(expected);
  });
});

describe("an .oauth2 file", () => {
  it("takes its address from its provider", () => {
    const login = readOAuth2(new Secret(LOGIN), "alice");
    if (login.kind !== "refresh") throw new Error("another kind");
    expect(login.client.tokenUrl.href).toBe(OAUTH2_PROVIDERS.microsoft.tokenUrl);
    // A refresh is for what was granted at the login.
    expect(login.client.scope).toBeUndefined();
  });

  it("says itself what is otherwise", () => {
    const text = JSON.stringify({ ...JSON.parse(LOGIN), token_url: "https://login.example/token", scope: "mail" });
    const login = readOAuth2(new Secret(text), "alice");
    if (login.kind !== "refresh") throw new Error("another kind");
    expect([login.client.tokenUrl.href, login.client.scope]).toEqual(["https://login.example/token", "mail"]);
    expect(JSON.parse(login.textWith(new Secret("new")))).toEqual({ ...JSON.parse(text), refresh_token: "new" });
  });
});

describe("an address that tokens are sent to", () => {
  const check = (text: string): string => endpointUrl(text, (what) => new BackupError("USAGE", `it ${what}`)).href;

  it.each([
    "https://example.org/token",
    "http://localhost:1/",
    "http://127.0.0.1/",
    "http://127.8.9.1/",
    "http://[::1]/",
  ])("may be %s", (text) => expect(check(text)).toBe(text));

  it.each([
    "http://example.org/",
    "http://localhost.example.org/",
    "http://127.0.0.1.example.org/",
    "http://127.example.org/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "https://user:word@example.org/",
    "example.org",
    "",
  ])("may not be %j", (text) => expect(() => check(text)).toThrow(/^it (?:is|holds) /));
});
