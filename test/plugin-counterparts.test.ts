import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { reportOf, runBackup } from "./support/command.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

/** A plugin of others that offers what the one for mail accounts does: the source to compare with, a drill, a login. */
const SHELF = `import { BackupError, DumpSource, definePlugin, drillInto, dumpLayout, saveSecret } from "@backup/core";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

const open = (file, { partner, secret }) => new DumpSource({
  id: "shelf:" + partner,
  async *collections() {
    if (secret !== "open sesame") throw new BackupError("AUTH_FAILED", "the shelf is locked");
    const books = Object.entries(JSON.parse(await readFile(file, "utf8")));
    yield { path: "books", name: "books", dumps: () => books.map(([name, text]) => ({
      name, extension: ".txt", async *produce() { yield Buffer.from(text); },
    })) };
  },
});
const secretOf = async (context, partner) =>
  (await context.secret({ partner, extensions: [".shelf"], option: "key" })).reveal();
const KEY = { type: "string", isSecret: true, describe: "File with the word" };

export default definePlugin({
  kind: "source", name: "shelf", summary: "books of a shelf", version: "1.0.0",
  positionals: [
    { name: "owner", describe: "whose" }, { name: "file", describe: "the shelf" }, { name: "dest", describe: "where to" },
  ],
  options: { key: KEY },
  layout: () => dumpLayout,
  create: async ({ owner, file }, context) => open(file, { partner: owner, secret: await secretOf(context, owner) }),
  verifyAgainst: {
    by: { name: "shelf", describe: "Compare with this shelf too" },
    of: "shelves",
    options: { key: KEY, strict: { type: "boolean", describe: "Nothing" } },
    examples: [["backup verify books --shelf s.json", "and is that all that the shelf has?"]],
    check({ shelf }) {
      if (shelf?.endsWith(".txt")) throw new BackupError("USAGE", "--shelf takes a file that ends in .json");
    },
    async open({ shelf }, { source }, context) {
      const partner = source.slice("shelf:".length);
      return open(shelf, { partner, secret: await secretOf(context, partner) });
    },
  },
  drill: {
    by: { name: "into", describe: "Restore to a new directory in this one" },
    of: "shelves",
    options: {},
    async open({ into }) {
      const place = async (request) => {
        const directory = join(into, "drill");
        await mkdir(directory);
        try { return await drillInto(directory)(request); } finally { await rm(directory, { recursive: true }); }
      };
      return { place, name: "a board of " + into, told: "from a board of " + into };
    },
  },
  login: {
    summary: "say the word",
    positionals: [{ name: "owner", describe: "whose" }],
    options: { word: { type: "string", describe: "It", default: "open sesame" } },
    check({ word }) { if (word === "") throw new BackupError("USAGE", "--word is empty"); },
    async run({ owner, word }, { show, secretsDirectory }) {
      show({ url: "https://shelf.example.org/", code: "1234" });
      const file = join(secretsDirectory, owner + ".shelf");
      await saveSecret(file, word);
      return { user: owner, file };
    },
  },
});`;

let directory: TemporaryDirectory;
const at = (name: string): string => join(directory.path, name);
const BOOKS = { Emma: "Emma Woodhouse, handsome, clever, and rich", Dune: "In the week before their departure" };
beforeEach(async () => {
  directory = await temporaryDirectory();
  await writeFile(at("shelf.mjs"), SHELF);
  await writeFile(at("s.json"), JSON.stringify(BOOKS));
});
afterEach(() => directory[Symbol.asyncDispose]());

const command = (...args: readonly string[]) =>
  runBackup(["--plugin", at("shelf.mjs"), ...args], { BACKUP_DIR: directory.path });
const shelf = () => command("shelf", "alice", at("s.json"), at("d"), "--json");
const pathOf = async (name: string): Promise<string> =>
  at(`d/books/${(await readdir(at("d/books"))).find((each) => each.startsWith(name))}`);

describe("a plugin of others", () => {
  it("has a login, whose secret its runs find", async () => {
    expect(await shelf()).toMatchObject({ code: 2, stdout: expect.stringContaining("SECRET_MISSING") });
    const done = await command("login", "shelf", "alice");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toBe(
      `Open https://shelf.example.org/ in any browser, and type this code there:\n  1234\nWaiting. Ctrl-C gives up.\n` +
        `alice is logged on; ${at("alice.shelf")} is written\n`,
    );
    expect((await stat(at("alice.shelf"))).mode & 0o777).toBe(0o600);
    expect(reportOf(await shelf())).toMatchObject({ result: "done", added: 2 });
    const json = await command("login", "shelf", "bob", "--word=x", "--json");
    expect(json.stdout.split("\n").map((line) => (line === "" ? {} : (JSON.parse(line) as object)))).toEqual([
      { type: "login", url: "https://shelf.example.org/", code: "1234" },
      { type: "logged-on", user: "bob", file: at("bob.shelf") },
      {},
    ]);
    expect(await command("login", "shelf", "bob", "--word=")).toMatchObject({ code: 2 });
    expect((await command("login", "shelf", "--help")).stdout).toContain("--word");
  });

  it("has its backups compared with their source, and repaired from it", async () => {
    await command("login", "shelf", "alice");
    await shelf();
    expect((await command("ls", at("d"))).stdout).toMatch(/^ *shelf +here /m);
    const against = ["verify", at("d"), "--shelf", at("s.json")];
    const same = await command(...against, "--json");
    expect(same).toMatchObject({ code: 0, stderr: "" });
    await writeFile(at("s.json"), JSON.stringify({ ...BOOKS, Ulysses: "Stately, plump Buck Mulligan" }));
    expect(await command(...against)).toMatchObject({ code: 3, stdout: expect.stringContaining("Ulysses") });
    await writeFile(await pathOf("Emma"), "Emma Woodhouse, ugly");
    await rm(await pathOf("Dune"));
    const repaired = await command(...against, "--repair");
    expect(repaired).toMatchObject({ code: 0 });
    expect(await readFile(await pathOf("Emma"), "utf8")).toBe(BOOKS.Emma);
    expect(await readFile(await pathOf("Dune"), "utf8")).toBe(BOOKS.Dune);
    expect((await readdir(at("d/books"))).length).toBe(3);
  });

  it("has its backups drilled to a place of its own", async () => {
    await command("login", "shelf", "alice");
    await shelf();
    await mkdir(at("board"));
    const drilled = await command("drill", at("d"), "--into", at("board"));
    expect(drilled).toMatchObject({ code: 0, stderr: "" });
    expect(drilled.stdout).toMatch(
      /^drill: 2 of 2 files of \S+ came back byte for byte, from a board of \S+\/board \(/,
    );
    expect(await readdir(at("board"))).toEqual([]);
    const json = await command("drill", at("d"), "--into", at("board"), "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ type: "drilled", ok: true, account: `a board of ${at("board")}` });
  });

  it("is asked for by options of its own, which are in the help, and for no other backups", async () => {
    const help = await command("verify", "--help");
    for (const text of ["--shelf", "Compare with this shelf too", "--server", "that all that the shelf has?"])
      expect(help.stdout.replaceAll(/\s+/g, " ")).toContain(text);
    await command("login", "shelf", "alice");
    await shelf();
    for (const [args, says] of [
      [
        ["verify", at("d"), "--server", "mail.example.org"],
        "--server is for backups of mail accounts, and this is shelf:alice",
      ],
      [
        ["drill", at("d"), "--server", "mail.example.org"],
        "--server is for backups of mail accounts, and this is shelf:alice",
      ],
      [["verify", at("d"), "--shelf", "s.txt"], "--shelf takes a file that ends in .json"],
      [["verify", at("d"), "--repair"], "--repair needs --server or --shelf, where the messages are to come from"],
      [["verify", at("d"), "--user", "bob"], "--user needs --server, where that user logs on"],
    ] as const)
      expect(await command(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
    const tree = at("tree");
    await mkdir(tree);
    await writeFile(join(tree, "a"), "a");
    await command("file", tree, at("t"));
    const wrong = await command("verify", at("t"), "--shelf", at("s.json"));
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--shelf is for backups of shelves, and this is file:"),
    });
  });

  it.each([
    ["verifyAgainst: { by: { name: 'x', describe: 'd' }, options: {} }", "has a verifyAgainst that has no open()"],
    ["drill: { by: { name: 'x', describe: 'd' }, options: {}, open() {} }", "has a drill that has no 'of'"],
    [
      "drill: { by: { name: 'X' }, options: {}, of: 'o', open() {} }",
      "has a drill that has a word (number 1) without a name",
    ],
    ["login: { summary: 's', positionals: [], options: {} }", "has a login that has no run()"],
  ])("is refused where it lacks something: %s", async (more, says) => {
    await writeFile(
      at("shelf.mjs"),
      `export default { api: 1, kind: "source", name: "s", summary: "s", options: {}, layout() {}, create() {},
       positionals: [{ name: "dest", describe: "d" }], ${more} };`,
    );
    expect(await command("plugins")).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
  });
});
