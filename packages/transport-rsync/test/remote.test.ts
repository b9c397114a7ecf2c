import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRemote } from "../src/remote.js";

describe("a destination on another machine", () => {
  it.each([
    ["nas:mail", { host: "nas", directory: "mail" }],
    ["nas:", { host: "nas", directory: "" }],
    ["nas:/srv/mail", { host: "nas", directory: "/srv/mail" }],
    ["backup@nas.example.org:/srv/mail", { user: "backup", host: "nas.example.org", directory: "/srv/mail" }],
    ["nas:~/mail", { host: "nas", directory: "mail" }],
    ["nas:~", { host: "nas", directory: "" }],
    ["nas:~alice/mail", { host: "nas", directory: "~alice/mail" }],
    ["nas:a:b", { host: "nas", directory: "a:b" }],
    ["nas:a b/c", { host: "nas", directory: "a b/c" }],
    ["nas:line\nbreak", { host: "nas", directory: "line\nbreak" }],
    ["192.0.2.1:mail", { host: "192.0.2.1", directory: "mail" }],
    ["[2001:db8::1]:mail", { host: "2001:db8::1", directory: "mail" }],
    ["root@[::1]:/mail", { user: "root", host: "::1", directory: "/mail" }],
  ])("%j", (text, remote) => {
    expect(parseRemote(text)).toEqual(remote);
  });

  it.each([
    "",
    ".",
    "mail",
    "./nas:mail",
    "/srv/a:b",
    "../a:b",
    "dir/nas:mail",
    ":mail",
    "@nas:mail",
    "user@:mail",
    "user@nas",
    "a@b@nas:mail",
    "[::1]",
  ])("%j is a local directory", (text) => {
    expect(parseRemote(text)).toBeUndefined();
  });

  it("a slash before the colon makes any path local", () => {
    fc.assert(
      fc.property(fc.constantFrom("/", "./", "../", "a/"), fc.string(), fc.string(), (start, a, b) => {
        expect(parseRemote(`${start}${a}:${b}`)).toBeUndefined();
      }),
    );
  });

  it("keeps every directory as it is, but ~ for home", () => {
    fc.assert(
      fc.property(fc.string(), (directory) => {
        fc.pre(!/^~(?:\/|$)/.test(directory));
        expect(parseRemote(`me@nas:${directory}`)).toEqual({ user: "me", host: "nas", directory });
      }),
    );
  });
});
