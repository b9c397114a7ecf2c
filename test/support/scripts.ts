import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { fillAccount, readServer } from "./account.js";
import { type Result, runBackup, writeSecret } from "./command.js";
import { startDovecot } from "./dovecot.js";
import type { MailServer } from "./mail-server.js";
import { type Proxy, startProxy } from "./proxy.js";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.js";
import { expectedTree, readTree } from "./tree.js";

export const PASSWORDS = { alice: "Xq7vaK-alice", bob: "Zr8wbL-bob" } as const;
const WRONG = "Yt9xcM-wrong";

/** Commands of a script, with what they need in its variables. Alice has 24 messages, Bob has 14. */
export const ALICE = `backup imap alice "$DEST/alice" "$SERVER" --tls-ca "$CA"`;
export const BOB = `backup imap bob "$DEST/bob" "$SERVER" --tls-ca "$CA"`;
/** Fails: the password is wrong. */
export const KO = `backup imap alice "$DEST/ko" "$SERVER" --tls-ca "$CA" --srcsecret "$BACKUP_DIR/wrong"`;
/** Through the proxy. */
export const SLOW = `backup imap alice "$DEST/slow" "$SLOW" --tls-ca "$CA"`;

/** Bytes from the server after which a connection is in the middle of Alice's messages. */
export const MIDST = 150_000;

/** Two accounts, and for each test a directory for scripts that back them up. */
export interface Scripts {
  readonly server: MailServer;
  /** In front of the server; a test may let it fail. */
  readonly proxy: Proxy;
  /** Of every run. */
  env: NodeJS.ProcessEnv;
  /** Path below the test's directory; `dest` is there for destinations. */
  at(...names: string[]): string;
  writeScript(text: string, options?: { readonly name?: string; readonly mode?: number }): Promise<string>;
  /** Runs a script by bash, or by what its first line says. */
  runScript(text: string, ...more: string[]): Promise<Result>;
  runFile(file: string, ...more: string[]): Promise<Result>;
  /** A destination below `dest`, by default that of the user's name, is what the server holds. */
  expectMirrored(user: keyof typeof PASSWORDS, name?: string): Promise<void>;
}

/** To be called once in a test file. After each test, it fails if a file was left where temporary ones go. */
export function useScripts(): Scripts {
  let server: MailServer;
  let proxy: Proxy;
  let directory: TemporaryDirectory;
  const at = (...names: string[]): string => join(directory.path, ...names);

  beforeAll(async () => {
    server = await startDovecot({ users: PASSWORDS });
    proxy = await startProxy({ target: server.tlsPort });
    await fillAccount(server, { messages: 20 });
    await fillAccount(server, { messages: 10, user: "bob" });
  });
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    directory = await temporaryDirectory();
    for (const name of ["secrets", "tmp", "dest"]) await mkdir(at(name));
    for (const [user, password] of Object.entries(PASSWORDS))
      await writeSecret(at("secrets"), `${user}.password`, password);
    await writeSecret(at("secrets"), "wrong", WRONG);
    proxy.fault = undefined;
    scripts.env = {
      BACKUP_DIR: at("secrets"),
      TMPDIR: at("tmp"),
      DEST: at("dest"),
      SERVER: `imaps://localhost:${server.tlsPort}`,
      SLOW: `imaps://localhost:${proxy.port}`,
      CA: server.caFile,
    };
  });
  afterEach(async () => {
    const left = await readdir(at("tmp"));
    await directory[Symbol.asyncDispose]();
    if (left.length > 0) throw new Error(`left in TMPDIR: ${left.join(", ")}`);
  });

  const scripts: Scripts = {
    get server() {
      return server;
    },
    get proxy() {
      return proxy;
    },
    env: {},
    at,
    async writeScript(text, { name = "nightly", mode = 0o755 } = {}) {
      await writeFile(at(name), text);
      await chmod(at(name), mode);
      return at(name);
    },
    async runScript(text, ...more) {
      return scripts.runFile(await scripts.writeScript(text.startsWith("#!") ? text : `#!/bin/bash\n${text}`), ...more);
    },
    async runFile(file, ...more) {
      return expectNoSecret(await runBackup(["run", file, ...more], scripts.env));
    },
    async expectMirrored(user, name = user) {
      expect(await readTree(at("dest", name))).toEqual(expectedTree(await readServer(server, user)));
    },
  };
  return scripts;
}

export function expectNoSecret<Printed extends Result>(result: Printed): Printed {
  for (const password of [...Object.values(PASSWORDS), WRONG]) {
    expect(result.stdout).not.toContain(password);
    expect(result.stderr).not.toContain(password);
  }
  return result;
}

/** The list at the end, without what its actions printed before. */
export function summaryOf({ stdout }: Result): readonly string[] {
  const lines = stdout.trimEnd().split("\n");
  const first = lines.findIndex((line) => /^(OK|PARTLY|KO|INTERRUPTED) {2}/.test(line.replace(/ {3,}/, "  ")));
  return first < 0 ? lines.slice(-1) : lines.slice(first);
}
