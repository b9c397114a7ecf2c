import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { type Sshd, type SshdOptions, startSshd } from "../../../test/support/sshd.js";

const run = promisify(execFile);

const options = (sshd: Sshd): string[] => [
  "-Fnone",
  `-i${sshd.identity}`,
  "-oIdentitiesOnly=yes",
  "-oBatchMode=yes",
  `-oUserKnownHostsFile=${sshd.knownHosts}`,
  "-oStrictHostKeyChecking=yes",
];

async function ssh(sshd: Sshd, command: string): Promise<string> {
  const result = run("ssh", [...options(sshd), "-p", `${sshd.port}`, "--", `${sshd.user}@${sshd.host}`, command]);
  return result.then(
    ({ stdout }) => stdout,
    (error: Error & { stdout?: string; code?: number }) => `${error.stdout}failed ${error.code}`,
  );
}

async function sftp(sshd: Sshd, command: string): Promise<string> {
  const target = `${sshd.user}@${sshd.host}`;
  const running = run("sftp", ["-b", "-", ...options(sshd), "-P", `${sshd.port}`, target]);
  running.child.stdin?.end(`${command}\n`);
  return running.then(
    ({ stdout }) => stdout,
    (error: Error & { code?: number }) => `failed ${error.code} ${error.message}`,
  );
}

async function started(given: SshdOptions, check: (sshd: Sshd) => Promise<void>): Promise<void> {
  await using sshd = await startSshd(given);
  await check(sshd);
}

test("a normal account has a shell, SFTP and rsync", () =>
  started({}, async (sshd) => {
    expect(await ssh(sshd, "command -v rsync")).toBe("/usr/bin/rsync\n");
    expect(await sftp(sshd, `cd ${sshd.remotePath}\nmkdir x\nls`)).toContain("x");
    expect(sshd.log()).toContain("Accepted publickey");
    await sshd.restart({ newHostKeys: true });
    expect(await ssh(sshd, "true")).toBe("failed 255");
  }));

test("a jailed account has SFTP alone", () =>
  started({ account: "chroot" }, async (sshd) => {
    expect(await sftp(sshd, `cd ${sshd.remotePath}\nmkdir x\nls`)).toContain("x");
    expect(await ssh(sshd, "echo hello")).not.toContain("hello");
  }));

test("a forced rrsync has rsync alone", () =>
  started({ keyCommand: (directory) => `rrsync ${directory}` }, async (sshd) => {
    expect(await sftp(sshd, "ls")).toContain("failed");
    const shell = ["ssh", ...options(sshd), "-p", `${sshd.port}`].join(" ");
    const { stdout } = await run("rsync", ["-e", shell, `${sshd.user}@${sshd.host}:`]);
    expect(stdout).toContain(".");
  }));

test("an account without rsync", () =>
  started({ withoutRsync: true }, async (sshd) => {
    expect(await ssh(sshd, "command -v rsync")).toBe("failed 1");
    expect(await sftp(sshd, `ls ${sshd.remotePath}`)).not.toContain("failed");
  }));

test("an account without SFTP", () =>
  started({ sftp: "none" }, async (sshd) => {
    expect(await ssh(sshd, "echo hello")).toBe("hello\n");
    expect(await sftp(sshd, "ls")).toContain("failed");
  }));

test("a login shell that prints something", () =>
  started({ sftp: "external", banner: "welcome to nas" }, async (sshd) => {
    expect(await ssh(sshd, "echo hello")).toBe("welcome to nas\nhello\n");
    expect(await sftp(sshd, "ls")).toContain("failed");
  }));
