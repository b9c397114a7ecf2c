import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { format, inspect, promisify } from "node:util";
import { ImapSource } from "@backup/imap";
import { BackupError, type BackupEvent, LocalStore, Secret, backup, findSecret } from "@backup/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount } from "./support/account.js";
import { type Result, eventsOf, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { BARE_CAPABILITIES, DEFAULT_CAPABILITIES, makeFolder, startFakeImap } from "./support/fake-imap.js";
import type { MailServer } from "./support/mail-server.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { readTree } from "./support/tree.js";

/** All that a shell, a regular expression, IMAP, JSON, a URL or a terminal treats in a way of its own. */
const PASSWORD = `Xq7vaK "double" \\back' %41%s $HOME $& ü☃ {12} kY9wRt`;
/** The same without what IMAP cannot write as a quoted string, so that the login is one line. */
const ASCII = `Xq7vaK "double" \\back' %41%s $HOME $& {x} kY9wRt`;
const USER = "alice";

/** Every way in which a password may turn up. */
function formsOf(password: string): ReadonlyMap<string, string> {
  // What base64 makes of it behind so many bytes, without the characters that depend on what is around it.
  const base64 = (skip: number): string => {
    const end = skip + Buffer.byteLength(password);
    const encoded = Buffer.concat([Buffer.alloc(skip), Buffer.from(password)]).toString("base64");
    return encoded.slice(Math.ceil((skip * 8) / 6), Math.floor((end * 8) / 6));
  };
  const forms: readonly (readonly [string, string])[] = [
    ["itself", password],
    ["its beginning", password.slice(0, 6)],
    ["its end", password.slice(-6)],
    ["as an IMAP string", password.replace(/["\\]/g, "\\$&")],
    ["as JSON", JSON.stringify(password).slice(1, -1)],
    ["as Node prints it", inspect(password).slice(1, -1)],
    ["in a URL", encodeURIComponent(password)],
    ["as UTF-8 taken for Latin-1", Buffer.from(password).toString("latin1")],
    ["in base64", base64(0)],
    ["in base64 behind one byte", base64(1)],
    ["in base64 behind two bytes", base64(2)],
    ["as SASL PLAIN", Buffer.from(`\0${USER}\0${password}`).toString("base64")],
    ["in hexadecimal", Buffer.from(password).toString("hex")],
  ];
  return new Map(forms);
}

function expectNoSecret(text: string, where: string, password = PASSWORD): void {
  // No `toContain`: it would print the text, and this is about what is printed.
  for (const [form, needle] of formsOf(password))
    expect(
      text.includes(needle),
      `${where} holds the password ${form}: ${text.slice(Math.max(0, text.indexOf(needle) - 200), text.indexOf(needle) + 300)}`,
    ).toBe(false);
}

/** Every file with its name; the directory may be missing. Returns how many there are. */
async function expectNoSecretBelow(root: string, password = PASSWORD): Promise<number> {
  if (!existsSync(root)) return 0;
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    expectNoSecret(path.slice(root.length), "a name", password);
    if (entry.isFile()) expectNoSecret(await readFile(path, "latin1"), path, password);
    if (entry.isFile()) expectNoSecret(await readFile(path, "utf8"), path, password);
  }
  return entries.length;
}

/** What everyone on the machine may see of a process, as long as it runs. */
async function watch(pid: number, password = PASSWORD): Promise<number> {
  let seen = 0;
  for (;;) {
    for (const file of ["cmdline", "environ", "comm"]) {
      const content = await readFile(`/proc/${pid}/${file}`, "utf8").catch(() => undefined);
      if (content === undefined || (file === "cmdline" && content === "")) return seen;
      expectNoSecret(content, `/proc/${pid}/${file}`, password);
      seen++;
    }
    await setTimeout(20);
  }
}

function expectSilent({ stdout, stderr }: Result, password = PASSWORD): void {
  expectNoSecret(stdout, "stdout", password);
  expectNoSecret(stderr, "stderr", password);
}

describe("a password", () => {
  let server: MailServer;
  let directory: TemporaryDirectory;
  let secret: string;
  let wrong: string;
  const at = (name: string): string => join(directory.path, name);
  const args = (name: string, to: string, { file = secret, ca = server.caFile } = {}): string[] => [
    "imap",
    USER,
    at(name),
    to,
    "--srcsecret",
    file,
    "--tls-ca",
    ca,
  ];
  const tls = (): string => `imaps://localhost:${server.tlsPort}`;

  beforeAll(async () => {
    server = await startDovecot({ users: { [USER]: PASSWORD } });
    directory = await temporaryDirectory();
    secret = await writeSecret(directory.path, "the.password", PASSWORD);
    wrong = await writeSecret(directory.path, "wrong.password", `${PASSWORD} `);
    await fillAccount(server, { messages: 20 });
  });
  afterAll(async () => {
    await server?.stop();
    await directory?.[Symbol.asyncDispose]();
  });

  it("would be found by these tests in any form", () => {
    for (const [form, needle] of formsOf(PASSWORD)) expect(() => expectNoSecret(`a ${needle} b`, form)).toThrow(form);
    const encoded = (before: string) => Buffer.from(`${before}${PASSWORD} and more`).toString("base64");
    for (const before of ["", "a", "ab", "abc"]) expect(() => expectNoSecret(encoded(before), "")).toThrow("base64");
  });

  it.each([
    ["by TLS", [], {}],
    ["with DEBUG=1", [], { DEBUG: "1" }],
    ["with --json", ["--json"], {}],
    ["with --json and DEBUG=1", ["--json"], { DEBUG: "1" }],
    ["with -v", ["-v"], {}],
  ] as const)("is right and appears nowhere: %s", async (name, more, env) => {
    const { child, result } = startBackup([...args(name, tls()), ...more], env);
    const [seen, done] = await Promise.all([watch(child.pid ?? 0), result]);
    expect(done.code, `stderr: ${done.stderr}`).toBe(0);
    expect(seen).toBeGreaterThan(2);
    expectSilent(done);
    if ("DEBUG" in env) expect(done.stdout + done.stderr).toMatch(/imap [cs] /);
    expect(await expectNoSecretBelow(at(name))).toBeGreaterThan(20);
  });

  it("appears nowhere by STARTTLS, with DEBUG=1", async () => {
    const done = await runBackup(args("starttls", `imap://localhost:${server.starttlsPort}`), { DEBUG: "1" });
    expect(done.code, `stderr: ${done.stderr}`).toBe(0);
    expectSilent(done);
    await expectNoSecretBelow(at("starttls"));
  });

  it.each([
    ["plain", [], {}],
    ["debug", [], { DEBUG: "1" }],
    ["json", ["--json"], { DEBUG: "1" }],
  ] as const)("is wrong and appears nowhere: %s", async (name, more, env) => {
    const { child, result } = startBackup([...args(`wrong-${name}`, tls(), { file: wrong }), ...more], env);
    const [, done] = await Promise.all([watch(child.pid ?? 0), result]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/refused the login of alice/);
    expectSilent(done);
    await expectNoSecretBelow(at(`wrong-${name}`));
    expect(await server.log()).not.toContain(PASSWORD);
  });

  it("appears nowhere when the certificate is not trusted, and is not sent", async () => {
    const done = await runBackup(["imap", USER, at("untrusted"), tls(), "--srcsecret", secret], { DEBUG: "1" });
    expect(done.code).toBe(1);
    expectSilent(done);
  });

  it("appears nowhere when the run is killed midway", async () => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await using fake = await startFakeImap({
        password: Buffer.from(PASSWORD).toString("latin1"),
        folders: new Map([["INBOX", makeFolder(20)]]),
        fault: ({ command, args: what }) =>
          command === "UID FETCH" && what.includes("BODY") ? { type: "stall", rows: 10 } : undefined,
      });
      const name = `killed-${signal}`;
      const { child, result } = startBackup(
        args(name, `imaps://localhost:${fake.tlsPort}`, { ca: fake.caFile }).concat("--json"),
        { DEBUG: "1" },
      );
      const watched = watch(child.pid ?? 0);
      while (!fake.commands.some((line) => line.startsWith("UID FETCH") && line.includes("BODY"))) await setTimeout(20);
      await setTimeout(200);
      child.kill(signal);
      const [done] = await Promise.all([result, watched]);
      expect(done.signal ?? done.code).toBe(signal === "SIGKILL" ? "SIGKILL" : 130);
      expect(done.stdout).toContain('"type":"plan"');
      expectSilent(done);
      expect(await expectNoSecretBelow(at(name))).toBeGreaterThan(0);
    }
  });

  describe.each([
    ["LOGIN", BARE_CAPABILITIES],
    ["AUTHENTICATE", DEFAULT_CAPABILITIES],
  ] as const)("that the server sends back, after %s", (command, capabilities) => {
    it.each([
      ["NO", "no"],
      ["BAD", "bad"],
      ["BYE", "bye"],
    ] as const)("is cut out of its %s", async (_name, type) => {
      for (const password of [ASCII, PASSWORD]) {
        const file = await writeSecret(directory.path, "echo.password", password);
        const wire = Buffer.from(password).toString("latin1");
        await using fake = await startFakeImap({
          capabilities,
          fault: (context) => {
            if (context.command !== command) return undefined;
            const plain = Buffer.from(`\0${USER}\0${password}`).toString("base64");
            const echo = `cannot parse ${context.tag} ${command} ${context.args} or ${plain} or ${wire} or ${JSON.stringify(wire)}`;
            return { type, text: echo };
          },
        });
        for (const [more, env] of [
          [[], {}],
          [[], { DEBUG: "1" }],
          [["--json"], { DEBUG: "1" }],
        ] as const) {
          const name = `echo-${command}-${type}`;
          const to = `imaps://localhost:${fake.tlsPort}`;
          const done = await runBackup([...args(name, to, { file, ca: fake.caFile }), ...more], env);
          expect(done.code).toBe(1);
          expect(done.stderr).toMatch(/cannot parse/);
          expectSilent(done, password);
          if (more.length > 0) for (const event of eventsOf(done)) expectNoSecret(inspect(event), "an event", password);
          await expectNoSecretBelow(at(name), password);
        }
      }
    });
  });

  it("is cut out of what a server says later: an alert, and a NO to a folder", async () => {
    const wire = Buffer.from(PASSWORD).toString("latin1");
    await using fake = await startFakeImap({
      password: wire,
      folders: new Map([
        ["INBOX", makeFolder(2)],
        ["Archive", makeFolder(2)],
      ]),
      fault: ({ command, folder }) => {
        if (command === "LIST") return { type: "untagged", lines: [`* OK [ALERT] your password is ${wire}`] };
        if (command !== "EXAMINE" || folder !== "Archive") return undefined;
        return { type: "no", text: `${wire} may not, nor ${Buffer.from(PASSWORD).toString("base64")}` };
      },
    });
    for (const env of [{}, { DEBUG: "1" }]) {
      const done = await runBackup(args("later", `imaps://localhost:${fake.tlsPort}`, { ca: fake.caFile }), env);
      expect(done.code, `stderr: ${done.stderr}`).toBe(3);
      expect(done.stderr).toMatch(/Archive/);
      expectSilent(done);
      await expectNoSecretBelow(at("later"));
    }
    expect((await readTree(at("later"))).find(({ directory: name }) => name === "INBOX")?.messages).toHaveLength(2);
  });

  it("is in no event, error or object of the libraries", async () => {
    const events: BackupEvent[] = [];
    const onEvent = (event: BackupEvent): void => void events.push(event);
    const login = { user: USER, password: new Secret(`${PASSWORD}!`) };
    const ca = await readFile(server.caFile, "utf8");
    await using source = new ImapSource({
      server: { host: "localhost", port: server.tlsPort, security: "tls" },
      login,
      ca,
      onEvent,
      trace: true,
    });
    const store = new LocalStore(at("library"));
    const error: unknown = await backup({ source, store, onEvent }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BackupError);
    expect(error).toMatchObject({ code: "AUTH_FAILED" });
    const everything = { depth: 20, showHidden: true, getters: true } as const;
    for (const thing of [events, error, source, store, login]) {
      expectNoSecret(inspect(thing, everything), "inspect");
      expectNoSecret(JSON.stringify(thing), "JSON");
      expectNoSecret(format("%s %o %O %j", thing, thing, thing, thing), "format");
    }
    expect(events.filter(({ type }) => type === "debug").length).toBeGreaterThan(3);
  });

  it("needs no line end in its file, and loses nothing else", async () => {
    const file = await writeSecret(directory.path, "spaces.password", `  ${PASSWORD}\t `);
    const found = await findSecret({
      parameter: file,
      option: "--srcsecret",
      partner: USER,
      extensions: [".password"],
    });
    expect(found.reveal()).toBe(`  ${PASSWORD}\t `);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

describe("Secret", () => {
  const secret = new Secret(PASSWORD);
  it("says [secret] however it is turned into text", async () => {
    const texts = [
      String(secret),
      [secret].join(),
      "".concat(secret as unknown as string),
      inspect(secret),
      inspect({ deep: [{ secret }] }, { depth: 9, showHidden: true }),
      JSON.stringify({ secret }),
      format("%s %j %o %O", secret, secret, secret, secret),
      String(new Error(secret as unknown as string)),
      inspect(new Error("wrong", { cause: secret })),
      Object.entries(secret).join(),
      Object.values(secret).join(),
      inspect(structuredClone(secret)),
    ];
    for (const text of texts) expectNoSecret(text, "text");
    expect(texts.slice(0, 7).every((text) => text.includes("[secret]"))).toBe(true);
    expect(secret.reveal()).toBe(PASSWORD);
  });

  it("is not printed by console.log of another program that holds it", async () => {
    const script = `import { Secret } from "@backup/core";
      const secret = new Secret(process.env.HIDDEN);
      console.log(secret, { secret }, [secret], "%s", String(secret)); console.table([{ secret }]);
      console.error(new Error("x", { cause: { secret } }));`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      cwd: new URL("..", import.meta.url),
      env: { PATH: process.env.PATH, HIDDEN: PASSWORD },
    });
    expectNoSecret(stdout + stderr, "output");
    expect(stdout).toContain("[secret]");
  });
});
