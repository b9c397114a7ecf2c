import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Sshd, startSshd } from "../../../test/support/sshd.js";
import type { RemoteShell } from "../src/connection.js";
import { RsyncOnlyStore } from "../src/rsync-only-store.js";
import { probeRsync, remoteRsyncVersion } from "../src/rsync-probe.js";
import { rsyncProgram, rsyncVersion } from "../src/rsync-process.js";
import { rsyncSender } from "../src/rsync-sender.js";
import { Spool } from "../src/spool.js";

const NEVER = new AbortController().signal;

function shellTo({ port, host, user, identity, knownHosts }: Sshd): RemoteShell {
  const options = ["BatchMode=yes", "IdentitiesOnly=yes", `UserKnownHostsFile=${knownHosts}`];
  const args = ["-F", "none", "-p", String(port), "-i", identity, ...options.flatMap((option) => ["-o", option])];
  return { program: "ssh", args, target: `${user}@${host}`, env: {} };
}

describe("through a real sshd", () => {
  it("a batch is sent, and goes on when all connections are cut", async () => {
    await using sshd = await startSshd();
    await using spool = new Spool({ directory: join(sshd.directory, "spool") });
    const shell = shellTo(sshd);
    const run = rsyncProgram();
    const directory = sshd.remotePath;
    await mkdir(join(sshd.path, ".backup/tmp"), { recursive: true });
    await mkdir(join(sshd.path, "a b"));
    await writeFile(join(sshd.path, ".backup/lease.json"), "{}");
    const probe = { run, shell, directory, seen: { path: ".backup/lease.json" }, local: sshd.directory, signal: NEVER };
    expect(await probeRsync(probe)).toEqual({ works: true });
    expect(await remoteRsyncVersion(shell, NEVER)).toEqual(await rsyncVersion());
    let isCut = false;
    const sender = rsyncSender({
      run,
      shell: async () => shell,
      directory,
      spool,
      bwlimit: "4000",
      retryMs: 20,
      onEvent: (event) => {
        if (isCut || event.type !== "sending" || event.bytes === 0) return;
        isCut = true;
        void sshd.cut();
      },
    });
    const files = Array.from({ length: 50 }, (_, n) => {
      const content = Buffer.alloc(40_000, `${n} `);
      return { path: `a b/${n}`, mtime: 1e12, size: content.byteLength, content };
    });
    await sender.send(files, NEVER);
    expect(isCut).toBe(true);
    for (const { path, content } of files) expect((await readFile(join(sshd.path, path))).equals(content)).toBe(true);
  });

  it("an account that rrsync restricts has a store", async () => {
    await using sshd = await startSshd({ keyCommand: (directory) => `rrsync ${directory}`, sftp: "none" });
    await using spool = new Spool({ directory: join(sshd.directory, "spool") });
    const store = new RsyncOnlyStore({ name: "host:", directory: "", shell: async () => shellTo(sshd), spool });
    await using _lease = await store.lease(NEVER);
    await store.makeDirectories(["a/b"], NEVER);
    await store.write("a/b/x", Buffer.from("x"), NEVER);
    expect(Buffer.from(await store.read("a/b/x", NEVER)).toString()).toBe("x");
    expect(await readFile(join(sshd.path, "a/b/x"), "utf8")).toBe("x");
  });
});
