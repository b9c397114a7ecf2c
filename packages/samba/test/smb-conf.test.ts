import { describe, expect, it } from "vitest";
import { placeOf, referencesIn } from "../src/smb-conf.js";

describe("referencesIn", () => {
  it("finds what is included, in any spelling that Samba takes, in any section, and after a line that goes on", () => {
    const text = [
      "[global]",
      "\tinclude = /etc/samba/a.conf",
      "IN CLUDE=/etc/samba/b.conf  ",
      "; include = /etc/samba/no.conf",
      "# include = /etc/samba/no.conf",
      "comment = include = /etc/samba/no.conf",
      "include = \\",
      "  /etc/samba/c.conf",
      "config file = /etc/samba/smb.conf.%m",
      "[share]",
      "include = /etc/samba/d.conf\r",
      "include =",
    ].join("\n");
    expect(referencesIn(text)).toEqual({
      files: ["a.conf", "b.conf", "c.conf", "smb.conf.%m", "d.conf"].map((name) => `/etc/samba/${name}`),
      registry: false,
    });
  });

  it.each([
    ["include = registry", true],
    ["config backend = registry", true],
    ["registry shares = Yes", true],
    ["registry shares = no", false],
    ["config backend = file", false],
  ])("notices the registry: %s", (line, registry) => {
    expect(referencesIn(`[global]\n ${line}\n`)).toEqual({ files: [], registry });
  });
});

describe("placeOf", () => {
  it("is the file itself where nothing in it depends on the connection", () => {
    const file = "/etc/samba/100%.conf";
    expect(placeOf(file)).toEqual({ directory: "/etc/samba", pattern: "100%.conf", file });
  });

  it("is a pattern for all that it may be, in which the rest of the name means itself", () => {
    const [directory, file] = ["/etc/samba", undefined];
    expect(placeOf("/etc/samba/[%m]-%(user).conf")).toEqual({ directory, pattern: "\\[*\\]-*.conf", file });
    expect(placeOf("/etc//samba/%$(HOME)")).toEqual({ directory, pattern: "*", file });
  });

  it.each(["/etc/%m/smb.conf", "shares.conf", "/etc/samba/"])("cannot be said of %s", (value) => {
    expect(placeOf(value)).toBeUndefined();
  });
});
