import { Secret } from "@backup/core";
import { describe, expect, it } from "vitest";
import { pluginsWith } from "../src/plugins/built-in.js";
import { parseMailAddress } from "../src/reports/mail-address.js";
import { formatMailServer, parseMailServer } from "../src/reports/mail-server.js";
import { hooksFromEnv, reportsFromEnv } from "../src/reports/settings.js";

const PLUGINS = pluginsWith([]);
const usage = (message: RegExp | string) =>
  expect.objectContaining({ code: "USAGE", message: expect.stringMatching(message) });

describe("the environment", () => {
  it("asks for nothing when nothing is set, or only empty texts", () => {
    const names = ["MAIL_TO", "MAIL_URL", "PING_URL", "PING_FAIL_URL", "METRICS_FILE", "BACKUP_BEFORE", "BACKUP_AFTER"];
    for (const env of [{}, Object.fromEntries(names.map((name) => [name, ""])), { MAIL_TO: " " }]) {
      expect(reportsFromEnv(PLUGINS, env)).toEqual({});
      expect(hooksFromEnv(env)).toEqual({ before: [], after: [] });
    }
  });

  it("says all of a mail", () => {
    const env = {
      MAIL_TO: "a@example.org, B <b@example.org>",
      MAIL_FROM: "backup@example.org",
      MAIL_URL: "smtp://user@mail.example.org:587",
      MAIL_SSL: "no",
      MAIL_HOSTNAME: "nas.example.org",
      MAIL_ON: "failure",
      MAIL_PASSWORD_FILE: "/etc/mail.password",
      MAIL_TLS_CA: "/etc/ca.pem",
      MAIL_WHATEVER: "is not ours",
    };
    expect(reportsFromEnv(PLUGINS, env).mail).toEqual({
      to: ["a@example.org", "B <b@example.org>"],
      from: "backup@example.org",
      url: "smtp://user@mail.example.org:587",
      ssl: false,
      hostname: "nas.example.org",
      when: "failure",
      password: "/etc/mail.password",
      tlsCa: "/etc/ca.pem",
    });
  });

  it("sends no mail without MAIL_TO", () => {
    expect(reportsFromEnv(PLUGINS, { MAIL_URL: "smtp://mail.example.org", MAIL_ON: "always" }).mail).toBeUndefined();
  });

  it.each([
    ["1", true],
    ["YES", true],
    ["true", true],
    ["0", false],
    ["No", false],
    ["false", false],
  ])("takes MAIL_SSL=%s", (text, ssl) => {
    expect(reportsFromEnv(PLUGINS, { MAIL_TO: "a@example.org", MAIL_SSL: text }).mail?.ssl).toBe(ssl);
  });

  it.each([
    [{ MAIL_TO: "a@example.org,," }, /^MAIL_TO takes mail addresses/],
    [{ MAIL_TO: "nobody" }, /^MAIL_TO takes mail addresses.*'nobody'/],
    [{ MAIL_FROM: "a@b c" }, /^MAIL_FROM takes mail addresses/],
    [{ MAIL_URL: "http://mail.example.org" }, /^MAIL_URL takes smtp:/],
    [{ MAIL_URL: "smtps://mail.example.org", MAIL_SSL: "0" }, /^MAIL_URL says smtps/],
    [{ MAIL_SSL: "maybe" }, /^MAIL_SSL takes 1, yes, true, 0, no or false, and 'maybe'/],
    [{ MAIL_HOSTNAME: "a host" }, /^MAIL_HOSTNAME takes a host name/],
    [{ MAIL_HOSTNAME: "nas\r\nBcc: x@example.org" }, /^MAIL_HOSTNAME takes a host name/],
    [{ MAIL_ON: "sometimes" }, /^MAIL_ON takes always or failure, and 'sometimes'/],
    [{ MAIL_PASSWORD_FILE: "mail.password" }, /^MAIL_PASSWORD_FILE must be an absolute path/],
    [{ PING_URL: "hc-ping.com/1234" }, /^PING_URL takes an address/],
    [{ PING_START_URL: "ftp://hc-ping.com/1234" }, /^PING_START_URL takes an address/],
    [{ PING_SUCCESS_URL: "https://user:word@hc-ping.com/1234" }, /^PING_SUCCESS_URL takes an address without user/],
    [{ PING_FAIL_URL: "https://" }, /^PING_FAIL_URL takes an address/],
  ])("is refused when it is wrong: %o", (env, message) => {
    expect(() => reportsFromEnv(PLUGINS, { MAIL_TO: "you@example.org", ...env })).toThrow(usage(message));
  });

  it.each(["BACKUP_BEFORE", "BACKUP_AFTER"])("takes an absolute path as %s", (name) => {
    expect(Object.values(hooksFromEnv({ [name]: "/usr/local/bin/a hook" }))).toContainEqual([
      ["/usr/local/bin/a hook"],
    ]);
    expect(() => hooksFromEnv({ [name]: "bin/hook" })).toThrow(usage(`^${name} must be an absolute path`));
  });

  it("is not repeated where a secret may be in it", () => {
    for (const env of [
      { MAIL_URL: "smtp://alice:hunter2@mail.example.org/hunter2" },
      { MAIL_URL: "smtp://:hunter2@mail.example.org" },
      { MAIL_URL: "smtp://alice:hunter2%zz@mail.example.org" },
      { MAIL_PASSWORD_FILE: "hunter2" },
      { PING_URL: "htps://hc-ping.com/hunter2" },
      { PING_URL: "https://hunter2:hunter2@hc-ping.com/" },
    ]) {
      let message = "";
      try {
        reportsFromEnv(PLUGINS, { MAIL_TO: "you@example.org", ...env });
      } catch (error) {
        message = String(error);
      }
      expect(message).toMatch(/BackupError: (?:MAIL|PING)/);
      expect(message).not.toContain("hunter2");
    }
  });
});

describe("a mail server", () => {
  const read = (url: string, ssl?: boolean) => parseMailServer(url, { ssl, setting: "MAIL_URL" });

  it.each([
    ["smtp://mail.example.org", undefined, { host: "mail.example.org", port: 25, tls: false }],
    ["smtp://mail.example.org:587/", undefined, { host: "mail.example.org", port: 587, tls: false }],
    ["smtps://mail.example.org", undefined, { host: "mail.example.org", port: 465, tls: true }],
    ["SMTPS://mail.example.org:10465", undefined, { host: "mail.example.org", port: 10465, tls: true }],
    ["smtp://mail.example.org", true, { host: "mail.example.org", port: 465, tls: true }],
    ["smtp://mail.example.org:465", undefined, { host: "mail.example.org", port: 465, tls: true }],
    ["smtp://mail.example.org:465", false, { host: "mail.example.org", port: 465, tls: false }],
    ["mail.example.org", undefined, { host: "mail.example.org", port: 25, tls: false }],
    ["mail.example.org:587", undefined, { host: "mail.example.org", port: 587, tls: false }],
    ["alice@mail.example.org", undefined, { host: "mail.example.org", port: 25, tls: false, user: "alice" }],
    ["smtp://[::1]:2525", undefined, { host: "::1", port: 2525, tls: false }],
    ["smtps://alice%40example.org@mail.example.org", undefined, { port: 465, user: "alice@example.org" }],
    ["smtps://alice@example.org@mail.example.org", undefined, { port: 465, user: "alice@example.org" }],
  ])("is read from %s (MAIL_SSL: %s)", (url, ssl, server) => {
    expect(read(url, ssl)).toMatchObject(server);
  });

  it("keeps a password as a secret", () => {
    const { user, password } = read("smtp://alice:hun%40ter2@mail.example.org");
    expect(user).toBe("alice");
    expect(password).toBeInstanceOf(Secret);
    expect(password?.reveal()).toBe("hun@ter2");
  });

  it.each([
    "",
    "smtp://",
    "smtp://host:99999",
    "smtp://host/path",
    "smtp://host?query",
    "smtp://host#x",
    "https://host",
  ])("is not read from '%s'", (url) => expect(() => read(url)).toThrow(usage("^MAIL_URL takes smtp://")));

  it("is shown without its user", () => {
    expect(formatMailServer(read("smtps://alice:word@mail.example.org"))).toBe("smtps://mail.example.org:465");
    expect(formatMailServer(read("smtp://[::1]"))).toBe("smtp://[::1]:25");
  });
});

describe("a mail address", () => {
  it.each([
    ["you@example.org", { name: "", address: "you@example.org" }],
    ["<you@example.org>", { name: "", address: "you@example.org" }],
    ["Your Name <you@example.org>", { name: "Your Name", address: "you@example.org" }],
    ['"Your Name" <you@example.org>', { name: "Your Name", address: "you@example.org" }],
    ["root@localhost", { name: "", address: "root@localhost" }],
  ])("is read from %s", (text, address) => expect(parseMailAddress(text, "MAIL_TO")).toEqual(address));

  it.each([
    "",
    "you",
    "you@",
    "@example.org",
    "you@example.org>",
    "You <you@example.org",
    "You you@example.org",
    "a@b, c@d",
    "a@b c@d",
    "you@example.org\r\nRCPT TO:<x@example.org>",
    "Y\r\nBcc: x@example.org\r\n <you@example.org>",
    "You\u0000 <you@example.org>",
  ])("is not read from %j", (text) => expect(() => parseMailAddress(text, "MAIL_TO")).toThrow(usage("^MAIL_TO takes")));
});
