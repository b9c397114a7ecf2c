import { cp, mkdir, readFile, readdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupEvent } from "@backup/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, eventsOf, runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { seededRandom } from "./support/random.js";
import { REMOTE, openRemote, runRemote } from "./support/remote.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";
import { flip, messagesIn, wreck } from "./support/wreck.js";

let server: MailServer;
let directory: TemporaryDirectory;
let secret: string;
beforeAll(async () => {
  server = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(server, { messages: 140 });
  await mirror("good");
});
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const at = (name: string, path = ""): string => join(directory.path, name, path);
const login = (): string[] => ["--srcsecret", secret, "--tls-ca", server.caFile];
const asking = (): string[] => ["--server", `imaps://localhost:${server.tlsPort}`, ...login()];
const mirror = (name: string, ...more: string[]) =>
  runBackup(["imap", "alice", at(name), `imaps://localhost:${server.tlsPort}`, ...login(), ...more]);
const verify = (name: string, ...more: string[]) => runBackup(["verify", at(name), ...more]);
const repair = (name: string, ...more: string[]) => verify(name, ...asking(), "--repair", ...more);

/** A backup of its own to damage. */
async function copy(name: string): Promise<string> {
  await cp(at("good"), at(name), { recursive: true, preserveTimestamps: true });
  return at(name);
}

function damageOf(result: Result) {
  return eventsOf(result).filter((event) => event.type === "damage");
}

const isOfFile = ({ kind }: { readonly kind: string }): boolean =>
  ["content", "size", "unreadable", "sidecar"].includes(kind);

function damagedFiles(result: Result): readonly string[] {
  return damageOf(result)
    .filter(isOfFile)
    .map(({ path = "" }) => path)
    .toSorted();
}

/** The last line of `--json`. */
function endOf(result: Result) {
  return eventsOf(result).at(-1) as unknown as {
    readonly good: boolean;
    readonly files: number;
    readonly readFiles: number;
    readonly others: readonly string[];
    readonly server?: {
      readonly differences: readonly {
        readonly path: string;
        readonly missing: readonly string[];
        readonly superfluous: readonly string[];
        readonly other: readonly string[];
      }[];
    };
  };
}

const idOf = (path: string): string => /V\d+U\d+/.exec(path)?.[0] ?? "";

describe("backup verify", () => {
  it("says in one line that all is as it should be, and changes nothing", async () => {
    const before = await readdir(at("good"), { recursive: true });
    const result = await verify("good");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(/^144 messages, \d+(\.\d)? [kM]B: all as their names say\n$/);
    expect(await verify("good", "-q")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await readdir(at("good"), { recursive: true })).toEqual(before);
    const json = await verify("good", "--json");
    expect(endOf(json)).toMatchObject({ type: "verified", good: true, files: 144, readFiles: 144, others: [] });
    expect(eventsOf(json).filter(({ type }) => type === "progress").length).toBeLessThan(10);
  });

  it("names each file that is damaged, and each thing that is missing", async () => {
    const root = await copy("wrong");
    const [one = "", two = "", three = ""] = await messagesIn(root);
    await flip(join(root, one), 20);
    await truncate(join(root, two), 3);
    await rm(join(root, three));
    await rm(join(root, "Empty"), { recursive: true });
    await rm(join(root, "Archive/2023/new"), { recursive: true });
    await writeFile(join(root, "INBOX/dovecot-keywords"), "0 $Forwarded\n\0\0\0");
    const folder = three.slice(0, three.indexOf("/cur/"));
    const result = await verify("wrong");
    expect(result).toExit(3);
    const lines = result.stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(9);
    for (const line of [
      `DAMAGED: ${one} holds other bytes than its name says`,
      "DAMAGED: INBOX/dovecot-keywords is cut: its last line has no end",
      "MISSING: the directory Archive/2023/new is missing",
      ...["", "/cur", "/new", "/tmp"].map((leaf) => `MISSING: the directory Empty${leaf} is missing`),
    ])
      expect(lines).toContain(line);
    expect(result.stderr).toMatch(/^DAMAGED: .* has 3 bytes, and its name says \d+$/m);
    expect(result.stderr).toMatch(new RegExp(`^CHANGED: ${folder} does not hold what the last run left`, "m"));
    expect(result.stdout).toMatch(/^143 messages, .*: 3 files damaged, 6 other problems\n.*--repair --server SERVER/);
    expect(await repair("wrong")).toExit(0);
    expect(await verify("wrong")).toMatchObject({ code: 0, stderr: "" });
    await readTree(root);
  });

  it("notices that a table of keywords is lost, and makes it anew", async () => {
    const root = await copy("keywords");
    await rm(join(root, "INBOX/dovecot-keywords"));
    expect(await verify("keywords")).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^DAMAGED: INBOX\/dovecot-keywords does not say which keyword a.* is\n$/),
    });
    expect(await repair("keywords")).toExit(0);
    expect(await readTree(root)).toEqual(await readTree(at("good")));
  });

  it("lists what is not ours apart, as no damage", async () => {
    const root = await copy("others");
    const [one = ""] = await messagesIn(root);
    await cp(join(root, one), join(root, `${one} (conflicted copy)`));
    await writeFile(join(root, ".backup/tmp/left"), "x");
    await writeFile(join(root, "INBOX/new/mail"), "x");
    const result = await verify("others");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(
      /^3 files there of others, or left by a run: \.backup\/tmp\/left, .*INBOX\/new\/mail/,
    );
    expect(endOf(await verify("others", "--json")).others).toHaveLength(3);
  });

  it("reads a part of the messages, and all of what costs nothing", async () => {
    const root = await copy("sample");
    const result = await verify("sample", "--sample", "25%");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const [, read] = /: (\d+) of them were read, .*, and are as their names say\n$/.exec(result.stdout) ?? [];
    expect(Number(read)).toBeGreaterThan(5);
    expect(Number(read)).toBeLessThan(90);
    const [one = ""] = await messagesIn(root);
    await truncate(join(root, one), 1);
    expect(await verify("sample", "--sample", "0.001%")).toExit(3);
  });

  it("refuses what it cannot verify, and says why", async () => {
    await mkdir(at("nothing"));
    expect(await verify("nothing")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^backup: there is no backup at /),
    });
    const root = await copy("newer");
    const file = join(root, ".backup/checkpoint.json");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace('"format": 1', '"format": 2'));
    expect(await verify("newer")).toMatchObject({ code: 1, stderr: expect.stringMatching(/newer version of backup/) });
    for (const wrong of [["--sample", "0%"], ["--sample", "lots"], ["--repair"], ["--user", "x"], ["--server", ""]])
      expect(await verify("good", ...wrong), wrong.join(" ")).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("backup verify --server", () => {
  it("says that both are the same, and how they differ, and changes nothing", async () => {
    const root = await copy("compared");
    const same = await verify("compared", ...asking());
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toMatch(/^the server has 144 messages in 9 folders: the same are here\n144 messages/);
    const [lost = "", flagged = ""] = (await messagesIn(root)).filter((path) => path.startsWith("INBOX/"));
    await rm(join(root, lost));
    await rename(join(root, flagged), join(root, `${flagged.replace(/:2,.*/, "")}:2,RT`));
    const extra = flagged.replace(/U\d+D/, "U99999D");
    await cp(join(root, `${flagged.replace(/:2,.*/, "")}:2,RT`), join(root, extra));
    const before = await readdir(root, { recursive: true });
    const result = await verify("compared", ...asking(), "--json");
    expect(result).toExit(3);
    expect(endOf(result).server?.differences).toEqual([
      { path: "INBOX", name: "INBOX", missing: [idOf(lost)], superfluous: [idOf(extra)], other: [idOf(flagged)] },
    ]);
    const text = await verify("compared", ...asking());
    expect(text.stdout).toMatch(
      /^INBOX: 1 missing here \(V\d+U\d+\); 1 not on the server \(V\d+U99999\); 1 with other flags \(V\d+U\d+\)$/m,
    );
    expect(await readdir(root, { recursive: true })).toEqual(before);
  });

  it("refuses the account of another, and a password that is wrong", async () => {
    const other = await writeSecret(directory.path, "other.password", "wrong");
    const given = ["--server", `imaps://localhost:${server.tlsPort}`, "--tls-ca", server.caFile];
    expect(await verify("good", ...given, "--srcsecret", other)).toExit(1);
    expect(await verify("good", ...given, "--srcsecret", secret, "--user", "bob")).toExit(1);
  });
});

describe("backup verify --repair", () => {
  it.each([1, 2, 3])("finds and repairs everything, case %i", async (seed) => {
    const name = `random-${seed}`;
    const root = await copy(name);
    const { damaged, lost } = await wreck(root, 40, seededRandom(seed));
    const found = await verify(name, "--json");
    expect(found).toExit(3);
    expect(damagedFiles(found)).toEqual(damaged);
    const compared = await verify(name, ...asking(), "--json");
    const cut = damageOf(compared).filter(({ kind }) => kind === "size");
    const missing = (endOf(compared).server?.differences ?? []).flatMap(({ path, missing: ids }) =>
      ids.map((id) => `${path} ${id}`),
    );
    const expected = [...lost, ...cut.map(({ path = "" }) => path)];
    expect(missing.toSorted()).toEqual(
      expected.map((path) => `${path.slice(0, path.indexOf("/cur/"))} ${idOf(path)}`).toSorted(),
    );
    const repaired = await repair(name, "--json");
    expect(repaired).toMatchObject({ code: 0, stderr: "" });
    const end = eventsOf(repaired).find((event) => event.type === "end") as BackupEvent & { readonly type: "end" };
    expect(end.report.added).toBe(damaged.length + lost.length);
    expect(await readTree(root)).toEqual(await readTree(at("good")));
    expect(await verify(name, ...asking())).toMatchObject({ code: 0, stderr: "" });
  });

  it("keeps a damaged message that the server has no more, and goes on to say so", async () => {
    {
      await using appender = await openAppender(loginOf(server));
      await appender.createFolder("Gone");
      await appender.append("Gone", [{ bytes: Buffer.from("Subject: 1\r\n\r\none") }]);
      await appender.append("Gone", [{ bytes: Buffer.from("Subject: 2\r\n\r\ntwo") }]);
      expect(await mirror("gone")).toExit(0);
      await appender.expunge("Gone", [1]);
    }
    const root = at("gone");
    const messages = (await messagesIn(root)).filter((path) => path.startsWith("Gone/"));
    for (const path of messages) await flip(join(root, path), 9);
    const lost = messages.find((path) => /U1D/.test(path)) ?? "";
    const bytes = await readFile(join(root, lost));
    const result = await repair("gone", "--json");
    expect(result).toExit(3);
    expect(damagedFiles(result)).toEqual([lost, ...messages].toSorted());
    expect(await readFile(join(root, lost))).toEqual(bytes);
    const again = await verify("gone");
    expect(again).toMatchObject({ code: 3, stderr: `DAMAGED: ${lost} holds other bytes than its name says\n` });
    await using appender = await openAppender(loginOf(server));
    await appender.deleteFolder("Gone");
  });

  it("waits for nobody: another run has the lease", async () => {
    const root = await copy("held");
    const [one = ""] = await messagesIn(root);
    await flip(join(root, one), 5);
    await writeFile(
      join(root, ".backup/lease.json"),
      JSON.stringify({ token: "x", host: "elsewhere", pid: 1, process: "x", since: "now" }),
    );
    expect(await repair("held")).toMatchObject({ code: 1, stderr: expect.stringMatching(/another run is writing to/) });
    expect(damagedFiles(await verify("held", "--json"))).toEqual([one]);
  });

  it.each([REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync, REMOTE.chroot, REMOTE.withoutSshHere])(
    "finds and repairs everything on another host: $name",
    async (kind) => {
      const hasShell = kind === REMOTE.rsync || kind === REMOTE.sftp;
      await using host = await openRemote(kind);
      expect(await runRemote({ host, server, name: "a" })).toExit(0);
      const root = host.at("a");
      const good = await readTree(root);
      const there = (...more: string[]) =>
        runBackup(["verify", host.destination("a"), ...host.options, "--json", ...more], host.env);
      const { fromServer } = host.proxy.bytes;
      const whole = await there();
      expect(whole).toMatchObject({ code: 0, stderr: "" });
      // Where the account has a shell, its host reads the messages.
      if (hasShell) expect(host.proxy.bytes.fromServer - fromServer).toBeLessThan(300_000);
      expect(endOf(whole)).toMatchObject({ good: true, files: 144, readFiles: 144 });
      const { damaged } = await wreck(root, 24, seededRandom(7));
      const found = await there();
      expect(found).toExit(3);
      expect(damagedFiles(found)).toEqual(damaged);
      expect(await there(...asking(), "--repair")).toExit(0);
      expect(await readTree(root)).toEqual(good);
      expect(await there()).toExit(0);
    },
    600_000,
  );

  it.each([REMOTE.rsync, REMOTE.chroot])(
    "goes on when the connection is lost: $name",
    async (kind) => {
      await using host = await openRemote(kind);
      expect(await runRemote({ host, server, name: "a" })).toExit(0);
      const [one = ""] = await messagesIn(host.at("a"));
      await flip(join(host.at("a"), one), 7);
      for (const afterBytes of [8000, 20_000]) {
        const { struck } = host.proxy;
        host.proxy.fault = { kind: "cut", afterBytes, times: 1 };
        const result = await runBackup(["verify", host.destination("a"), ...host.options, "--json"], host.env);
        expect(result).toExit(3);
        expect(damagedFiles(result)).toEqual([one]);
        expect(endOf(result)).toMatchObject({ files: 144, readFiles: 144 });
        expect(host.proxy.struck).toBe(struck + 1);
      }
    },
    600_000,
  );
});
