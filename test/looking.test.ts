import { execFile } from "node:child_process";
import { cp, mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { contentOf } from "@backup/core";
import { messageFileName } from "@backup/imap";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Result, runBackup, startBackup } from "./support/command.js";
import { LETTERS, type MailBackup, makeMailBackup } from "./support/mail-backup.js";
import { peakMemory } from "./support/peak-memory.js";
import { REMOTE, openRemote } from "./support/remote.js";

const MAIN = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));
/** What a terminal must never get from a message; line ends are ours. */
const CONTROL = /[^\P{Cc}\n]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** Many processes, on a machine that may have other work. */
const PATIENT_MS = 600_000;

let backup: MailBackup;
beforeAll(async () => {
  backup = await makeMailBackup();
});
afterAll(() => backup?.[Symbol.asyncDispose]());

const at = (name: string): string => join(backup.directory.path, name);
const show = (...args: readonly string[]) => runBackup(["show", backup.path, ...args]);
const search = (...args: readonly string[]) => runBackup(["search", backup.path, ...args]);

interface Row {
  readonly type: string;
  readonly folder: string;
  readonly uid: number;
  readonly id: string;
  readonly path: string;
  readonly digest: string;
  readonly date: string;
  readonly flags: readonly string[];
  readonly from: string;
  readonly subject: string;
}

function rowsOf({ stdout }: Result): readonly Row[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

const found = async (...terms: readonly string[]): Promise<readonly string[]> =>
  rowsOf(await search("--json", ...terms)).map(({ folder, uid }) => `${folder}/${uid}`);

/** A copy of the backup that a test may break. */
async function copyOf(name: string): Promise<string> {
  await cp(backup.path, at(name), { recursive: true, preserveTimestamps: true });
  return at(name);
}

async function fileOf(root: string, folder: string, uid: number): Promise<string> {
  const names = await readdir(join(root, folder, "cur"));
  return join(root, folder, "cur", names.find((name) => name.includes(`U${uid}D`)) ?? "");
}

describe("backup show", { timeout: PATIENT_MS }, () => {
  it("shows a message as text, with a list of its attachments", async () => {
    expect(await show("Looking/1")).toEqual({
      code: 0,
      signal: null,
      stderr: "",
      stdout: [
        "From:    Jürgen Müller <juergen@example.org>",
        "To:      Alice <alice@example.net>",
        "Cc:      bob@example.net",
        "Date:    Wed, 31 Jan 2024 13:00:00 +0100",
        "Subject: Café und Gruß",
        "",
        "Liebe Alice, der Entwürf ist dabei.",
        "From here on a classic.",
        "",
        "Attachments:",
        "  ../../etc/bill.pdf (application/pdf, 15 B)",
        "  bill.pdf (application/pdf, 7 B)",
        "",
      ].join("\n"),
    });
  });

  it("shows what would drive a terminal as text", async () => {
    const { stdout } = await show("Looking/2");
    expect(stdout).toContain("Subject: \\u{1b}[31mred\\u{202e} txt.exe");
    expect(stdout).toContain("Only HTML here \\u{1b}]0;title\\u{7} & nothing else");
    for (const args of [["Looking/2"], ["Looking/2", "--json"], ["Looking/2", "--headers"]])
      expect((await show(...args)).stdout, args.join(" ")).not.toMatch(CONTROL);
    for (const { stdout: text } of [await search("folder:Looking"), await search("folder:Looking", "--json")])
      expect(text).not.toMatch(CONTROL);
  });

  it("shows every field of the header, or the message byte for byte", async () => {
    const headers = await show("Looking/1", "--headers");
    expect(headers.stdout).toMatch(/^From: Jürgen Müller <juergen@example.org>$/m);
    expect(headers.stdout).toMatch(/^Content-Type: multipart\/mixed; boundary="x"$/m);
    const options = { encoding: "buffer", maxBuffer: 2 ** 24 } as const;
    for (const { name, messages } of backup.account.folders.filter(({ name: each }) =>
      ["INBOX", "Archive/2024/Q1", "日本語"].includes(each),
    ))
      for (const uid of messages.slice(-1).map((message) => message.uid)) {
        const args = [MAIN, "show", backup.path, `${name}/${uid}`, "--raw"];
        const { stdout } = await promisify(execFile)(process.execPath, args, options);
        expect(stdout.equals(await readFile(await fileOf(backup.path, name, uid))), `${name}/${uid}`).toBe(true);
      }
  });

  it("takes a folder and UID, a path, or the beginning of a digest, and several of them", async () => {
    const [row] = rowsOf(await search("--json", "needle", "folder:Looking"));
    const wanted = (await show("Looking/3")).stdout;
    expect(wanted).toContain("a needle");
    for (const name of [
      row?.path,
      `${backup.path}/${row?.path}`,
      row?.digest,
      row?.digest.slice(0, 8),
      `Looking/${row?.id}`,
    ])
      expect((await show(name ?? "")).stdout, name).toBe(wanted);
    expect((await show("Looking/3", "inbox/1", "Looking/3")).stdout.startsWith(`${wanted}\n`)).toBe(true);
    expect((await show("Looking/3", "Looking/3")).stdout).toBe(`${wanted}\n${wanted}`);
  });

  it("says what is near a name that nothing has, and what an ambiguous one may be", async () => {
    expect(await show("Looking/99")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/has no message 'Looking\/99': the nearest in Looking is 3; name it FOLDER\/UID/),
    });
    expect((await show("Loking/1")).stderr).toMatch(/: its folders are Archive, .*Looking/);
    expect((await show("zzzzzzzz")).stderr).toMatch(/has no message 'zzzzzzzz'; name it FOLDER\/UID/);
    const root = await copyOf("ambiguous");
    const file = await fileOf(root, "Looking", 3);
    // Another message whose digest begins alike.
    const twin = file.replace(/U3D(.{8}).{18}/, `U7D$1${"a".repeat(18)}`);
    await writeFile(twin, "x");
    const digest = /U3D(.{8})/.exec(file)?.[1] ?? "";
    expect(await runBackup(["show", root, digest])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/may be any of Looking\/\d \(\w{26}\), Looking\/\d \(\w{26}\); give more/),
    });
  });

  it("saves attachments by safe names, and never over what is there", async () => {
    const target = at("saved/below");
    const result = await show("Looking/1", "--attachments", target);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toContain(` → ${target}/bill (2).pdf`);
    expect(await readdir(target)).toEqual(["bill (2).pdf", "bill.pdf"]);
    expect(await readFile(join(target, "bill.pdf"), "utf8")).toBe("%PDF not really");
    expect((await readFile(join(target, "bill (2).pdf"), "utf8")).trim()).toBe("another");
    expect([(await stat(target)).mode & 0o777, (await stat(join(target, "bill.pdf"))).mode & 0o777]).toEqual([
      0o700, 0o600,
    ]);
    const again = rowsOf(await show("Looking/1", "--attachments", target, "--json"));
    expect(again).toMatchObject([
      { attachments: [{ file: `${target}/bill (3).pdf` }, { file: `${target}/bill (4).pdf` }] },
    ]);
    await writeFile(at("file"), "");
    expect(await show("Looking/1", "--attachments", at("file"))).toMatchObject({ code: 1, stdout: "" });
  });

  it("shows a damaged message, and says so", async () => {
    const root = await copyOf("damaged-show");
    const file = await fileOf(root, "Looking", 3);
    const bytes = await readFile(file);
    await writeFile(file, bytes.toString().replace("needle", "noodle"));
    const result = await runBackup(["show", root, "Looking/3"]);
    expect(result).toMatchObject({ code: 3, stdout: expect.stringContaining("a noodle") });
    expect(result.stderr).toMatch(/^FAILED: Looking\/3 is damaged: the bytes of Looking\/cur\/\S+ are not those/);
  });

  it.each([
    [["Looking/1", "Looking/2", "--raw"], /--raw takes one message/],
    [["Looking/1", "--raw", "--headers"], /give one/],
    [["Looking/1", "--raw", "--attachments", "x"], /--attachments goes with the text/],
    [[], /MESSAGE missing/],
  ])("refuses %j", async (args, message) => {
    expect(await show(...args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(message) });
  });
});

describe("backup search", { timeout: PATIENT_MS }, () => {
  it("finds by what names, headers and texts say, newest first", async () => {
    const result = await search("folder:Looking");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toBe(
      [
        "2025-03-01 00:00  Looking/3  Shop <shop@example.com>   会議の議事録",
        "2024-02-29 12:00  Looking/2  news@example.org          \\u{1b}[31mred\\u{202e} txt.exe",
        "2024-01-31 12:00  Looking/1  Jürgen Müller <juergen@…  Café und Gruß",
        "",
      ].join("\n"),
    );
  });

  it.each([
    [["from:jurgen"], ["Looking/1"]],
    [["from:JUERGEN@EXAMPLE.ORG"], ["Looking/1"]],
    [["cc:bob"], ["Looking/1"]],
    [["subject:cafe", "to:alice"], ["Looking/1"]],
    [["subject:GRUSS"], ["Looking/1"]],
    [["subject:議事録", "folder:Looking"], ["Looking/3"]],
    [["needle"], ["Looking/3"]],
    [["entwurf", "liebe alice"], ["Looking/1"]],
    [["text:nothing else"], ["Looking/2"]],
    [["is:flagged", "folder:Looking"], ["Looking/1"]],
    [["flag:answered", "folder:Looking"], ["Looking/2"]],
    [
      ["is:unseen", "folder:Looking"],
      ["Looking/3", "Looking/2"],
    ],
    [["has:attachment", "folder:Looking"], ["Looking/1"]],
    [
      ["since:2024-02", "folder:Look*"],
      ["Looking/3", "Looking/2"],
    ],
    [["since:2024", "before:2024-02", "folder:Looking"], ["Looking/1"]],
    [["larger:299k"], ["INBOX/13"]],
    [["folder:Looking", "smaller:100"], ["Looking/3"]],
  ])("%j finds %j", async (terms, wanted) => expect(await found(...terms)).toEqual(wanted));

  it("ends like grep where nothing is found, and stops where enough is", async () => {
    expect(await search("nobody wrote this")).toEqual({ code: 1, signal: null, stdout: "", stderr: "" });
    expect((await search("--limit", "2", "folder:Looking")).stdout.split("\n")).toHaveLength(3);
    expect(await found()).toHaveLength(backup.account.folders.flatMap(({ messages }) => messages).length);
  });

  it("tells programs what it knows", async () => {
    expect(rowsOf(await search("--json", "from:jurgen"))).toEqual([
      {
        type: "message",
        folder: "Looking",
        uid: 1,
        id: expect.stringMatching(/^V\d+U1$/),
        path: expect.stringMatching(/^Looking\/cur\/1706702400\.V/),
        date: "2024-01-31T12:00:00.000Z",
        size: LETTERS[0].bytes.length,
        digest: expect.stringMatching(/^[a-z2-7]{26}$/),
        flags: ["flagged", "seen"],
        from: "Jürgen Müller <juergen@example.org>",
        to: "Alice <alice@example.net>",
        subject: "Café und Gruß",
      },
    ]);
  });

  it("stops when its reader has left", async () => {
    const { stdout } = await promisify(execFile)("sh", [
      "-c",
      `"${process.execPath}" "${MAIN}" search "${backup.path}" | head -n 1`,
    ]);
    expect(stdout.split("\n")).toHaveLength(2);
  });

  it.each([
    ["since:yesterday", /a date is 2024-01-31, 2024-01 or 2024/],
    ["before:2023-02-30", /a date is/],
    ["larger:big", /a size is/],
    ["is:purple", /the flags are/],
    ["has:fun", /has: takes attachment/],
    ["from:", /something must follow the colon/],
    ["", /a term is empty/],
  ])("refuses %j", async (term, message) => {
    expect(await search(term)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(message) });
  });
});

/** All files below a directory. */
async function filesIn(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

const digests = async (files: readonly string[]): Promise<readonly string[]> =>
  (await Promise.all(files.map((file) => readFile(file, "base64")))).toSorted();

describe("backup export", { timeout: PATIENT_MS }, () => {
  const stored = async () => (await filesIn(backup.path)).filter((file) => file.includes("/cur/"));

  it("writes every message as a file of its own", async () => {
    const target = at("eml");
    const result = await runBackup(["export", backup.path, target, "--eml"]);
    expect(result).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\S+\/eml: 67 messages, /) });
    const files = await filesIn(target);
    expect(await digests(files)).toEqual(await digests(await stored()));
    expect(files.map((file) => file.slice(target.length + 1)).filter((file) => file.startsWith("Looking"))).toEqual([
      expect.stringMatching(/^Looking\/2024-01-31 Café und Gruß [a-z2-7]{8}\.eml$/),
      expect.stringMatching(/^Looking\/2024-02-29 _\[31mred_ txt\.exe [a-z2-7]{8}\.eml$/),
      expect.stringMatching(/^Looking\/2025-03-01 会議の議事録 [a-z2-7]{8}\.eml$/),
    ]);
    const { mode, mtimeMs } = await stat(files.find((file) => file.includes("Café")) ?? "");
    expect([mode & 0o777, mtimeMs]).toEqual([0o600, Date.UTC(2024, 0, 31, 12)]);
    expect((await stat(join(target, "Looking"))).mode & 0o777).toBe(0o700);
  });

  it("writes an archive that another program opens", async () => {
    const target = at("all.zip");
    expect(await runBackup(["export", backup.path, target, "--zip"])).toMatchObject({ code: 0, stderr: "" });
    expect((await stat(target)).mode & 0o777).toBe(0o600);
    const script = "import sys,zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    await promisify(execFile)("python3", ["-c", script, target, at("unzipped")]);
    expect(await digests(await filesIn(at("unzipped")))).toEqual(await digests(await stored()));
  });

  it("writes mbox files that another program reads", async () => {
    const target = at("mbox");
    await mkdir(target);
    expect(await runBackup(["export", backup.path, target, "--mbox"])).toMatchObject({ code: 0, stderr: "" });
    const script = [
      "import json,mailbox,sys",
      "box = mailbox.mbox(sys.argv[1])",
      "print(json.dumps([[str(m['Subject']), m.get_flags(), m.get_from()] for m in box]))",
    ].join("\n");
    const read = async (name: string) => {
      const { stdout } = await promisify(execFile)("python3", ["-c", script, join(target, name)]);
      return JSON.parse(stdout) as readonly (readonly string[])[];
    };
    expect(await read("Looking.mbox")).toMatchObject([
      ["=?iso-8859-1?Q?Caf=E9_und_Gru=DF?=", "ROF", "juergen@example.org Wed Jan 31 12:00:00 2024"],
      [expect.anything(), "OA", "news@example.org Thu Feb 29 12:00:00 2024"],
      [expect.anything(), "O", "shop@example.com Sat Mar  1 00:00:00 2025"],
    ]);
    for (const { name, messages } of backup.account.folders.filter((folder) => folder.messages.length > 0))
      expect(await read(`${name.replaceAll("/", ".")}.mbox`), name).toHaveLength(messages.length);
  });

  it("takes what terms and folders choose, and makes nothing where that is nothing", async () => {
    const args = ["--eml", "--folder", "Look*", "--folder", "INBOX", "from:jurgen"];
    expect(await runBackup(["export", backup.path, at("some"), ...args])).toExit(0);
    expect(await filesIn(at("some"))).toHaveLength(1);
    const none = await runBackup(["export", backup.path, at("none"), "--mbox", "folder:Nowhere"]);
    expect(none).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^no message to export; .*none was not made/),
    });
    await expect(stat(at("none"))).rejects.toThrow("ENOENT");
  });

  it("leaves a damaged message out and names it", async () => {
    const root = await copyOf("damaged");
    await writeFile(await fileOf(root, "Looking", 3), "Subject: other\r\n\r\nother");
    const result = await runBackup(["export", root, at("rest"), "--eml", "--json"]);
    expect(result.code).toBe(3);
    expect(rowsOf(result)).toMatchObject([
      { type: "failed", collection: "Looking", message: expect.stringMatching(/^Looking\/3 is damaged/) },
      { type: "exported", messages: 66, failed: 1 },
    ]);
    expect(await filesIn(at("rest"))).toHaveLength(66);
  });

  it("overwrites nothing, writes into no backup and leaves nothing behind", async () => {
    await mkdir(at("full"));
    await writeFile(join(at("full"), "file"), "");
    await mkdir(at("empty"));
    const before = (await readdir(backup.directory.path)).toSorted();
    for (const [target, form, message] of [
      ["full", "--eml", /is there already, and nothing is overwritten/],
      ["full/file", "--zip", /is there already/],
      ["full/file", "--mbox", /is there already/],
      ["empty", "--zip", /is a directory, and an archive is a file/],
      ["mail", "--eml", /is there already/],
      ["mail/below", "--eml", /is inside of .*mail, which is a backup itself/],
      ["mail/Looking/x.zip", "--zip", /is inside of/],
      ["not/there", "--eml", /nothing can be made in .*not \(ENOENT\)/],
    ] as const) {
      const result = await runBackup(["export", backup.path, at(target), form]);
      expect(result, target).toMatchObject({ stdout: "", stderr: expect.stringMatching(message) });
      expect([1, 2]).toContain(result.code);
    }
    expect((await readdir(backup.directory.path)).toSorted()).toEqual(before);
    expect(await runBackup(["export", backup.path, at("x"), "--zip", "--eml"])).toExit(2);
    expect(await runBackup(["export", backup.path, at("x")])).toExit(2);
  });
});

describe("what it costs", { timeout: PATIENT_MS }, () => {
  /** Prints the address of every module that is loaded. */
  const hook = `export async function load(url, context, next) { process._rawDebug(url); return next(url, context); }`;
  const register = `import { register } from "node:module"; register(${JSON.stringify(`data:text/javascript,${hook}`)});`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(register)}`;

  /** All modules that a command loads: files by address, and what is in those of the bundle, each below a comment with its path. */
  async function modulesOf(args: readonly string[]): Promise<readonly string[]> {
    const { stderr } = await runBackup(args, { NODE_OPTIONS });
    const files = stderr.split("\n").filter((line) => line.startsWith("file:"));
    const texts = await Promise.all(files.map((file) => readFile(fileURLToPath(file), "utf8")));
    const bundled = texts.flatMap((text) =>
      Array.from(text.matchAll(/^ *\/\/ (\S+\.[cm]?js)$/gm), ([, path]) => path ?? ""),
    );
    return [...files, ...bundled];
  }

  it("is paid by those who look: a run loads nothing that takes mail apart", async () => {
    const costly = /\/mailparser\/|\/html-to-text\/|\/yazl\/|packages\/mail\//;
    const imap = ["imap", "alice", at("new"), "imaps://localhost:1", "--srcsecret", at("alice.password")];
    for (const args of [imap, ["ls", backup.path]]) {
      const modules = await modulesOf(args);
      expect(modules).toContainEqual(expect.stringContaining("packages/imap/dist/"));
      expect(modules.filter((name) => costly.test(name))).toEqual([]);
    }
    const shown = await modulesOf(["show", backup.path, "Looking/1"]);
    const exported = await modulesOf(["export", backup.path, at("costs.zip"), "--zip", "folder:Looking"]);
    for (const name of ["/mailparser/", "/html-to-text/", "packages/mail/"])
      expect(shown).toContainEqual(expect.stringContaining(name));
    expect(exported).toContainEqual(expect.stringContaining("/yazl/"));
  });

  it("is little memory for the header of a large message, and its attachments", async () => {
    const root = await copyOf("large");
    const MiB = 2 ** 20;
    const head = [
      "Subject: large",
      'Content-Type: multipart/mixed; boundary="x"',
      "",
      "--x",
      "",
      "a needle in it",
      "--x",
      "Content-Disposition: attachment; filename=large.bin",
      "Content-Transfer-Encoding: base64",
      "",
      "",
    ].join("\r\n");
    const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(100 * MiB, `${"QUJD".repeat(19)}\r\n`)]);
    const name = { uidValidity: 1n, uid: 9, epoch: 1_700_000_000, letters: "" };
    await writeFile(join(root, "Looking/cur", messageFileName(name, contentOf(bytes), { colon: true })), bytes);
    const peakOf = async (...args: readonly string[]) => {
      const { child, result } = startBackup(args);
      const [peak, { code, stdout }] = await Promise.all([peakMemory(child), result]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("large") });
      return peak / MiB;
    };
    expect(await peakOf("show", root, "Looking/9", "--headers")).toBeLessThan(150);
    expect(await peakOf("search", root, "subject:large")).toBeLessThan(150);
    expect(await peakOf("search", root, "folder:Looking", "needle", "larger:1M")).toBeLessThan(350);
    expect(await peakOf("show", root, "Looking/9", "--attachments", at("attachments"))).toBeLessThan(350);
    expect((await stat(join(at("attachments"), "large.bin"))).size).toBeGreaterThan(70 * MiB);
  });
});

describe.each([REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync])("on another host: $name", { timeout: PATIENT_MS }, (kind) => {
  it("all of it works too", async () => {
    await using host = await openRemote(kind);
    await cp(backup.path, host.at("mail"), { recursive: true, preserveTimestamps: true });
    const run = (command: string, ...args: readonly string[]) =>
      runBackup([command, host.destination("mail"), ...args, ...host.options], host.env);
    const shown = await run("show", "Looking/1");
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(shown.stdout).toBe((await show("Looking/1")).stdout);
    expect((await run("show", "Looking/1", "--headers")).stdout).toContain("Subject: Café und Gruß");
    expect((await run("search", "needle")).stdout).toBe((await search("needle")).stdout);
    expect(await run("export", join(host.directory, "out"), "--eml", "folder:Looking")).toExit(0);
    expect(await filesIn(join(host.directory, "out"))).toHaveLength(3);
  });
});
