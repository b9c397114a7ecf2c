import { readFile, readdir, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { runBackup } from "./support/command.js";
import { BOB, KO, summaryOf, useScripts } from "./support/scripts.js";

const scripts = useScripts();
const { at, runScript } = scripts;

describe("what is printed", () => {
  it("--json: events, and one summary", async () => {
    const result = await runScript(`${BOB}\n${KO}`, "--json");
    expect(result.code).toBe(1);
    const events = result.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["start", "end", "error", "summary"]));
    expect(events.filter(({ type }) => type === "summary")).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({
      type: "summary",
      status: 1,
      outcome: "failed",
      dryRun: false,
      actions: [
        { type: "imap", outcome: "ok", status: 0, report: { added: 14 } },
        { type: "imap", outcome: "failed", status: 1, error: { code: "AUTH_FAILED" } },
      ],
    });
  });

  it("-q: nothing when all is well, else what is not", async () => {
    expect(await runScript(BOB, "-q")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const failed = await runScript(`${BOB}\n${KO}`, "-q");
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/^KO {2}imap alice [^\n]*\n +\S+ refused the login[^\n]*\n$/);
    // Once.
    expect(failed.stderr).toBe("");
  });

  it("-q: what never began is told once too, with all of its lines", async () => {
    await writeFile(at("plan.yaml"), "actions: []\nx: 1\n");
    scripts.env = { ...scripts.env, PLAN: at("plan.yaml") };
    const result = await runScript(`backup imap alice\nbackup run "$PLAN"; exit 0`, "-q");
    expect(result).toMatchObject({ code: 1, stderr: "" });
    expect(result.stdout).toMatch(
      /^KO {2}imap alice +.*\n +DEST, SERVER missing.*\nKO {2}run \S+plan\.yaml .*\n(?: +\S+plan\.yaml:\d.*\n){2}$/,
    );
  });

  it("-q --dry-run: what would be done", async () => {
    const result = await runScript(BOB, "-q", "--dry-run");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(
      /^OK {2}imap bob .*14 new.* \(dry run\)\n1 action: 1 OK in .*nothing was written\)\n$/,
    );
    const one = await runBackup(
      ["imap", "bob", at("dest/bob"), scripts.env.SERVER ?? "", "--tls-ca", scripts.server.caFile, "-q", "--dry-run"],
      scripts.env,
    );
    expect(one).toMatchObject({ code: 0, stderr: "" });
    expect(one.stdout).toMatch(/^dry run, nothing was written: .* 14 new, .*\n$/);
  });

  it("--json: what the script itself prints is not among the events, and what it takes of a command is its own", async () => {
    const script = `
      echo one; ${BOB}; (backup run "$INNER")
      ${BOB} --name piped | tail -n 1 | cut -c 1-13
      ${BOB} --name filed > "$DEST/filed" 2>&1
      echo "[$(backup --version)]" "two"`;
    scripts.env = {
      ...scripts.env,
      INNER: await scripts.writeScript(`echo inner\n${BOB} --name inner`, { name: "inner" }),
    };
    const result = await runScript(script, "--json");
    expect(result.code).toBe(0);
    const events = result.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(events.map(({ type }) => type).filter((type) => type === "end")).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ type: "summary", status: 0, actions: [{}, {}, {}, {}] });
    expect(result.stderr).toMatch(/^one\ninner\n\{"type":"end"\n\[\d[^\]]*\] two\n$/);
    expect(await readFile(at("dest/filed"), "utf8")).toMatch(/^\{.*"type":"end".*\}\n$/ms);
  });

  it("-v: every folder", async () => {
    expect((await runScript(BOB, "-v")).stdout).toMatch(/^ {2}INBOX: \d+ messages/m);
  });

  it.each([
    ["DRY_RUN=1", "1", []],
    ["DRY_RUN=true", "true", []],
    ["--dry-run", "0", ["--dry-run"]],
  ])("%s: what would be done, and nothing is", async (_name, value, more) => {
    scripts.env = { ...scripts.env, DRY_RUN: value };
    const result = await runScript(BOB, ...more);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(summaryOf(result)).toEqual([
      expect.stringMatching(/^OK {2}imap bob .*14 new/),
      expect.stringMatching(/^1 action: 1 OK in .* \(dry run, nothing was written\)$/),
    ]);
    expect(await readdir(at("dest"))).toEqual([]);
  });

  it("DRY_RUN=maybe is refused", async () => {
    scripts.env = { ...scripts.env, DRY_RUN: "maybe" };
    const result = await runScript(BOB);
    expect(result).toMatchObject({
      code: 2,
      stderr: "backup: DRY_RUN takes 1 (write nothing) or 0, and 'maybe' is neither\n",
    });
    expect(await readdir(at("dest"))).toEqual([]);
  });
});
