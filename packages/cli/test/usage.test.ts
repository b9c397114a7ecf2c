import { BackupError } from "@backup/core";
import { describe, expect, it } from "vitest";
import { checkGivenOnce, usageError } from "../src/usage.js";

const USAGE = {
  command: "backup imap",
  positionals: ["USER", "DEST", "SERVER"],
  options: ["quiet", "dry-run", "srcsecret", "allow-deletes", "exclude-folder", "tls-ca"],
};

function said(message: string, ...argv: string[]): string {
  const error = usageError(message, { ...USAGE, argv });
  expect(error).toBeInstanceOf(BackupError);
  expect(error.code).toBe("USAGE");
  return error.message;
}

describe("wrong usage", () => {
  it("names the arguments that are missing", () => {
    const message = (got: number) => `Not enough non-option arguments: got ${got}, need at least 3`;
    expect(said(message(0))).toBe(
      "USER, DEST, SERVER missing; backup imap takes USER DEST SERVER, see backup imap --help",
    );
    expect(said(message(2))).toMatch(/^SERVER missing;/);
  });

  it("names the argument that is too many, and thinks of the shell", () => {
    expect(said("Unknown argument: Archive/b", "imap", "Archive/b")).toBe(
      "'Archive/b' is one argument too many; backup imap takes USER DEST SERVER " +
        "(quote what the shell must not expand), see backup imap --help",
    );
  });

  it.each([
    ["dryrun", "dry-run"],
    ["dryRun", "dry-run"],
    ["src-secret", "srcsecret"],
    ["allow-delete", "allow-deletes"],
    ["exclude", "exclude-folder"],
    ["tlsca", "tls-ca"],
    ["quietly", "quiet"],
    ["qiet", "quiet"],
    ["srcsceret", "srcsecret"],
    ["dry-rnu", "dry-run"],
    ["alow-deltes", "allow-deletes"],
  ])("takes --%s for --%s", (typed, meant) => {
    expect(said(`Unknown arguments: ${typed}, other`, `--${typed}`)).toBe(
      `there is no option --${typed}; did you mean --${meant}?`,
    );
  });

  it.each([
    ["frobnicate", "--frobnicate"],
    ["quote", "--quote"],
    ["x", "-x"],
    ["d", "-d"],
    ["no", "--no"],
  ])("guesses nothing for %s", (name, shown) => {
    expect(said(`Unknown argument: ${name}`, shown)).toBe(`there is no option ${shown}; see backup imap --help`);
  });

  it("says which option has no value", () => {
    expect(said("Not enough arguments following: srcsecret")).toBe(
      "option --srcsecret needs a value; see backup imap --help",
    );
  });

  it("passes on what it does not know", () => {
    expect(said("Something Else")).toBe("something Else; see backup imap --help");
  });

  it("refuses an option of one value that was given twice", () => {
    expect(() => checkGivenOnce({ srcsecret: "/a", folder: ["a", "b"] }, ["srcsecret"])).not.toThrow();
    expect(() => checkGivenOnce({ srcsecret: ["/a", "/b"] }, ["srcsecret"])).toThrow(
      /--srcsecret is given more than once/,
    );
  });
});
