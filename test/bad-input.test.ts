import { execFile } from "node:child_process";
import { cp, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { BackupEvent } from "@backup/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loginOf } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { makeCertificate } from "./support/certificate.js";
import { type Result, eventsOf, reportOf, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { type FakeImap, type Fault, lazyBytes, makeFolder, makeMessage, startFakeImap } from "./support/fake-imap.js";
import { freePorts } from "./support/free-port.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

const run = promisify(execFile);
const MIB = 1024 * 1024;

let server: MailServer;
let directory: TemporaryDirectory;
/** alice's password; another that is wrong. */
let secret: string;
let wrong: string;
/** A finished backup of alice. Nothing that goes wrong may change it. */
let good: string;
const mounts: string[] = [];

const at = (name: string): string => join(directory.path, name);
const tls = (): string => `imaps://localhost:${server.tlsPort}`;
const trusted = (): string[] => ["--srcsecret", secret, "--tls-ca", server.caFile];

beforeAll(async () => {
  server = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  wrong = await writeSecret(directory.path, "wrong.password", "not the one");
  await using appender = await openAppender(loginOf(server));
  await appender.createFolder("Archive");
  await appender.createFolder("Notes");
  await appender.append("INBOX", makeMessages({ count: 8, maxBytes: 5000 }));
  await appender.append("Archive", makeMessages({ count: 4, maxBytes: 5000, seed: 2 }));
  good = at("good");
  const result = await runBackup(["imap", "alice", good, tls(), ...trusted()]);
  if (result.code !== 0) throw new Error(result.stderr);
});
afterAll(async () => {
  for (const mount of mounts) await run("umount", [mount]);
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

/** Every file with what would change if it were touched. A run may take and give back its lease. */
async function snapshot(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const lines = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) return path;
    const { ino, size, mtimeMs } = await stat(path);
    return `${path} ${ino} ${size} ${mtimeMs}`;
  });
  return (await Promise.all(lines)).filter((line) => !line.endsWith("/.backup/tmp")).toSorted();
}

function expectOneLine({ stderr }: Result, says: readonly RegExp[]): string {
  const [line = "", ...rest] = stderr.split("\n");
  expect(rest, `stderr: ${stderr}`).toEqual([""]);
  for (const words of says) expect(line).toMatch(words);
  expectPrintable(line);
  return line;
}

function expectPrintable(text: string): void {
  expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
}

interface Refusal {
  readonly code: number;
  /** What the line must say: what is wrong, and what to do. */
  readonly says: readonly RegExp[];
  readonly env?: NodeJS.ProcessEnv;
  /** False: it comes to an end before it would need the destination for itself. Default true. */
  readonly alone?: boolean;
}

/** One line that says what and what to do, the stack only for DEBUG, the status, and a backup that is as before. */
async function expectRefused(args: readonly string[], { code, says, env = {}, alone = true }: Refusal): Promise<void> {
  const before = await snapshot(good);
  const runPlain = runBackup(args, env);
  if (alone) await runPlain;
  const [plain, debug] = await Promise.all([runPlain, runBackup(args, { ...env, DEBUG: "1" })]);
  const line = expectOneLine(plain, [/^backup: /, ...says]);
  expect(plain.code, `it says: ${line}`).toBe(code);
  expect(plain.stdout).not.toMatch(/^ {4}at /m);

  expect(debug.code, `stderr: ${debug.stderr}`).toBe(code);
  expect(debug.stderr).toMatch(/^backup: /m);
  expect(debug.stderr).toMatch(/^ {4}at /m);
  expect(await snapshot(good)).toEqual(before);
}

describe("a server that cannot be used", () => {
  const refused = (
    to: string,
    {
      says,
      ca = server.caFile,
      more = [] as string[],
      file = secret,
    }: {
      says: readonly RegExp[];
      ca?: string | undefined;
      more?: string[];
      file?: string;
    },
  ) => {
    const trust = ca === "" ? [] : ["--tls-ca", ca];
    return expectRefused(["imap", "alice", good, to, "--srcsecret", file, ...trust, ...more], { code: 1, says });
  };

  it("wrong password", () => refused(tls(), { file: wrong, says: [/refused the login of alice/, /password's file/] }));

  it("unknown host", () => refused("name.invalid", { says: [/no host named name\.invalid/, /spelling/] }));

  it("refused connection", async () => {
    const [port] = await freePorts(1);
    await refused(`imaps://localhost:${port}`, { says: [/localhost:\d+ cannot be reached/, /host and port/] });
  });

  it("expired certificate", async () => {
    await using fake = await startFakeImap({ certificate: await makeCertificate({ expired: true }) });
    await refused(`imaps://localhost:${fake.tlsPort}`, { ca: fake.caFile, says: [/has expired/, /renew/] });
    expect(fake.commands).toEqual([]);
  });

  it("self-signed certificate without --tls-ca", async () => {
    await refused(tls(), { ca: "", says: [/is self-signed/, /--tls-ca FILE/] });
    const log = await server.log();
    expect(log).not.toContain("not the one");
  });

  it("certificate of another authority than that of --tls-ca", async () => {
    await using fake = await startFakeImap();
    await refused(`imaps://localhost:${fake.tlsPort}`, { says: [/certificate/, /--tls-ca FILE/] });
    expect(fake.commands).toEqual([]);
  });

  it("certificate for another host name", async () => {
    await using fake = await startFakeImap({ certificate: await makeCertificate({ host: "mail.example.org" }) });
    const says = [/is for another host name/, /name as its certificate has it/];
    await refused(`imaps://localhost:${fake.tlsPort}`, { ca: fake.caFile, says });
    await refused(`imap://localhost:${fake.plainPort}`, { ca: fake.caFile, says });
    expect(fake.commands.filter((line) => /LOGIN|AUTHENTICATE/.test(line))).toEqual([]);
  });

  it("no STARTTLS on the plain port: nothing secret is sent", async () => {
    await using fake = await startFakeImap({ starttls: false });
    await refused(`imap://localhost:${fake.plainPort}`, {
      ca: fake.caFile,
      says: [/does not offer STARTTLS/, /never sent unencrypted/, /993/],
    });
    expect(fake.connections).toBeGreaterThan(0);
    expect(fake.commands.filter((line) => !/^(CAPABILITY|ID|STARTTLS|LOGOUT|NOOP)\b/.test(line))).toEqual([]);
    expect(fake.commands.join("\n")).not.toContain("secret");
  });

  it("TLS asked of a port that speaks STARTTLS", () =>
    refused(`imaps://localhost:${server.starttlsPort}`, { says: [/does not speak TLS as expected/, /imap:\/\//] }));

  it("STARTTLS asked of a port that speaks TLS", () =>
    refused(`imap://localhost:${server.tlsPort}`, {
      more: ["--timeout", "1"],
      says: [/did not answer in time/, /imaps:\/\//],
    }));

  describe("because of what it says", () => {
    let fake: FakeImap;
    beforeAll(async () => {
      fake = await startFakeImap({ folders: new Map([["INBOX", makeFolder(3)]]) });
    });
    afterAll(() => fake?.[Symbol.asyncDispose]());
    const NASTY = "\x1b[31mgo\x07 away\x9b2J \x1b]0;title\x07 mail";

    const cases: readonly [string, string, Fault, RegExp][] = [
      ["BYE instead of a greeting", "GREETING", { type: "bye", text: NASTY }, /lost.*go.*away/],
      ["a greeting that is cut off", "GREETING", { type: "cut" }, /lost.*run again/],
      ["no greeting", "GREETING", { type: "stall" }, /did not answer in time/],
      [
        "NO instead of a greeting",
        "GREETING",
        { type: "no", text: NASTY },
        /does not greet.*NO.*go.*away.*host and port/,
      ],
      [
        "another protocol",
        "GREETING",
        { type: "untagged", lines: ["+OK POP3 ready"] },
        /does not greet as an IMAP server does \("\+OK POP3 ready"\)/,
      ],
      ["NO to the login", "AUTHENTICATE", { type: "no", text: NASTY }, /refused the login.*go.*away/],
      ["BYE to the login", "AUTHENTICATE", { type: "bye", text: NASTY }, /go.*away/],
      ["an essay", "AUTHENTICATE", { type: "no", text: "x".repeat(20_000) }, /refused.*x{200}…/],
      ["NO to LIST", "LIST", { type: "no", text: NASTY }, /./],
      ["BAD to LIST", "LIST", { type: "bad", text: NASTY }, /./],
      ["the connection cut during LIST", "LIST", { type: "cut" }, /lost.*run again/],
    ];
    it.each(cases)("%s", async (_name, command, fault, says) => {
      fake.fault = (context) => (context.command === command ? fault : undefined);
      await refused(`imaps://localhost:${fake.tlsPort}`, { ca: fake.caFile, says: [says], more: ["--timeout", "1"] });
    });
  });
});

describe("a command line that cannot be meant", () => {
  const empty = (): NodeJS.ProcessEnv => ({ BACKUP_DIR: at("nothing-here") });
  const cases: readonly [string, () => readonly string[], readonly RegExp[]][] = [
    ["no type", () => [], [/say what to back up/, /imap/, /--help/]],
    ["an unknown type", () => ["mapi", "alice", good, tls()], [/no type 'mapi'/, /the types are: imap, file/]],
    ["a mistyped command", () => ["rnu", "x"], [/no command 'rnu'; did you mean backup run\?/]],
    ["no arguments", () => ["imap"], [/USER, DEST, SERVER missing/, /backup imap --help/]],
    ["a missing argument", () => ["imap", "alice", good], [/SERVER missing/, /backup imap takes USER DEST SERVER/]],
    ["one argument too many", () => ["imap", "alice", good, tls(), "x"], [/'x' is one argument too many/, /quote/]],
    ["an unknown option", () => ["imap", "alice", good, tls(), "--frobnicate"], [/no option --frobnicate/, /--help/]],
    [
      "a mistyped option",
      () => ["imap", "alice", good, tls(), "--dryrun"],
      [/no option --dryrun/, /did you mean --dry-run\?/],
    ],
    [
      "an option with two letters swapped",
      () => ["imap", "alice", good, tls(), "--srcsceret=x"],
      [/no option --srcsceret; did you mean --srcsecret\?/],
    ],
    ["half an option", () => ["imap", "alice", good, tls(), "--allow-del=1"], [/did you mean --allow-deletes\?/]],
    ["an unknown letter", () => ["imap", "alice", good, tls(), "-x"], [/no option -x/]],
    ["an option without its value", () => ["imap", "alice", good, tls(), "--srcsecret"], [/--srcsecret needs a value/]],
    [
      "a repeatable option without its value",
      () => ["imap", "alice", good, tls(), "--folder"],
      [/--folder needs a value/],
    ],
    [
      "an option given twice",
      () => ["imap", "alice", good, tls(), ...trusted(), "--srcsecret", wrong],
      [/--srcsecret is given more than once/, /give it once/],
    ],
    ...["0", "-5", "soon", "1e12"].map((text): (typeof cases)[number] => [
      `--timeout ${text}`,
      () => ["imap", "alice", good, tls(), ...trusted(), `--timeout=${text}`],
      [/--timeout takes a number of seconds above 0/],
    ]),
    ["an empty user", () => ["imap", "", good, tls(), ...trusted()], [/USER is empty/]],
    ["an empty destination", () => ["imap", "alice", "", tls(), ...trusted()], [/DEST is empty/, /name a directory/]],
    ...["~/mail", "~", "~alice/mail"].map((text): (typeof cases)[number] => [
      `the destination ${text}, which no shell has read`,
      () => ["imap", "alice", text, tls(), ...trusted()],
      [/DEST is '~/, /write the whole path, or "\$HOME(\/mail)?"/],
    ]),
    ...["srcsecret", "tls-ca", "spool", "known-hosts", "dstsecret"].map((name): (typeof cases)[number] => [
      `--${name}=~/x, which no shell replaces`,
      () => ["imap", "alice", good, tls(), `--${name}=~/x`],
      [new RegExp(`--${name} is '~/x', `), /write the whole path/],
    ]),
    ["a check of ~", () => ["check-destination", "~/mail"], [/DEST is '~\/mail'/]],
    ["a script that is not there", () => ["run", at("none")], [/there is no script \S+\/none; name the file/]],
    ["an empty server", () => ["imap", "alice", good, "", ...trusted()], [/'' is no server/, /imaps:\/\/host:port/]],
    [
      "a port that does not say how TLS starts",
      () => ["imap", "alice", good, "localhost:1143", ...trusted()],
      [/imaps:\/\/localhost:1143 for TLS/, /imap:\/\/localhost:1143 for STARTTLS/],
    ],
    [
      "a fingerprint that is none",
      () => ["imap", "alice", "nas:mail", tls(), ...trusted(), "--host-key-fingerprint", "SHA256:short"],
      [/--host-key-fingerprint takes SHA256:/, /ssh-keygen -l/],
    ],
    [
      "a port that is none",
      () => ["imap", "alice", "nas:mail", tls(), ...trusted(), "--ssh-port", "70000"],
      [/--ssh-port takes a port/],
    ],
    [
      "a limit that is none",
      () => ["imap", "alice", "nas:mail", tls(), ...trusted(), "--bwlimit", "0"],
      [/--bwlimit takes a number/],
    ],
    ["a check of nothing", () => ["check-destination"], [/DEST missing; backup check-destination takes DEST/]],
    [
      "no secret",
      () => ["imap", "alice", good, tls()],
      [/no secret found for alice/, /nothing-here\/alice\.password/, /--srcsecret/],
    ],
    [
      "a secret that is not there",
      () => ["imap", "alice", good, tls(), "--srcsecret", at("missing")],
      [/no secret found/, /missing/, /chmod 600/],
    ],
    [
      "a relative secret",
      () => ["imap", "alice", good, tls(), "--srcsecret", "alice.password"],
      [/--srcsecret must be an absolute path/, /'alice\.password' is relative/],
    ],
    [
      "an empty secret",
      () => ["imap", "alice", good, tls(), "--srcsecret", at("empty")],
      [/secret .*\/empty is empty/],
    ],
    [
      "a directory as a secret",
      () => ["imap", "alice", good, tls(), "--srcsecret", at("folder")],
      [/secret .*\/folder (is a directory|cannot be read)/],
    ],
    ["a secret of a megabyte", () => ["imap", "alice", good, tls(), "--srcsecret", at("big")], [/too large/]],
    [
      "certificates that are not there",
      () => ["imap", "alice", good, tls(), "--srcsecret", secret, "--tls-ca", at("missing.pem")],
      [/--tls-ca: .*missing\.pem cannot be read \(ENOENT\)/],
    ],
    [
      "certificates that are a directory",
      () => ["imap", "alice", good, tls(), "--srcsecret", secret, "--tls-ca", at("folder")],
      [/--tls-ca: .*folder cannot be read \(EISDIR\)/],
    ],
    [
      "certificates that are none",
      () => ["imap", "alice", good, tls(), "--srcsecret", secret, "--tls-ca", secret],
      [/--tls-ca: .* holds no certificate/, /PEM/],
    ],
  ];
  beforeAll(async () => {
    await writeFile(at("empty"), "", { mode: 0o600 });
    await writeFile(at("big"), Buffer.alloc(MIB, "x"), { mode: 0o600 });
    await mkdir(at("folder"));
  });

  it.each(cases)("%s", (_name, args, says) => expectRefused(args(), { code: 2, says, env: empty(), alone: false }));

  it("~ in a plan, with its line and column", async () => {
    const plan = at("home.yaml");
    await writeFile(plan, "actions:\n  - { type: imap, user: alice, server: a.example.org, destination: ~/mail }\n");
    await expectRefused(["run", plan], {
      code: 2,
      says: [/home\.yaml:2:68: destination: DEST is '~\/mail'/, /\$HOME/],
    });
  });

  it("folders that the account does not have", () =>
    expectRefused(["imap", "alice", good, tls(), ...trusted(), "--folder", "Projects/**"], {
      code: 2,
      says: [/no folder is selected/, /INBOX/, /Archive/, /Notes/, /Check --folder and --exclude-folder/],
    }));

  it("speaks English whatever the locale, as the rest of it does", async () => {
    const result = await runBackup(["imap", "alice", good], { LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8" });
    expectOneLine(result, [/SERVER missing/]);
    const help = await runBackup(["imap", "--help"], { LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8" });
    expect(help.stdout).toContain("[required]");
  });

  it("a certificate that is broken", async () => {
    const text = await readFile(server.caFile, "utf8");
    await writeFile(at("broken.pem"), text.slice(0, text.length / 2));
    await expectRefused(["imap", "alice", good, tls(), "--srcsecret", secret, "--tls-ca", at("broken.pem")], {
      code: 2,
      says: [/--tls-ca: .*broken\.pem/, /certificate/],
    });
  });
});

describe("options", () => {
  it("-h is --help", async () => {
    for (const command of [[], ["imap"], ["config"], ["config", "check"]]) {
      const help = await runBackup([...command, "--help"]);
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout).toMatch(/^ +-h, --help /m);
      expect(await runBackup([...command, "-h"])).toEqual(help);
    }
  });

  it("may stand anywhere, also before the type", async () => {
    const result = await runBackup([
      "--dry-run",
      "--tls-ca",
      server.caFile,
      "imap",
      "--json",
      "alice",
      good,
      "--srcsecret",
      secret,
      tls(),
    ]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(reportOf(result)).toMatchObject({ dryRun: true, added: 0 });
  });

  it("--folder given twice means both", async () => {
    const target = at("both");
    const result = await runBackup([
      "imap",
      "alice",
      target,
      tls(),
      ...trusted(),
      "--folder",
      "Archive",
      "--folder",
      "Notes",
    ]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect((await readTree(target)).map((folder) => folder.directory)).toEqual(["Archive", "Notes"]);
    const others = await runBackup([
      "imap",
      "alice",
      at("neither"),
      tls(),
      ...trusted(),
      "--exclude-folder",
      "Archive",
      "--exclude-folder",
      "Notes",
    ]);
    expect(others.code).toBe(0);
    expect((await readTree(at("neither"))).map((folder) => folder.directory)).toEqual(["INBOX", "Sent"]);
  });

  it("a folder glob that matches nothing beside one that does: the rest is done, and the status is 3", async () => {
    const target = at("half");
    const args = ["imap", "alice", target, tls(), ...trusted(), "--folder", "Archive", "--folder", "Projcts/**"];
    const result = await runBackup(args);
    expect(result.code).toBe(3);
    expectOneLine(result, [/^FAILED: /, /no folder matches --folder 'Projcts\/\*\*'/, /INBOX, /, /Notes/]);
    expect(result.stdout).toMatch(/^PARTLY done: 1 folder /m);
    const folders = await readTree(target);
    expect(folders.map((folder) => [folder.directory, folder.messages.length])).toEqual([["Archive", 4]]);
    expect(reportOf(await runBackup([...args, "--json"]))).toMatchObject({ result: "partial", failed: 1 });
  });
});

describe("a secret that others can read", () => {
  it("is a warning, and the run goes on", async () => {
    const exposed = at("exposed.password");
    await writeFile(exposed, "secret\n", { mode: 0o644 });
    for (const quiet of [[], ["-q"]]) {
      const result = await runBackup([
        "imap",
        "alice",
        at("exposed"),
        tls(),
        "--srcsecret",
        exposed,
        "--tls-ca",
        server.caFile,
        ...quiet,
      ]);
      expect(result.code).toBe(0);
      expectOneLine(result, [/^warning: /, /exposed\.password can be read by every user/, /chmod 600/]);
    }
  });
});

describe("a destination that cannot be used", () => {
  const refused = (dest: string, { says, user = "alice" }: { says: readonly RegExp[]; user?: string }) =>
    expectRefused(["imap", user, dest, tls(), ...trusted()], { code: 1, says });
  const tmpfs = async (name: string, options: string): Promise<string> => {
    const path = at(name);
    await mkdir(path, { recursive: true });
    await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
    mounts.push(path);
    return path;
  };

  it("a file", async () => {
    await writeFile(at("file"), "kept");
    await refused(at("file"), { says: [/\/file cannot be used as a directory/, /choose another/] });
    await refused(at("file/below"), { says: [/cannot be used as a directory/] });
    expect(await readFile(at("file"), "utf8")).toBe("kept");
  });

  it("a place where the system makes none, for ever", async () => {
    await refused("/proc/none/below", {
      says: [/\/proc\/none\/below cannot be made \(ENOENT at \/proc\/none\)/, /another/],
    });
  });

  it("a directory inside of another backup", async () => {
    for (const name of ["INBOX", "new/below"])
      await refused(join(good, name), { says: [/is inside of \S+\/good, which is a backup itself; name a directory/] });
    const checked = await runBackup(["check-destination", join(good, "INBOX")]);
    expect(checked.code).toBe(1);
    expectOneLine(checked, [/is inside of/]);
  });

  it("a disk that is read-only", async () => {
    const path = await tmpfs("read-only", "ro,size=1m");
    await refused(path, { says: [/read-only cannot be written \(EROFS/, /choose another directory/] });
    await refused(join(path, "new"), { says: [/cannot be written \(EROFS/] });
  });

  it("a backup of another account", async () => {
    const says = [/holds a backup of imap:alice\S*, not of imap:bob/, /choose another directory/];
    await refused(good, { user: "bob", says });
  });

  it("a backup of a newer version", async () => {
    const newer = at("newer");
    await cp(good, newer, { recursive: true, preserveTimestamps: true });
    const file = join(newer, ".backup/checkpoint.json");
    await writeFile(file, (await readFile(file, "utf8")).replace('"format": 1', '"format": 99'));
    const before = await snapshot(newer);
    await refused(newer, { says: [/newer version/, /format 99/, /update backup/] });
    expect(await snapshot(newer)).toEqual(before);
  });

  it("a disk that is full: what was copied stays, and with room the next run completes it", async () => {
    const messages = Array.from({ length: 40 }, (_, index) =>
      makeMessage(index + 1, { bytes: lazyBytes(MIB, { head: `Subject: ${index}\r\n\r\n` }) }),
    );
    await using fake = await startFakeImap({ folders: new Map([["INBOX", makeFolder(messages)]]) });
    const path = await tmpfs("full", "size=30m");
    const args = [
      "imap",
      "alice",
      path,
      `imaps://localhost:${fake.tlsPort}`,
      "--srcsecret",
      secret,
      "--tls-ca",
      fake.caFile,
    ];
    const first = await runBackup(args);
    expect(first.code).toBe(1);
    expectOneLine(first, [
      /^backup: .*\/full is full \(ENOSPC\)/,
      /what was copied is kept/,
      /Make room and run again/,
    ]);
    const kept = (await readTree(path)).flatMap((folder) => folder.messages);
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.length).toBeLessThan(30);

    const second = await runBackup([...args, "--json"]);
    expect(second.code).toBe(1);
    expect(eventsOf(second).at(-1)).toMatchObject({ type: "error", code: "DISK_FULL" });
    const inodes = await snapshot(join(path, "INBOX/cur"));

    await run("mount", ["-o", "remount,size=80m", path]);
    const third = await runBackup([...args, "--json"]);
    expect(third).toMatchObject({ code: 0, stderr: "" });
    const all = (await readTree(path)).flatMap((folder) => folder.messages);
    expect(all.map(({ uid }) => uid)).toEqual(messages.map(({ uid }) => uid));
    expect(reportOf(third).added).toBe(40 - inodes.length);
    expect(await snapshot(join(path, "INBOX/cur"))).toEqual(expect.arrayContaining([...inodes]));
  });

  it("one that another run is writing to, which is left in peace", async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = (): void => {};
    const reading = new Promise<void>((resolve) => {
      reached = resolve;
    });
    await using fake = await startFakeImap({
      folders: new Map([["INBOX", makeFolder(30)]]),
      fault: async ({ command, args }) => {
        if (command !== "UID FETCH" || !args.includes("BODY")) return undefined;
        reached();
        await gate;
        return undefined;
      },
    });
    const path = at("shared");
    const args = [
      "imap",
      "alice",
      path,
      `imaps://localhost:${fake.tlsPort}`,
      "--srcsecret",
      secret,
      "--tls-ca",
      fake.caFile,
    ];
    const first = startBackup([...args, "--json"]);
    await reading;
    const second = await runBackup(args);
    expect(second.code).toBe(1);
    expectOneLine(second, [
      /another run is writing to .*\/shared/,
      new RegExp(`process ${first.child.pid} on `),
      /Wait until it has ended; if it is dead, run again in \d+ s/,
    ]);
    const third = await runBackup([...args, "--json"]);
    expect(eventsOf(third).at(-1)).toMatchObject({ type: "error", code: "LEASE_HELD" });
    release();
    const result = await first.result;
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(reportOf(result)).toMatchObject({ added: 30, failed: 0 });
    expect((await readTree(path)).flatMap((folder) => folder.messages)).toHaveLength(30);
    expect((await runBackup(args)).code).toBe(0);
  });
});

describe("a destination that is not what it was taken for", () => {
  it("has another backup in the place of a folder: that folder is missing, and not fetched again and again", async () => {
    const outer = at("outer");
    await mkdir(join(outer, "INBOX/.backup"), { recursive: true });
    await writeFile(join(outer, "INBOX/.backup/checkpoint.json"), "{}");
    for (const added of [4, 0]) {
      const result = await runBackup(["imap", "alice", outer, tls(), ...trusted(), "--json"]);
      expect(result.code).toBe(3);
      expect(reportOf(result)).toMatchObject({ result: "partial", added, failed: 1 });
      expect(eventsOf(result).find(({ type }) => type === "failed")).toMatchObject({
        collection: "INBOX",
        message: expect.stringMatching(
          /^INBOX was left out: .*\/outer has another backup at INBOX, .*; move that backup/,
        ),
      });
    }
    expect(await readdir(join(outer, "INBOX"))).toEqual([".backup"]);
  });

  it("holds somebody's documents: a warning, once, and they are left alone", async () => {
    const documents = at("Documents");
    await mkdir(join(documents, "Taxes/2024"), { recursive: true });
    await writeFile(join(documents, "Taxes/2024/letter"), "mine");
    const args = ["imap", "alice", documents, tls(), ...trusted()];
    const first = await runBackup(args);
    expect(first.code).toBe(0);
    expectOneLine(first, [/^warning: \S+\/Documents was not empty: 1 of its directories \(Taxes\)/, /name another/]);
    expect(await runBackup(args)).toMatchObject({ code: 0, stderr: "" });
    expect(await readFile(join(documents, "Taxes/2024/letter"), "utf8")).toBe("mine");
  });
});

describe("a folder that lost most of its messages", () => {
  const box = async (name: string, count: number): Promise<string[]> => {
    await using appender = await openAppender(loginOf(server, "bob"));
    await appender.createFolder(name);
    await appender.append(name, makeMessages({ count, maxBytes: 1000, seed: count }));
    return ["imap", "bob", at(`limit-${name}`), tls(), ...trusted(), "--folder", name];
  };
  const expunge = async (name: string, count: number): Promise<void> => {
    await using appender = await openAppender(loginOf(server, "bob"));
    await appender.expunge(
      name,
      Array.from({ length: count }, (_, index) => index + 1),
    );
  };

  it("of 150 messages 100: nothing is deleted before --allow-deletes says so", async () => {
    const args = await box("Large", 150);
    expect((await runBackup(args)).code).toBe(0);
    await expunge("Large", 100);
    const before = await snapshot(at("limit-Large"));
    for (const more of [[], ["--dry-run"]]) {
      const stopped = await runBackup([...args, ...more]);
      expect(stopped.code).toBe(1);
      expectOneLine(stopped, [/would delete 100 of 150 in Large/, /Nothing was deleted/, /--allow-deletes/]);
      expect(await snapshot(at("limit-Large"))).toEqual(before);
    }
    const keeping = await runBackup([...args, "--keep-deleted", "--json"]);
    expect(keeping.code).toBe(0);
    expect(reportOf(keeping)).toMatchObject({ removed: 0, kept: 100 });
    const allowed = await runBackup([...args, "--allow-deletes", "--json"]);
    expect(allowed).toMatchObject({ code: 0, stderr: "" });
    expect(reportOf(allowed)).toMatchObject({ removed: 100, items: 50 });
    expect((await readTree(at("limit-Large")))[0]?.messages).toHaveLength(50);
  });

  it("of 90 messages all: that few are deleted", async () => {
    const args = await box("Small", 90);
    expect((await runBackup(args)).code).toBe(0);
    await expunge("Small", 90);
    const emptied = await runBackup([...args, "--json"]);
    expect(emptied).toMatchObject({ code: 0, stderr: "" });
    expect(reportOf(emptied)).toMatchObject({ removed: 90, items: 0 });
    expect((await readTree(at("limit-Small")))[0]?.messages).toEqual([]);
  });
});

describe("what is printed", () => {
  let fake: FakeImap;
  let args: string[];
  /** As modified UTF-7 (RFC 3501, section 5.1.3): ESC, BEL, CSI of one byte, and a name that is written backwards. */
  const HOSTILE = "evil&ABs-[2J&ABs-]0;owned&AAcAmw-31m";
  const BACKWARDS = "&IC4-gnp.exe";

  beforeAll(async () => {
    fake = await startFakeImap({
      folders: new Map([
        ["INBOX", makeFolder(3)],
        ["Archive", makeFolder(2)],
        [HOSTILE, makeFolder(1)],
        [BACKWARDS, makeFolder(1)],
      ]),
    });
  });
  afterAll(() => fake?.[Symbol.asyncDispose]());
  beforeEach(({ task }) => {
    fake.fault = undefined;
    args = [
      "imap",
      "alice",
      at(`print-${task.id}`),
      `imaps://localhost:${fake.tlsPort}`,
      "--srcsecret",
      secret,
      "--tls-ca",
      fake.caFile,
    ];
  });

  it("-q: nothing on success, and what is wrong else", async () => {
    expect(await runBackup([...args, "-q"])).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await runBackup([...args, "--quiet"])).toMatchObject({ code: 0, stdout: "", stderr: "" });
    fake.fault = ({ command, folder }) =>
      command === "EXAMINE" && folder === "Archive" ? { type: "no", text: "in use" } : undefined;
    fake.folders.get("Archive")?.messages.push(makeMessage(9));
    await rm(join(args[2] ?? "", ".backup"), { recursive: true });
    const partial = await runBackup([...args, "-q"]);
    expect(partial).toMatchObject({ code: 3, stdout: "" });
    expectOneLine(partial, [/^FAILED: folder Archive cannot be opened/, /in use/]);
    const failed = await runBackup([...args.map((arg) => (arg === secret ? wrong : arg)), "-q"]);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expectOneLine(failed, [/^backup: .*refused the login/]);
  });

  it("nothing that commands a terminal, whatever the folders are called", async () => {
    for (const more of [["-v"], [], ["-v", "--folder", "none", "--folder", "**"]]) {
      const { code, stdout, stderr } = await runBackup([...args, ...more]);
      expect(code).toBe(more.includes("none") ? 3 : 0);
      expectPrintable(stdout);
      expectPrintable(stderr);
      if (more.includes("-v")) expect(stdout).toContain("evil\\u{1b}[2J");
    }
    const none = await runBackup([...args, "--folder", "none"], { DEBUG: "1" });
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("evil\\u{1b}");
    expectPrintable(none.stderr);
  });

  it("-v: every folder", async () => {
    const first = await runBackup([...args, "-v"]);
    const lines = first.stdout.split("\n").filter((line) => line.startsWith("  "));
    expect(lines).toHaveLength(fake.folders.size);
    expect(lines.some((line) => line.startsWith("  INBOX: 3 messages, 3 new"))).toBe(true);
    const second = await runBackup([...args, "-v"]);
    expect(second.stdout).toContain("  INBOX: unchanged\n");
    expect(second.stdout.match(/: unchanged$/gm)).toHaveLength(fake.folders.size);
    expect((await runBackup(args)).stdout).not.toContain("INBOX");
  });

  it("--json: one event a line, the last one says how it ended", async () => {
    const plain = /^[^\p{Cc}]*$/u;
    const done = await runBackup([...args, "--json"]);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    for (const line of done.stdout.trimEnd().split("\n")) expect(line).toMatch(/^\{"type":"\w+"/);
    expect(eventsOf(done).map(({ type }) => type)).toEqual(
      expect.arrayContaining(["start", "collection", "plan", "progress", "end"]),
    );
    expect(eventsOf(done).at(-1)?.type).toBe("end");
    expect(done.stdout.replaceAll("\n", "").replaceAll("\u009b", "")).toMatch(plain);

    const ends: readonly (readonly [readonly string[], number, string])[] = [
      [["imap", "alice"], 2, "USAGE"],
      [[...args, "--nonsense"], 2, "USAGE"],
      [["mapi"], 2, "PLUGIN_UNKNOWN"],
      [[...args, "--folder", "none"], 2, "NOTHING_SELECTED"],
      [
        [
          "imap",
          "alice",
          at("json"),
          `imaps://localhost:${fake.tlsPort}`,
          "--srcsecret",
          wrong,
          "--tls-ca",
          fake.caFile,
        ],
        1,
        "AUTH_FAILED",
      ],
      [["imap", "alice", good, "name.invalid", "--srcsecret", secret], 1, "HOST_UNKNOWN"],
      [["imap", "alice", good, tls(), "--srcsecret", at("missing")], 2, "SECRET_MISSING"],
    ];
    for (const [bad, code, name] of ends) {
      const result = await runBackup([...bad, "--json"]);
      expect(result.code).toBe(code);
      const last = eventsOf(result).at(-1) as
        | BackupEvent
        | { type: "error"; code: string; message: string }
        | undefined;
      expect(last).toMatchObject({ type: "error", code: name });
      expectOneLine(result, [/^backup: /]);
    }
  });

  it("goes on when nobody reads it any more", async () => {
    const { child, result } = startBackup([...args, "-v"], { DEBUG: "1" });
    result.catch(() => {});
    child.stdout?.destroy();
    child.stderr?.destroy();
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect(code).toBe(0);
    expect((await readTree(args[2] ?? "")).flatMap((folder) => folder.messages).length).toBeGreaterThan(6);
  });
});
