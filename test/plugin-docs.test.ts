import { execFileSync } from "node:child_process";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type SourcePlugin, loadScriptPlugin, openPluginContext } from "@backup/core";
import { sourceSuite } from "@backup/core/testing";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBackup } from "./support/command.js";
import { runProgram } from "./support/run-program.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const GIT = join(ROOT, "examples/plugins/backup-source-git");
const NOTES = join(ROOT, "examples/plugins/notes.mjs");
const NEVER = new AbortController().signal;

let directory: TemporaryDirectory;
const at = (name: string): string => join(directory.path, name);
beforeAll(async () => {
  directory = await temporaryDirectory();
  await writeFile(at("notes.json"), JSON.stringify([note("Milk", "buy some"), note("Tax", "by June")]));
});
afterAll(() => directory?.[Symbol.asyncDispose]());

const note = (title: string, text: string): object => ({ title, text });

interface Block {
  readonly language: string;
  readonly text: string;
}

/** The code blocks of one section of docs/plugins.md. */
async function blocksOf(heading: string): Promise<readonly Block[]> {
  const text = await readFile(join(ROOT, "docs/plugins.md"), "utf8");
  const [section = ""] = text.split(`\n## ${heading}\n`)[1]?.split("\n## ") ?? [];
  return [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language = "", code = ""]) => ({
    language,
    text: code,
  }));
}

describe("docs/plugins.md", () => {
  it("has a walk-through whose every command does what it says", async () => {
    const blocks = await blocksOf("A plugin in ten minutes");
    expect(blocks.map(({ language }) => language)).toEqual(["sh", "js", "sh", "sh", "sh"]);
    const steps = blocks.map(({ language, text }) =>
      language === "js" ? `cat >notes.mjs <<'END OF PLUGIN'\n${text}END OF PLUGIN\n` : text,
    );
    await writeFile(at("walk.sh"), `set -euo pipefail\ncd '${directory.path}'\n${steps.join("\n")}`);
    const env = { HOME: directory.path, PATH: `${join(ROOT, "packages/cli/bin")}:${process.env.PATH ?? ""}` };
    const { code, stdout, stderr } = await runProgram("bash", [at("walk.sh")], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("--upper");
    expect(stdout.match(/^done: .*$/gm)?.map((line) => line.replace(/,.*/, ""))).toHaveLength(3);
    expect(stdout).toContain("dry run");
    const files = await readdir(at("my-plugin/copy/notes"));
    expect(files).toHaveLength(2);
    const milk = files.find((name) => name.startsWith("Milk.D")) ?? "";
    expect(await readFile(at(`my-plugin/copy/notes/${milk}`), "utf8")).toBe("bought\n");

    // Its tests, where @backup/core is installed.
    const [test] = await blocksOf("The tests that a plugin must pass");
    await writeFile(at("my-plugin/notes.test.mjs"), test?.text ?? "");
    await mkdir(at("my-plugin/node_modules/@backup"), { recursive: true });
    await symlink(join(ROOT, "packages/core"), at("my-plugin/node_modules/@backup/core"));
    const args = ["--test", "--test-reporter=tap", "notes.test.mjs"];
    const tested = execFileSync(process.execPath, args, { cwd: at("my-plugin"), encoding: "utf8", env });
    expect(tested).toMatch(new RegExp(`^# pass ${sourceSuite.length}$`, "m"));
  });

  it("says what a script answers: that of the example", async () => {
    const blocks = await blocksOf("A plugin in any language");
    const [described] = blocks;
    const { stdout } = await runProgram(GIT, ["describe"]);
    expect(JSON.parse(described?.text ?? "")).toEqual(JSON.parse(stdout));
    const lines = blocks.slice(1).flatMap(({ text }) => text.trim().split("\n"));
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  it("names every part of a plugin that the interface has", async () => {
    const text = await readFile(join(ROOT, "docs/plugins.md"), "utf8");
    const source = await readFile(join(ROOT, "packages/core/src/plugin.ts"), "utf8");
    const context = await readFile(join(ROOT, "packages/core/src/plugin-context.ts"), "utf8");
    const shown = context.slice(
      context.indexOf("interface PluginContext"),
      context.indexOf("interface PluginContextOptions"),
    );
    const declared = source.slice(0, source.indexOf("What a plugin of one kind is to say"));
    const names = [...`${declared}${shown}`.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(30);
    const known = new Set(text.match(/\w+/g));
    // What a command that looks at a backup gives to a mirror.
    const given = ["store", "inventory", "share"];
    expect([...new Set(names)].filter((name) => !known.has(name) && !given.includes(name))).toEqual([]);
  });
});

describe("the example in TypeScript", () => {
  it("is built, backs up, and brings back what is missing", async () => {
    const outfile = at("built/notes.js");
    buildSync({ entryPoints: [join(ROOT, "examples/plugins/notes.ts")], outfile, format: "esm", logLevel: "error" });
    await writeFile(join(dirname(outfile), "package.json"), '{"type":"module"}');
    const file = at("typed.json");
    await writeFile(file, JSON.stringify([note("A/B: c?", "one"), note("Tax", "two")]));
    const saved = await runBackup(["--plugin", outfile, "notes", file, at("typed")]);
    expect(saved).toMatchObject({ code: 0, stderr: "" });
    await writeFile(file, JSON.stringify([note("Tax", "another")]));
    const help = await runBackup(["--plugin", outfile, "restore", "notes", "--help"]);
    expect(help.stdout).toContain("add the notes that a JSON file lacks");
    const dry = await runBackup(["--plugin", outfile, "restore", "notes", at("typed"), file, "--dry-run"]);
    expect(dry).toMatchObject({ code: 0 });
    expect(JSON.parse(await readFile(file, "utf8"))).toHaveLength(1);
    const restored = await runBackup(["--plugin", outfile, "restore", "notes", at("typed"), file]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual([note("Tax", "another"), note("A/B: c?", "one")]);
  });
});

describe("the examples keep what a source promises", () => {
  const given = { onEvent: () => {}, signal: NEVER };

  describe("in JavaScript", () => {
    it.each(sourceSuite)("$name", async ({ run }) => {
      const { default: notes } = (await import(NOTES)) as { readonly default: SourcePlugin };
      const args = { file: at("notes.json"), dest: "", only: [], upper: false };
      await using context = openPluginContext({ ...given, args });
      await run({ open: () => notes.create(args as never, context) });
    });
  });

  describe("in bash", () => {
    beforeAll(async () => {
      for (const name of ["one", "two"]) {
        await mkdir(at(`repos/${name}`), { recursive: true });
        const git = ["-C", at(`repos/${name}`), "-c", "user.name=a", "-c", "user.email=a@example.org"];
        execFileSync("git", [...git, "init", "-q"]);
        execFileSync("git", [...git, "commit", "-q", "--allow-empty", "-m", "first"]);
      }
    });

    it.each(sourceSuite)("$name", async ({ run }) => {
      const plugin = await loadScriptPlugin(GIT, { env: process.env, signal: NEVER });
      const args = { dir: at("repos"), dest: "", only: [] };
      await using context = openPluginContext({ ...given, args });
      await run({ open: () => plugin.create(args as never, context) });
    });
  });
});
