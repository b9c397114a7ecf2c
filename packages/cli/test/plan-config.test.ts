import { realpathSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, afterAll, describe, expect, it } from "vitest";
import { Ajv2020 } from "ajv/dist/2020.js";
import { EXAMPLE_PLAN } from "../src/plan/example.js";
import { planSchema } from "../src/plan/schema.js";
import { ACTION_TYPES, PLUGINS } from "./support/types.js";
import { runBackup, writeSecret } from "../../../test/support/command.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";

let directory: TemporaryDirectory;
/** Where the secrets are of `ONE` and of the example. */
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  directory = await temporaryDirectory();
  for (const user of ["alice", "alice@example.org"]) await writeSecret(directory.path, `${user}.password`, "secret");
  env = { BACKUP_DIR: directory.path };
});
afterAll(() => directory[Symbol.asyncDispose]());

async function planFile(name: string, text: string): Promise<string> {
  const file = join(directory.path, name);
  await writeFile(file, text);
  return file;
}

const ONE = "actions: [{ type: imap, user: alice, destination: /srv/a, server: mail.example.org }]\n";

describe("backup config check", () => {
  it("says that all is well, and when actions run next", async () => {
    const file = await planFile("good.yaml", `schedule: 0 12 1 1 *\ntime-zone: Asia/Tokyo\n${ONE}`);
    const { code, stdout, stderr } = await runBackup(["config", "check", file], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^\/\S+\/good\.yaml: 1 action, all is well\n {2}alice → \/srv\/a {2}next run 20\d\d-01-01 12:00:00 Asia\/Tokyo\n$/,
    );
  });

  it("says no times where there is no schedule, and nothing with -q", async () => {
    const file = await planFile("simple.yaml", ONE);
    const [plain, quiet] = await Promise.all([
      runBackup(["config", "check", file], env),
      runBackup(["-q", "config", "check", file], env),
    ]);
    expect(plain).toMatchObject({ code: 0, stdout: `${file}: 1 action, all is well\n`, stderr: "" });
    expect(quiet).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  it("prints it as JSON", async () => {
    const file = await planFile("json.yaml", ONE);
    const { code, stdout } = await runBackup(["config", "check", file, "--json"], env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      type: "plan",
      file,
      actions: [{ name: "alice → /srv/a", type: "imap", destination: "/srv/a" }],
    });
  });

  it("warns of every file of a secret that is missing here, by the action's name, also with -q", async () => {
    const file = await planFile(
      "secrets.yaml",
      `actions:
  - { type: imap, user: alice, destination: /srv/a, server: mail.example.org }
  - { type: imap, user: bob, destination: /srv/b, server: mail.example.org }
  - { type: imap, name: carol, user: c, destination: "nas:c", server: mail.example.org, srcsecret: /none, dstsecret: /no/key, dstpassphrase: /no/phrase }
  - { type: imap, user: dora, destination: /srv/d, server: mail.example.org, srcsecret: { env: DORA_PASSWORD } }
`,
    );
    const [plain, quiet, json] = await Promise.all([
      runBackup(["config", "check", file], env),
      runBackup(["-q", "config", "check", file], env),
      runBackup(["config", "check", file, "--json"], env),
    ]);
    expect(plain).toMatchObject({ code: 0, stdout: `${file}: 4 actions, nothing wrong in it, 4 warnings\n` });
    const lines = plain.stderr.split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/^warning: bob → \/srv\/b: .*\/bob\.password\b/),
      expect.stringMatching(/^warning: carol: .*\/none\b/),
      "warning: carol: the private key /no/key of --dstsecret does not exist; check the path",
      "warning: carol: the file /no/phrase of --dstpassphrase cannot be read (ENOENT); check the path",
      "",
    ]);
    expect(quiet).toEqual({ ...plain, stdout: "" });
    const printed = json.stdout.trimEnd().split("\n");
    const missing = { type: "warning", code: "SECRET_MISSING" };
    expect(printed.map((line) => JSON.parse(line) as object)).toMatchObject([
      missing,
      missing,
      missing,
      missing,
      { type: "plan" },
    ]);
  });

  it("says everything that is wrong, one thing a line", async () => {
    const file = await planFile("bad.yaml", `concurrency: 0\n${ONE}frequency: daily\n`);
    const { code, stdout, stderr } = await runBackup(["config", "check", file], env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    const lines = stderr.replace("backup: ", "").trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/: [^:]*(: .*)?$/, ""))).toEqual([`${file}:1:14`, `${file}:3:1`]);
  });

  it("says that there is no such file, and which commands there are", async () => {
    const [missing, none, unknown] = await Promise.all([
      runBackup(["config", "check", join(directory.path, "none.yaml")]),
      runBackup(["config"]),
      runBackup(["config", "chek"]),
    ]);
    expect(missing).toMatchObject({ code: 2, stderr: /^backup: the plan \S+none\.yaml does not exist; / });
    expect(none).toMatchObject({
      code: 2,
      stderr:
        "backup: check or example or schema missing; backup config takes check or example or schema, see backup config --help\n",
    });
    expect(unknown).toMatchObject({
      code: 2,
      stderr:
        "backup: say which: backup config check, backup config example, backup config schema; see backup config --help\n",
    });
  });

  it("names what is missing or too many on the command line", async () => {
    const [missing, extra] = await Promise.all([
      runBackup(["config", "check"]),
      runBackup(["config", "check", "a.yaml", "b.yaml"]),
    ]);
    expect(missing).toMatchObject({ code: 2, stderr: /^backup: FILE missing; backup config check takes FILE/ });
    expect(extra).toMatchObject({ code: 2, stderr: /^backup: 'b\.yaml' is one argument too many/ });
  });
});

describe("backup config example", () => {
  it("prints a plan that passes the check", async () => {
    const { code, stdout } = await runBackup(["config", "example"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: EXAMPLE_PLAN });
    const file = await planFile("example.yaml", stdout);
    expect(await runBackup(["config", "check", file], env)).toMatchObject({ code: 0, stderr: "" });
  });

  it("passes too with all that it has as comments", async () => {
    const at = EXAMPLE_PLAN.indexOf("# reports:");
    const open =
      EXAMPLE_PLAN.slice(0, at) + EXAMPLE_PLAN.slice(at).replaceAll(/^# (?=reports:|before:|after:| )/gm, "");
    expect(open).toMatch(/^reports:\n {2}mail:\n/m);
    const file = await planFile("open.yaml", open);
    expect(await runBackup(["config", "check", file], env)).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("backup config schema", () => {
  it("prints what the package holds, which is what the types of actions say", async () => {
    const kept = await readFile(new URL("../schema/plan.schema.json", import.meta.url), "utf8");
    const { code, stdout } = await runBackup(["config", "schema"]);
    expect(code).toBe(0);
    // To be made anew by: npx backup config schema > packages/cli/schema/plan.schema.json && npm run format
    expect(JSON.parse(kept)).toEqual(JSON.parse(stdout));
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(planSchema(ACTION_TYPES, PLUGINS.notifiers))));
  });

  it("is found in the package by its name", () => {
    const file = createRequire(import.meta.url).resolve("@backup/cli/plan.schema.json");
    expect(realpathSync(file)).toBe(fileURLToPath(new URL("../schema/plan.schema.json", import.meta.url)));
  });

  it("is a schema by the rules of its draft", () => {
    const ajv = new Ajv2020();
    expect(ajv.validateSchema(planSchema(ACTION_TYPES, PLUGINS.notifiers))).toBe(true);
  });
});
