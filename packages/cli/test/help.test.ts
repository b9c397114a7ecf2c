import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { SUBCOMMANDS } from "./support/types.js";
import { COMMON_OPTIONS } from "../src/common-options.js";

const MAIN = fileURLToPath(new URL("../bin/backup.js", import.meta.url));

/** What help says in a terminal that is so wide. */
async function helpOf(command: string, columns = 80): Promise<string> {
  const line = `stty cols ${columns}; exec '${process.execPath}' '${MAIN}' ${command} --help`;
  const { stdout } = await promisify(execFile)("script", ["--quiet", "--return", "--command", line, "/dev/null"]);
  return stdout.replaceAll("\r", "");
}

describe("backup --help", () => {
  it("lists every command", async () => {
    const help = await helpOf("");
    for (const { name } of SUBCOMMANDS) expect(help).toMatch(new RegExp(`^ {2}backup ${name.split(" ")[0]}\\b`, "m"));
    expect(help).toMatch(/^ {2}backup imap alice@example\.org /m);
    expect(help).toContain("Exit status: 0 done");
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });
});

describe.each(SUBCOMMANDS)("backup $name --help", ({ name, summary, positionals, options, examples }) => {
  let help: string;
  beforeAll(async () => {
    help = await helpOf(name);
  });

  it("says what it does, and what it takes", () => {
    const flat = help.replace(/\s+/g, " ");
    expect(flat).toContain(summary);
    for (const { name: argument } of positionals) expect(help).toMatch(new RegExp(`^ {2}${argument} `, "m"));
    for (const option of Object.keys({ ...COMMON_OPTIONS, ...options }))
      expect(help).toMatch(new RegExp(`^ .*--${option}\\b`, "m"));
  });

  it("has an example", () => {
    expect(examples.length).toBeGreaterThan(0);
    // Wrapped where it is long, so without blanks.
    const flat = help.replace(/\s+/g, "");
    for (const [command] of examples) expect(flat).toContain(command.slice(0, 20).replace(/\s+/g, ""));
  });

  it("fits 80 columns", () => {
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });
});
