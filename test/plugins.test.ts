import { chmod, copyFile, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { reportOf, runBackup } from "./support/command.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const NOTES = fileURLToPath(new URL("../examples/plugins/notes.mjs", import.meta.url));

let directory: TemporaryDirectory;
const at = (name: string): string => join(directory.path, name);
beforeEach(async () => {
  directory = await temporaryDirectory();
  await writeFile(at("notes.json"), JSON.stringify([note("Milk", "buy some"), note("Tax", "by June")]));
});
afterEach(() => directory[Symbol.asyncDispose]());

const note = (title: string, text: string): object => ({ title, text });

async function write(name: string, text: string): Promise<string> {
  await mkdir(dirname(at(name)), { recursive: true });
  await writeFile(at(name), text);
  return at(name);
}

/** A plugin as text, with no import: `more` is what it has besides. */
const plugin = (name: string, more = ""): string =>
  `export default { api: 1, kind: "source", name: "${name}", summary: "s", options: {}, layout() {}, create() {},
  positionals: [{ name: "dest", describe: "d" }], ${more} };`;

describe("a plugin that is a file", () => {
  it("is a command: run, listed, verified, and run again without a change", async () => {
    const first = await runBackup(["--plugin", NOTES, "notes", at("notes.json"), at("d"), "--json"]);
    expect(reportOf(first)).toMatchObject({ result: "done", added: 2 });
    const [milk = "", tax = ""] = (await readdir(at("d/notes"))).toSorted();
    expect([milk, tax]).toEqual([expect.stringMatching(/^Milk\.D\w{26}\.txt$/), expect.stringMatching(/^Tax\.D/)]);
    expect(await readFile(at(`d/notes/${milk}`), "utf8")).toBe("buy some\n");
    const again = await runBackup(["notes", at("notes.json"), at("d"), "--json", `--plugin=${NOTES}`]);
    expect(reportOf(again)).toMatchObject({ result: "done", added: 0, removed: 0 });
    for (const look of ["ls", "verify"])
      expect(await runBackup([look, at("d"), "--plugin", NOTES])).toMatchObject({ code: 0, stderr: "" });
    const gone = await runBackup(["--plugin", NOTES, "notes", at("notes.json"), at("d"), "--json", "--only", "Milk"]);
    expect(reportOf(gone)).toMatchObject({ result: "done", removed: 1 });
  });

  it("has help, completion and checks of its own", async () => {
    const help = await runBackup(["--plugin", NOTES, "notes", "--help"]);
    expect(help.stdout).toContain("--only");
    expect(help.stdout).toContain("Only notes with this word in their title");
    expect((await runBackup(["--plugin", NOTES, "--help"])).stdout).toContain("backup notes <file> <dest>");
    const words = ["--get-yargs-completions", "backup", "--plugin", NOTES, "notes", "--o"];
    expect((await runBackup(words, { SHELL: "/bin/bash" })).stdout).toContain("--only");
    const wrong = await runBackup(["--plugin", NOTES, "notes", at("notes.txt"), at("d")]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("takes a name that ends in .json") });
    const typo = await runBackup(["--plugin", NOTES, "notes", at("notes.json"), at("d"), "--upprr"]);
    expect(typo).toMatchObject({ code: 2, stderr: expect.stringContaining("did you mean --upper?") });
  });

  it("is listed, with its origin and options", async () => {
    const { stdout } = await runBackup(["plugins", "--plugin", NOTES, "--json"]);
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.map(({ name, kind }) => `${String(kind)} ${String(name)}`)).toEqual(
      expect.arrayContaining(["source imap", "mirror file", "store ssh", "store local", "source notes"]),
    );
    expect(rows.find(({ name }) => name === "notes")).toEqual({
      type: "plugin",
      name: "notes",
      kind: "source",
      version: "1.0.0",
      origin: NOTES,
      options: ["only", "upper"],
    });
    const table = await runBackup(["plugins", "--plugin", NOTES]);
    expect(table.stdout).toMatch(/^notes +source +1\.0\.0 +\//m);
    expect(table.stdout).toContain("    --only --upper\n");
  });

  it("is named by the commands that look at its backups without it", async () => {
    await runBackup(["--plugin", NOTES, "notes", at("notes.json"), at("d")]);
    for (const look of ["ls", "verify"]) {
      const { code, stderr } = await runBackup([look, at("d")]);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `backup: the backup at ${at("d")} is one of 'notes', which a plugin makes that is not loaded; name that with --plugin\n`,
      });
    }
  });

  it("may open destinations of its own", async () => {
    const store = await write(
      "store.mjs",
      `import { LocalStore, definePlugin } from "@backup/core";
      export default definePlugin({
        kind: "store", name: "box", summary: "boxes", form: "box:NAME",
        options: { "box-root": { type: "string", describe: "where boxes are" } },
        takes: (dest) => dest.startsWith("box:"),
        open: async ({ dest, boxRoot }) => new LocalStore(boxRoot + "/" + dest.slice(4)),
      });`,
    );
    const given = ["--plugin", store, "--box-root", directory.path];
    const notes = ["--plugin", NOTES, ...given, "notes", at("notes.json"), "box:one", "--json"];
    expect(reportOf(await runBackup(notes))).toMatchObject({ added: 2 });
    expect(await readdir(at("one/notes"))).toHaveLength(2);
    const unused = await runBackup([...given, "--plugin", NOTES, "notes", at("notes.json"), at("d")]);
    expect(unused.stderr).toContain("--box-root: of no use for");
  });
});

describe("a plugin that is a package", () => {
  it("is found from where the command is run", async () => {
    await write("node_modules/@alice/notes/package.json", '{"version":"3.2.1","type":"module","exports":"./main.js"}');
    await write("node_modules/@alice/notes/main.js", plugin("alices"));
    const { code, stdout, stderr } = await runFrom(directory.path, ["plugins", "--plugin", "@alice/notes", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain('"name":"alices","kind":"source","version":"3.2.1","origin":"@alice/notes"');
  });
});

describe("a plan", () => {
  const plan = (plugins: string, type = "notes"): string => `plugins: ${plugins}
actions:
  - type: ${type}
    file: ${at("notes.json")}
    destination: ${at("d")}
    only: Milk
`;

  it("names plugins as they are found from where it is, and its actions have their types", async () => {
    await mkdir(at("plans"));
    await copyFile(NOTES, at("plans/notes.mjs"));
    const file = await write("plans/plan.yaml", plan("[./notes.mjs]"));
    const checked = await runBackup(["config", "check", file]);
    expect(checked).toMatchObject({ code: 0, stderr: "" });
    const ran = await runBackup(["run", file]);
    expect(ran).toMatchObject({ code: 0 });
    expect(await readdir(at("d/notes"))).toEqual([expect.stringMatching(/^Milk\.D/)]);
    // Named twice is not two.
    expect(await runBackup(["run", file, "--plugin", at("plans/notes.mjs")])).toMatchObject({ code: 0 });
  });

  it.each([
    ["[./none.mjs]", "notes", /plan\.yaml:1:11: the plugin \.\/none\.mjs cannot be read \(ENOENT\)/],
    ["./notes.mjs", "notes", /plan\.yaml:1:10: plugins takes a list of packages/],
    ["[]", "notes", /plan\.yaml:3:11: type takes one of: imap, file/],
  ])("with plugins: %s is refused, and says where", async (plugins, type, says) => {
    const file = await write("plan.yaml", plan(plugins, type));
    const { code, stderr } = await runBackup(["config", "check", file]);
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
  });
});

describe("a notifier", () => {
  const text = `import { appendFile } from "node:fs/promises";
  import { BackupError, definePlugin } from "@backup/core";
  export default definePlugin({
    kind: "notifier", name: "note", summary: "lines in a file",
    options: {
      file: { type: "string", describe: "where" },
      "only-bad": { type: "boolean", describe: "not of what went well" },
    },
    check({ file }) { if (file?.includes("?")) throw new BackupError("USAGE", "file has a ? in it"); },
    open: async ({ file, onlyBad }) => ({
      name: "note in " + file,
      started: () => appendFile(file, "started\\n"),
      async ended({ outcome, actions }) {
        if (file.endsWith(".none")) throw new BackupError("REPORT_FAILED", "nobody is there");
        if (!onlyBad || outcome !== "ok") await appendFile(file, outcome + " " + actions.map(({ type }) => type) + "\\n");
      },
    }),
  });`;
  const toNotes = (): string[] => ["--plugin", NOTES, "--plugin", at("note.mjs")];
  const action = (): string[] => [...toNotes(), "notes", at("notes.json"), at("d")];

  it("is turned on by a variable of its options, and hears of the beginning and the end", async () => {
    await write("note.mjs", text);
    expect(await runBackup(action(), { NOTE_FILE: at("log") })).toMatchObject({ code: 0, stderr: "" });
    expect(await readFile(at("log"), "utf8")).toBe("started\nok notes\n");
    expect(await runBackup(action())).toMatchObject({ code: 0 });
    await runBackup(action(), { NOTE_FILE: at("log"), NOTE_ONLY_BAD: "yes" });
    expect(await readFile(at("log"), "utf8")).toBe("started\nok notes\nstarted\n");
    expect((await runBackup(["plugins", ...toNotes()])).stdout).toMatch(
      /^note +notifier .*\n {4}NOTE_FILE NOTE_ONLY_BAD\n/m,
    );
  });

  it("that fails is told, and costs exit status 4 and no backup", async () => {
    await write("note.mjs", text);
    const { code, stderr } = await runBackup(action(), { NOTE_FILE: at("log.none") });
    expect(code).toBe(4);
    expect(stderr).toContain("nobody is there");
    expect(await readdir(at("d/notes"))).toHaveLength(2);
  });

  it("is a report of a plan, which checks its options", async () => {
    await write("note.mjs", text);
    const planWith = (options: string): Promise<string> =>
      write(
        "plan.yaml",
        `plugins: [${NOTES}, ./note.mjs]
actions: [{ type: notes, file: ${at("notes.json")}, destination: ${at("d")} }]
reports:
  note: ${options}
`,
      );
    expect(await runBackup(["run", await planWith(`{ file: ${at("log")} }`)])).toMatchObject({ code: 0 });
    expect(await readFile(at("log"), "utf8")).toBe("started\nok notes\n");
    const unknown = await runBackup(["config", "check", await planWith("{ path: x }")]);
    expect(unknown).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/plan\.yaml:4:11: there is no option 'path'/),
    });
    const wrong = await runBackup(["config", "check", await planWith('{ file: "a?" }')]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/plan\.yaml:4:\d+: file has a \? in it/) });
  });
});

describe("a notifier like those that come along", () => {
  /** Its options are declared as mail, ping and metrics declare theirs. */
  const text = `import { appendFile } from "node:fs/promises";
  import { BackupError, definePlugin } from "@backup/core";
  export default definePlugin({
    kind: "notifier", name: "chat", summary: "lines in a file", short: "room",
    options: {
      room: { type: "string", isRequired: true, variable: "CHAT_ROOM_FILE", describe: "where", pattern: "^/", takes: "takes a room" },
      people: { type: "string", array: true, describe: "who" },
      tls: { type: "boolean", default: null, describe: "whether" },
      style: { type: "string", choices: ["long", "short"], describe: "how" },
      token: { type: "string", isSecret: true, describe: "a file" },
    },
    check({ people }) {
      for (const one of people) if (!/^[a-z]+$/.test(one)) throw new BackupError("USAGE", "--people takes names, and " + one + " is none");
    },
    open: async ({ room, people, tls, style }, { secret }) => {
      const token = await secret({ partner: "chat", extensions: [".token"], option: "token" });
      let tries = 0;
      return {
        name: "chat in " + room,
        async ended(result) {
          if (++tries < 2) throw new BackupError("REPORT_FAILED", "it is busy", { transient: true });
          await appendFile(room, [people, tls, style, token.reveal().length, tries].join("|") + "\\n");
        },
      };
    },
  });`;
  const command = (): string[] => ["--plugin", NOTES, "--plugin", at("chat.mjs"), "notes", at("notes.json"), at("d")];
  const planOf = (reports: string): Promise<string> =>
    write(
      "plan.yaml",
      `plugins: [${NOTES}, ./chat.mjs]
actions: [{ type: notes, file: ${at("notes.json")}, destination: ${at("d")} }]
reports:
  chat: ${reports}
`,
    );
  beforeEach(async () => {
    await write("chat.mjs", text);
    await writeFile(at("token"), "hunter2", { mode: 0o600 });
  });

  it("comes along: mail, ping and metrics are listed as any plugin is", async () => {
    const { stdout } = await runBackup(["plugins", "--plugin", at("chat.mjs")]);
    expect(stdout).toMatch(
      /^mail +notifier .*\n {4}MAIL_TO MAIL_FROM MAIL_URL MAIL_PASSWORD_FILE MAIL_SSL MAIL_TLS_CA /m,
    );
    expect(stdout).toMatch(/^ping +notifier .*\n {4}PING_URL PING_START_URL PING_SUCCESS_URL PING_FAIL_URL\n/m);
    expect(stdout).toMatch(/^metrics +notifier .*\n {4}METRICS_FILE\n/m);
    expect(stdout).toMatch(/^chat +notifier .*\n {4}CHAT_ROOM_FILE CHAT_PEOPLE CHAT_TLS CHAT_STYLE CHAT_TOKEN\n/m);
  });

  it("is asked for by the option that it needs, and tried again after what may go away", async () => {
    expect(await runBackup(command(), { CHAT_PEOPLE: "?", CHAT_TLS: "?" })).toMatchObject({ code: 0, stderr: "" });
    const env = { CHAT_ROOM_FILE: at("log"), CHAT_TOKEN: at("token"), CHAT_PEOPLE: "a, b", CHAT_TLS: "no" };
    expect(await runBackup(command(), env)).toMatchObject({ code: 0, stderr: "" });
    expect(await readFile(at("log"), "utf8")).toBe("a,b|false||7|2\n");
  });

  it.each([
    [{ CHAT_PEOPLE: "a,B" }, "CHAT_PEOPLE takes names, and B is none"],
    [{ CHAT_TLS: "maybe" }, "CHAT_TLS takes 1, yes, true, 0, no or false, and 'maybe' is none of them"],
    [{ CHAT_STYLE: "wide" }, "CHAT_STYLE takes long or short, and 'wide' is neither"],
    [{ CHAT_TOKEN: "hunter2" }, "CHAT_TOKEN must be an absolute path; what it holds is none"],
    [
      { CHAT_TOKEN: "/nowhere" },
      "no secret found for chat; looked for /nowhere. Put the password into a file of its own (chmod 600) and name it with CHAT_TOKEN",
    ],
  ])("is refused by the variable that is wrong: %o", async (env, says) => {
    const { code, stderr } = await runBackup(command(), { CHAT_ROOM_FILE: at("log"), ...env });
    expect({ code: code === 2 || code === 1, stderr }).toEqual({ code: true, stderr: expect.stringContaining(says) });
  });

  it("is a text in a plan, or a mapping with the file of a secret", async () => {
    await writeFile(at("chat.token"), "123", { mode: 0o600 });
    expect(await runBackup(["run", await planOf(at("log"))], { BACKUP_DIR: directory.path })).toMatchObject({
      code: 0,
    });
    const mapping = `{ room: ${at("log")}, people: a, style: long, token: { file: ${at("token")} } }`;
    expect(await runBackup(["run", await planOf(mapping)])).toMatchObject({ code: 0 });
    expect(await readFile(at("log"), "utf8")).toBe("|||3|2\na||long|7|2\n");
  });

  it.each([
    ["here", "4:9: chat takes a room, or a mapping of room, people, tls, style and token"],
    ["{ people: a }", "4:9: chat takes a room, or a mapping of room, people, tls, style and token"],
    ["{ room: here }", "4:17: room takes a room"],
    ["{ room: /r, people: [a, B] }", "4:33: people takes names, and B is none"],
    ["{ room: /r, token: x }", "4:28: token names a file with the secret and never holds it"],
  ])("is checked in a plan: %s", async (reports, says) => {
    const { code, stderr } = await runBackup(["config", "check", await planOf(reports)]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`plan.yaml:${says}`) });
  });

  it("keeps its variables from hooks, where they may be secrets", async () => {
    const hook = await write("hook", `#!/bin/sh\nenv | grep -E "^(CHAT|METRICS)_" > "${at("seen")}"\nexit 0\n`);
    await chmod(hook, 0o755);
    const env = { CHAT_ROOM_FILE: at("log"), CHAT_TOKEN: at("token"), METRICS_FILE: at("m.prom"), BACKUP_AFTER: hook };
    expect(await runBackup(command(), env)).toMatchObject({ code: 0, stderr: "" });
    expect(await readFile(at("seen"), "utf8")).toBe(`METRICS_FILE=${at("m.prom")}\n`);
  });
});

describe("what is no plugin is told in one line", () => {
  it.each<[string, string, string]>([
    ["syntax.mjs", "export default {", "the plugin ./syntax.mjs cannot be loaded: Unexpected end of input"],
    ["throws.mjs", "throw new Error('not today')", "the plugin ./throws.mjs cannot be loaded: not today"],
    ["none.mjs", "export const a = 1", "./none.mjs brings no plugin: it has no default export"],
    ["newer.mjs", plugin("newer", "api: 2"), "is made for version 2 of the plugin interface, and this is version 1"],
    ["older.mjs", plugin("older", "api: undefined"), "is made for version undefined of the plugin interface"],
    ["imap.mjs", plugin("imap"), "two plugins are called imap: that of backup itself and that of "],
    [
      "mail.mjs",
      `export default { api: 1, kind: "notifier", name: "mail", summary: "s", options: {}, open() {} }`,
      "two plugins are called mail: that of backup itself and that of ",
    ],
    ["bad.mjs", plugin("bad", "summary: undefined"), "bad has no summary of one line"],
  ])("%s", async (name, text, says) => {
    await write(name, text);
    const { code, stderr } = await runFrom(directory.path, ["plugins", "--plugin", `./${name}`]);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it("also a package or a file that is not there", async () => {
    const lacking = await runFrom(directory.path, ["plugins", "--plugin", "no-such-package"]);
    expect(lacking).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("there is no package no-such-package in"),
    });
    const file = await runFrom(directory.path, ["plugins", "--plugin", "./no.mjs"]);
    expect(file).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the plugin ./no.mjs cannot be read (ENOENT)"),
    });
  });
});

/** The command, run in a directory. */
function runFrom(cwd: string, args: readonly string[]): ReturnType<typeof runBackup> {
  return runBackup(args, {}, cwd);
}
