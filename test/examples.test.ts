import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { runBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const EXAMPLE = fileURLToPath(new URL("../examples/backup.mjs", import.meta.url));
const ONE_ACTION = fileURLToPath(new URL("../examples/one-action.sh", import.meta.url));
const SCRIPT = fileURLToPath(new URL("../examples/script.sh", import.meta.url));
const PLAN = fileURLToPath(new URL("../examples/plan.yaml", import.meta.url));
const CRONTAB = fileURLToPath(new URL("../examples/crontab", import.meta.url));
const MAIN = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));

/** Those whom the examples back up. */
const ACCOUNTS = ["alice@example.org", "bob@example.org", "archive@example.org"];
/** Folders that the examples leave out. */
const UNWANTED = ["Spam", "Trash", "Trash/Old"];

let server: MailServer;
let directory: TemporaryDirectory;
let secret: string;

beforeAll(async () => {
  server = await startDovecot({
    users: Object.fromEntries(["alice", ...ACCOUNTS].map((user) => [user, "secret"])),
  });
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(server, { messages: 20 });
  for (const user of ACCOUNTS) {
    await writeSecret(directory.path, `${user}.password`, "secret");
    await fillAccount(server, { messages: 5, user });
    await using appender = await openAppender(loginOf(server, user));
    for (const name of UNWANTED) {
      await appender.createFolder(name);
      await appender.append(name, [{ bytes: Buffer.from("Subject: unwanted\r\n\r\n") }]);
    }
  }
});
afterAll(async () => {
  await server?.stop();
  await directory?.[Symbol.asyncDispose]();
});

describe("examples/backup.mjs", () => {
  const run = async (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const child = spawn(process.execPath, [EXAMPLE, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, PASSWORD_FILE: secret, CA_FILE: server.caFile, ...env },
    });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: code as number | null, stdout, stderr };
  };

  it("backs up an account, and the next time what is new", async () => {
    const target = join(directory.path, "example");
    const args = ["alice", target, `imaps://localhost:${server.tlsPort}`];
    const first = await run(args);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(/^INBOX: \d+ messages$/m);
    expect(first.stdout).toMatch(/^done: 24 new, 0 deleted, 24 in all$/m);
    expect(await readTree(target)).toEqual(expectedTree(await readServer(server)));
    const second = await run(args);
    expect(second).toEqual({ code: 0, stdout: "done: 0 new, 0 deleted, 24 in all\n", stderr: "" });
  });

  it("is by STARTTLS the same", async () => {
    const result = await run(["alice", join(directory.path, "starttls"), `imap://localhost:${server.starttlsPort}`]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
  });

  it("says what is wrong in one line, with a code for programs", async () => {
    const target = join(directory.path, "none");
    const to = `imaps://localhost:${server.tlsPort}`;
    expect(await run([])).toMatchObject({ code: 2, stderr: expect.stringMatching(/^usage: .*\n$/) });
    const wrong = await writeSecret(directory.path, "wrong", "not the one");
    for (const [env, says] of [
      [{ PASSWORD_FILE: wrong }, /^AUTH_FAILED: .*\n$/],
      [{ PASSWORD_FILE: "relative" }, /^USAGE: PASSWORD_FILE must be an absolute path.*\n$/],
      [{ CA_FILE: "" }, /^TLS_UNTRUSTED: .*\n$/],
    ] as const) {
      const result = await run(["alice", target, to], env);
      expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(says) });
    }
  });
});

/** Runs an example as somebody would who has set these variables. */
async function runExample(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // npm warns of what it finds in its user's configuration.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, npm_config_loglevel: "error", ...env },
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: code as number | null, stdout, stderr };
}

/** Writes a program that is found by its name in this directory. */
async function writeProgram(bin: string, name: string, lines: string): Promise<void> {
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, name), `#!/bin/bash\n${lines}\n`);
  await chmod(join(bin, name), 0o755);
}

describe("examples/one-action.sh", () => {
  it("backs up an account by npx", async () => {
    const to = join(directory.path, "one action");
    const env = {
      SECRETS: directory.path,
      TO: to,
      SERVER: `imaps://localhost:${server.tlsPort}`,
      TLS_CA: server.caFile,
    };
    const result = await runExample(ONE_ACTION, ["npx"], env);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const account = "alice@example.org";
    expect(await readTree(join(to, account))).toEqual(expectedTree(await readServer(server, account)));
  });

  it("gives a container no privileges, and a command that the program takes", async () => {
    const bin = join(directory.path, "docker-bin");
    await writeProgram(bin, "docker", `printf '%s\\0' "$@"`);
    const PATH = [bin, process.env.PATH].join(delimiter);
    const to = join(directory.path, "my data");
    const { code, stdout, stderr } = await runExample(ONE_ACTION, [], { PATH, SECRETS: "/my secrets", TO: to });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const words = stdout.split("\0").slice(0, -1);
    const image = words.indexOf("backup");
    const options = words.slice(0, image).join(" ");
    for (const wanted of [
      "run --rm",
      "--read-only",
      "--cap-drop ALL",
      "--security-opt no-new-privileges",
      "--user 0:0",
      "--volume /my secrets:/backup:ro",
      `--volume ${to}:/data`,
    ])
      expect(options).toContain(wanted);
    const command = words.slice(image + 1);
    expect(command).toEqual(["imap", "alice@example.org", "/data/alice@example.org", "mail.example.org"]);
    // Nothing but the password's file is not here.
    expect(await runBackup(command, { BACKUP_DIR: "/nowhere" })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("/nowhere/alice@example.org.password"),
    });
  });

  it("says how it is used", async () => {
    const result = await runExample(ONE_ACTION, ["podman"]);
    expect(result).toMatchObject({ code: 2, stderr: `usage: ${ONE_ACTION} [container|npx]\n` });
  });
});

describe("examples/script.sh", () => {
  const wantedTree = async (account: string | undefined) =>
    expectedTree(await readServer(server, account)).filter(({ directory: name }) => !UNWANTED.includes(name));
  const run = (to: string, env: NodeJS.ProcessEnv = {}) =>
    runBackup(["run", SCRIPT], {
      BACKUP_DIR: directory.path,
      SERVER: `imaps://localhost:${server.tlsPort}`,
      TO: to,
      TLS_CA: server.caFile,
      ...env,
    });

  it("backs up three accounts, and lists them", async () => {
    const to = join(directory.path, "script");
    const { code, stdout, stderr } = await run(to);
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/3 actions: 3 OK/);
    for (const [name, account] of [...ACCOUNTS.slice(0, 2).map((each) => [each, each]), ["archive", ACCOUNTS[2]]])
      expect(await readTree(join(to, name ?? ""))).toEqual(await wantedTree(account));
    expect(await readFile(join(to, "archive.complete"), "utf8")).toMatch(/\d/);
  });

  it("goes on after one that fails, which makes it KO", async () => {
    const to = join(directory.path, "script-failed");
    await mkdir(to);
    // Not a directory: nothing can be written to it.
    await writeFile(join(to, "bob@example.org"), "");
    const { code, stdout } = await run(to);
    expect(code).toBe(1);
    expect(stdout).toMatch(/3 actions: 2 OK, 1 KO/);
    expect(await readTree(join(to, "archive"))).toEqual(await wantedTree("archive@example.org"));
  });
});

describe("shell scripts", () => {
  it.each([ONE_ACTION, SCRIPT])("have nothing that shellcheck warns of: %s", async (file) => {
    expect(await runExample("shellcheck", [file])).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});

describe("examples/plan.yaml", () => {
  it("is a plan", async () => {
    const { code, stdout, stderr } = await runBackup(["config", "check", PLAN]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("3 actions, nothing wrong in it") });
    // The secrets of its accounts are not here.
    for (const line of stderr.trimEnd().split("\n")) expect(line).toMatch(/^warning: .*(\.password|\/run\/secrets\/)/);
  });

  it("names the schema that is in the package, for editors", async () => {
    const [first = ""] = (await readFile(PLAN, "utf8")).split("\n");
    const [, schema = ""] = /^# yaml-language-server: \$schema=(\S+)$/.exec(first) ?? [];
    const parsed: unknown = JSON.parse(await readFile(new URL(schema, pathToFileURL(PLAN)), "utf8"));
    expect(parsed).toMatchObject({ $schema: expect.stringContaining("2020-12") });
  });
});

describe("examples/crontab", () => {
  it("has lines that cron takes and commands that the program takes", async () => {
    const lines = (await readFile(CRONTAB, "utf8")).split("\n").filter((line) => /^[\d*]/.test(line));
    expect(lines.length).toBeGreaterThan(1);
    const bin = join(directory.path, "bin");
    await writeProgram(bin, "backup", `exec "${process.execPath}" "${MAIN}" "$@"`);
    for (const line of lines) {
      const [, command] = /^[\d*]+ [\d*]+ \* \* \* +(.*)$/.exec(line) ?? [];
      expect(command, `it says: ${line}`).toBeDefined();
      expect(command).not.toMatch(/(?<!\\)%/);
      expect(command).toMatch(/ -q$/);
      // The files that it names are not here: all else of it must be right.
      const failed: unknown = await promisify(execFile)("sh", ["-c", command ?? ""], {
        env: { PATH: [bin, process.env.PATH].join(delimiter) },
      }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failed).toMatchObject({ code: 2, stdout: "" });
      expect(failed).toMatchObject({
        stderr: expect.stringMatching(/^backup: no secret found for \S+; looked for \/etc\/backup\//),
      });
    }
  });
});
