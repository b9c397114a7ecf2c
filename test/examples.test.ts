import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, readServer } from "./support/account.js";
import { writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";
import { expectedTree, readTree } from "./support/tree.js";

const EXAMPLE = fileURLToPath(new URL("../examples/backup.mjs", import.meta.url));
const CRONTAB = fileURLToPath(new URL("../examples/crontab", import.meta.url));
const MAIN = fileURLToPath(new URL("../packages/cli/bin/backup.js", import.meta.url));

let server: MailServer;
let directory: TemporaryDirectory;
let secret: string;

beforeAll(async () => {
  server = await startDovecot();
  directory = await temporaryDirectory();
  secret = await writeSecret(directory.path, "alice.password", "secret");
  await fillAccount(server, { messages: 20 });
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

describe("examples/crontab", () => {
  it("has lines that cron takes and commands that the program takes", async () => {
    const lines = (await readFile(CRONTAB, "utf8")).split("\n").filter((line) => /^[\d*]/.test(line));
    expect(lines.length).toBeGreaterThan(1);
    const bin = join(directory.path, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "backup"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
    await chmod(join(bin, "backup"), 0o755);
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
