import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillAccount, readServer } from "../../../test/support/account.js";
import { runBackup, writeSecret } from "../../../test/support/command.js";
import { startDovecot } from "../../../test/support/dovecot.js";
import type { MailServer } from "../../../test/support/mail-server.js";
import { type Sshd, startSshd } from "../../../test/support/sshd.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { expectedTree, readTree } from "../../../test/support/tree.js";

const PASSWORDS = { alice: "hunter2-of-alice", bob: 'hunter2 "of" bob' };

let server: MailServer;
let sshd: Sshd;
let directory: TemporaryDirectory;
let temporary: string;

beforeAll(async () => {
  [server, sshd, directory] = await Promise.all([
    startDovecot({ users: PASSWORDS }),
    startSshd(),
    temporaryDirectory(),
  ]);
  for (const user of Object.keys(PASSWORDS)) await fillAccount(server, { user, messages: 12 });
  temporary = join(directory.path, "tmp");
  await mkdir(temporary);
});
afterAll(async () => {
  await Promise.all([server?.stop(), sshd?.stop(), directory?.[Symbol.asyncDispose]()]);
});

/** Runs a plan of these actions; JSON is YAML. */
async function run(name: string, actions: readonly object[]) {
  const file = join(directory.path, `${name}.yaml`);
  const where = { type: "imap", server: `imaps://localhost:${server.tlsPort}`, "tls-ca": server.caFile };
  await writeFile(file, JSON.stringify({ actions: actions.map((action) => ({ ...where, ...action })) }));
  const result = await runBackup(["run", file], {
    TMPDIR: temporary,
    BACKUP_DIR: join(directory.path, "none"),
    DEBUG: "1",
    ALICE_PASSWORD: PASSWORDS.alice,
  });
  for (const output of [result.stdout, result.stderr]) expect(output).not.toContain("hunter2");
  expect(await readdir(temporary)).toEqual([]);
  return result;
}

describe("backup run with secrets that are no files", () => {
  it("logs in with what a variable and a command say, and with a key that a command prints", async () => {
    const password = await writeSecret(directory.path, "bob", PASSWORDS.bob);
    const { code, stderr } = await run("good", [
      { user: "alice", destination: join(directory.path, "alice"), srcsecret: { env: "ALICE_PASSWORD" } },
      {
        user: "bob",
        destination: `${sshd.user}@${sshd.host}:${sshd.remotePath}`,
        srcsecret: { command: ["cat", password] },
        dstsecret: { command: ["cat", sshd.identity] },
        "ssh-port": sshd.port,
        "known-hosts": sshd.knownHosts,
      },
    ]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(await readTree(join(directory.path, "alice"))).toEqual(expectedTree(await readServer(server, "alice")));
    expect(await readTree(sshd.path)).toEqual(expectedTree(await readServer(server, "bob")));
  });

  it("lists an action KO whose secret cannot be had, and runs the others", async () => {
    const { code, stdout } = await run("bad", [
      { name: "one", user: "alice", destination: join(directory.path, "one"), srcsecret: { env: "NOT_SET" } },
      { name: "two", user: "alice", destination: join(directory.path, "two"), srcsecret: { env: "ALICE_PASSWORD" } },
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^KO .*one/m);
    expect(stdout).toContain("srcsecret: the variable NOT_SET is not set; set it where backup is started");
    expect(stdout).toMatch(/^OK .*two/m);
    expect(await readTree(join(directory.path, "two"))).toEqual(expectedTree(await readServer(server, "alice")));
  });
});
