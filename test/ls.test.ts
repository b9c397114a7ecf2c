import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { makeFolder, startFakeImap } from "./support/fake-imap.js";
import { mirrorFake } from "./support/fake-mirror.js";
import type { MailServer } from "./support/mail-server.js";
import { REMOTE, openRemote, runRemote } from "./support/remote.js";
import { runProgram } from "./support/run-program.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

let server: MailServer;
let directory: TemporaryDirectory;
let secret: string;
beforeAll(async () => {
  server = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(server);
});
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const at = (name: string): string => join(directory.path, name);
const mirror = (name: string, ...more: string[]) =>
  runBackup(
    ["imap", "alice", at(name), `imaps://localhost:${server.tlsPort}`].concat(
      ["--srcsecret", secret, "--tls-ca", server.caFile],
      more,
    ),
  );
const ls = (name: string, ...more: string[]) => runBackup(["ls", at(name), ...more]);

interface Listed {
  readonly whole: boolean;
  readonly source: string;
  readonly report: { readonly finished: string; readonly result: string; readonly complete: string | null } | null;
  readonly collections: readonly {
    readonly path: string;
    readonly name: string;
    readonly different: boolean;
    readonly now: { readonly files: number; readonly bytes: number; readonly digest: string };
    readonly report: {
      readonly items: number;
      readonly digest: string;
      readonly gaps: readonly string[];
      readonly kept: number;
    } | null;
  }[];
}

function listedBy({ stdout }: Result): Listed {
  return JSON.parse(stdout) as Listed;
}

/** Every file and directory with what changes when somebody touches it. */
async function stateOf(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true });
  const lines = [".", ...entries].map(async (entry) => `${entry} ${(await stat(join(root, entry))).ctimeMs}`);
  return (await Promise.all(lines)).toSorted();
}

const messagesIn = async (name: string, folder: string): Promise<readonly string[]> => {
  const cur = join(at(name), folder, "cur");
  return (await readdir(cur)).toSorted().map((file) => join(cur, file));
};

describe("backup ls", () => {
  it("shows every folder with the server's count and the files that are here, and writes nothing", async () => {
    expect(await mirror("a")).toExit(0);
    const before = await stateOf(at("a"));
    const { folders } = await readServer(server);
    const result = await ls("a");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const [first, empty, header, ...rows] = result.stdout.trimEnd().split("\n");
    expect(first).toMatch(/^\S+\/a: imap:alice@localhost, all done at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    expect([empty, header?.trim().split(/ +/)]).toEqual([
      "",
      ["server", "here", "size", "kept", "missing", "newest", "folder"],
    ]);
    const counts = rows.map((row) =>
      /^ *(\d+) +(\d+) +[\d.]+ [kM]?B +(\d+) +(\d+) {2}[\d -]{10} {2}(.*)$/.exec(row)?.slice(1),
    );
    const wanted = folders.map(({ name, messages: { length } }) => [`${length}`, `${length}`, "0", "0", name]);
    const total = `${folders.reduce((sum, { messages }) => sum + messages.length, 0)}`;
    expect(new Set(counts.slice(0, -1))).toEqual(new Set(wanted));
    expect(counts.at(-1)).toEqual([total, total, "0", "0", `${folders.length} folders`]);

    const json = await ls("a", "--json");
    expect(json).toMatchObject({ code: 0, stderr: "" });
    const { whole, source, report, collections } = listedBy(json);
    expect({ whole, source, report }).toMatchObject({
      whole: true,
      source: "imap:alice@localhost",
      report: { result: "done", complete: report?.finished },
    });
    expect(collections.every(({ now, report: then }) => now.digest === then?.digest)).toBe(true);
    expect(await ls("a", "-q")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await stateOf(at("a"))).toEqual(before);
  });

  it("has a digest that another program makes of the names, as docs/format.md says", async () => {
    const [, script] = /^ {4}(ls INBOX.*sha256sum)$/m.exec(await readFile("docs/format.md", "utf8")) ?? [];
    const { stdout } = await runProgram("sh", ["-c", `cd '${at("a")}' && ${script}`]);
    const inbox = listedBy(await ls("a", "--json")).collections.find(({ name }) => name === "INBOX");
    expect(stdout).toBe(`${inbox?.report?.digest}  -\n`);
  });

  it("shows a file that was deleted or cut by hand until a run has brought it back", async () => {
    const [file = "", other = ""] = await messagesIn("a", "INBOX");
    await rm(file);
    const result = await ls("a", "-q");
    expect(result).toMatchObject({ code: 3, stderr: "" });
    expect(result.stdout).toMatch(
      /^INBOX: changed since the last run: \d+ files \([\d.]+ kB\) here, and it left \d+ \([\d.]+ kB\)\nThe next run[^\n]*\n$/,
    );
    await mirror("a");
    expect(await ls("a")).toExit(0);
    await writeFile(other, "");
    const cut = await ls("a", "--json");
    expect(cut.code).toBe(3);
    expect(listedBy(cut).collections.flatMap(({ name, different }) => (different ? [name] : []))).toEqual(["INBOX"]);
    expect((await ls("a", "-q")).stdout).toMatch(/\nThe next run.*--full.*\n$/);
    await mirror("a", "--full");
    expect(await ls("a")).toExit(0);
    await rm(join(at("a"), "Archive/2023"), { recursive: true });
    expect((await ls("a")).stdout).toMatch(/^Archive\/2023: changed since the last run: 0 files \(0 B\) here/m);
    await mirror("a");
  });

  it("counts what was kept apart, and says what was left out", async () => {
    await mirror("kept");
    {
      await using appender = await openAppender(loginOf(server));
      await appender.expunge("INBOX", [1, 2]);
    }
    await mirror("kept", "--keep-deleted", "--folder", "INBOX");
    const result = await ls("kept");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(/ 2 {8}0 {2}\d{4}-\d\d-\d\d {2}INBOX$/m);
    expect(result.stdout).toMatch(/^Archive\/2023: not part of the last run; as of \d{4}-/m);
  });

  it("names the messages that could not be had", async () => {
    const folders = new Map([["INBOX", makeFolder(4)]]);
    const [, poison] = folders.get("INBOX")?.messages ?? [];
    if (poison) poison.odd = [{ type: "nil" }];
    await using fake = await startFakeImap({ folders });
    expect(await mirrorFake(fake, at("gap"))).toMatchObject({ exit: 3, failed: ["INBOX V1U2"] });
    const result = await ls("gap");
    expect(result).toMatchObject({ code: 3, stderr: "" });
    expect(result.stdout).toMatch(/: imap:alice@localhost, PARTLY done at .*; there was no complete run yet$/m);
    expect(result.stdout).toMatch(/^ +4 +3 .* 1 {2}\d{4}-\d\d-\d\d {2}INBOX$/m);
    expect(result.stdout).toMatch(/^INBOX: missing: V1U2$/m);
    expect(listedBy(await ls("gap", "--json")).collections).toMatchObject([
      { name: "INBOX", different: false, now: { files: 3 }, report: { items: 4, gaps: ["V1U2"], kept: 0 } },
    ]);
    if (poison) poison.odd = [];
    expect(await mirrorFake(fake, at("gap"))).toMatchObject({ exit: 0 });
    expect(await ls("gap")).toExit(0);
  });

  it.each([REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync])(
    "lists a backup on another host: $name",
    async (kind) => {
      await using host = await openRemote(kind);
      expect(await runRemote({ host, server, name: "a" })).toExit(0);
      const list = () => runBackup(["ls", host.destination("a"), ...host.options], host.env);
      const before = await stateOf(host.at("a"));
      const good = await list();
      expect(good).toMatchObject({ code: 0, stderr: "" });
      expect(good.stdout).toMatch(/ {2}INBOX$/m);
      expect(await stateOf(host.at("a"))).toEqual(before);
      const cur = host.at("a/INBOX/cur");
      const [file = ""] = await readdir(cur);
      await rm(join(cur, file));
      const bad = await list();
      expect(bad).toMatchObject({ code: 3, stderr: "" });
      expect(bad.stdout).toMatch(/^INBOX: changed since the last run/m);
      expect(await runRemote({ host, server, name: "a" })).toExit(0);
      expect(await list()).toExit(0);
      const none = await runBackup(["ls", host.destination("none"), ...host.options], host.env);
      expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/^backup: there is no backup at /) });
      expect(none.stdout).not.toMatch(/folder/);
    },
    180_000,
  );

  it("says that there is no backup", async () => {
    await mkdir(at("empty"));
    await writeFile(at("file"), "a file");
    for (const name of ["empty", "file", "not-there"])
      expect(await ls(name), name).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(/^backup: there is no backup at [^\n]*; name a directory [^\n]*\n$/),
      });
    expect(await readdir(at("empty"))).toEqual([]);
    expect(await runBackup(["ls"])).toMatchObject({ code: 2, stderr: expect.stringMatching(/DEST missing/) });
    expect(await runBackup(["ls", ""])).toMatchObject({ code: 2, stderr: expect.stringMatching(/DEST is empty/) });
  });

  it("takes a report that cannot be read for none, and the next run makes it anew", async () => {
    await mirror("broken");
    const file = join(at("broken"), ".backup/report.json");
    for (const text of ["", '{"format":1,"sou', '{"format":1}', "[]"]) {
      await writeFile(file, text);
      const result = await ls("broken");
      expect(result).toMatchObject({ code: 3, stderr: "" });
      expect(result.stdout).toMatch(/: imap:alice@localhost, no report of a run$/m);
      expect(result.stdout).toMatch(/^ +\? +\d+ .* \? {2}\d{4}-\d\d-\d\d {2}INBOX$/m);
      expect(result.stdout).toMatch(/nothing says whether this is all; run the backup again$/m);
    }
    expect(listedBy(await ls("broken", "--json"))).toMatchObject({ whole: false, report: null });
    expect(await mirror("broken")).toExit(0);
    expect(await ls("broken")).toExit(0);
    await rm(join(at("broken"), ".backup/checkpoint.json"));
    expect(await ls("broken")).toExit(0);
  });
});
