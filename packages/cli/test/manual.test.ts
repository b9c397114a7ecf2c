import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { SUBCOMMANDS } from "./support/types.js";
import { COMMON_OPTIONS } from "../src/common-options.js";
import { INTERNAL_ENVIRONMENT, environmentOf } from "../src/environment.js";
import { EXIT } from "../src/exit-code.js";
import { EXIT_STATUSES } from "../src/exit-statuses.js";
import { escapeText } from "../src/manual-mdoc.js";
import { manualPage } from "../src/manual.js";
import { pluginsWith } from "../src/plugins/built-in.js";
import { variableOf } from "../src/reports/notifier-arguments.js";

const CLI = fileURLToPath(new URL("..", import.meta.url));
const PAGE = join(CLI, "man/backup.1");
const run = promisify(execFile);

describe("the manual page", () => {
  let shown: string;
  beforeAll(async () => {
    const { stdout } = await run("mandoc", ["-T", "utf8", "-O", "width=80", PAGE]);
    // Without the overstrikes by which a printer makes bold letters.
    shown = stdout.replace(/.\x08/gu, "");
  });

  it("is what the descriptions make it", async () => {
    const { version } = JSON.parse(await readFile(join(CLI, "package.json"), "utf8")) as { version: string };
    expect(await readFile(PAGE, "utf8"), "npm run manual writes it anew").toBe(manualPage(version));
  });

  it("has nothing that mandoc warns of", async () => {
    const linted = await run("mandoc", ["-T", "lint", "-W", "warning", PAGE]).catch((error: unknown) => error);
    expect(linted).toMatchObject({ stdout: "", stderr: "" });
  });

  it("shows every command with its arguments, options and examples", () => {
    const flat = shown.replace(/\s+/g, " ");
    for (const { name, positionals, options, examples } of SUBCOMMANDS) {
      expect(flat).toContain(`backup ${name}`);
      for (const { name: argument } of positionals) expect(shown).toMatch(new RegExp(`^ {5}${argument}\\b`, "m"));
      for (const option of Object.keys({ ...COMMON_OPTIONS, ...options }))
        expect(shown).toMatch(new RegExp(`^ {5}(-\\w, )?--${option}\\b`, "m"));
      for (const [command] of examples) expect(flat).toContain(command);
    }
  });

  it("says what every exit status and variable is", () => {
    expect(EXIT_STATUSES.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual(
      Object.values(EXIT).toSorted((a, b) => a - b),
    );
    for (const { status } of EXIT_STATUSES) expect(shown).toMatch(new RegExp(`^ {5}${status} `, "m"));
    for (const { name } of environmentOf(pluginsWith([]))) expect(shown).toMatch(new RegExp(`^ {5}${name}\\b`, "m"));
  });
});

describe("environment variables", () => {
  it("that the sources read are those that the manual page lists", async () => {
    const sources = join(CLI, "src");
    const read = new Set<string>();
    for (const path of await readdir(sources, { recursive: true })) {
      if (!path.endsWith(".ts") || path === "environment.ts") continue;
      const text = await readFile(join(sources, path), "utf8");
      for (const [, name = ""] of text.matchAll(/\benv\.([A-Z][A-Z_]+)\b/g)) read.add(name);
      for (const [, name = ""] of text.matchAll(/(?:"|\{ )((?:MAIL|PING|METRICS|BACKUP|DRY)_[A-Z_]+)[":]/g))
        read.add(name);
    }
    // The system's, and the code of a warning.
    const others = ["PATH", "METRICS_REPLACED", ...INTERNAL_ENVIRONMENT];
    const { notifiers } = pluginsWith([]);
    const reports = notifiers.flatMap((plugin) =>
      Object.keys(plugin.options).map((option) => variableOf(plugin, option)),
    );
    expect(reports).toEqual(expect.arrayContaining(["MAIL_TO", "MAIL_PASSWORD_FILE", "PING_FAIL_URL", "METRICS_FILE"]));
    const known = environmentOf(pluginsWith([])).map(({ name }) => name);
    const asked = new Set([...read, ...reports].filter((name) => !others.includes(name)));
    expect([...asked].toSorted()).toEqual(known.toSorted());
  });
});

describe("text in mdoc", () => {
  it("is never a macro", () => {
    expect(escapeText(".Sh\n'x\n.y")).toBe("\\&.Sh\n\\&'x\n\\&.y");
    expect(escapeText("a \\n b")).toBe("a \\en b");
    expect(escapeText("--dry-run → …")).toBe("\\-\\-dry\\-run \\[u2192] \\[u2026]");
  });

  it("has a line for each sentence", () => {
    expect(escapeText("One. Two (e.g. this) 1.5 s. Three")).toBe("One.\nTwo (e.g. this) 1.5 s.\nThree");
  });
});
