import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tmpfs } from "./support/mounts.js";
import { loginOf, readServer } from "./support/account.js";
import { openAppender } from "./support/appender.js";
import { type Result, runBackup, startBackup, writeSecret } from "./support/command.js";
import { startDovecot } from "./support/dovecot.js";
import { freePorts } from "./support/free-port.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { startProxy } from "./support/proxy.js";
import { type Published, readPublished } from "./support/published.js";
import {
  REMOTE,
  type RemoteHost,
  type RemoteKind,
  incompressible,
  leftovers,
  openRemote,
  remoteArguments,
  remoteFiles,
  runRemote,
} from "./support/remote.js";
import { expectedTree, readTree } from "./support/tree.js";

const run = promisify(execFile);
const PASSWORD = "Pq5 zWm-the mail password";

let server: MailServer;
beforeAll(async () => {
  server = await startDovecot({ users: { alice: PASSWORD } });
  await using appender = await openAppender(loginOf(server));
  await appender.createFolder("Archive");
  await appender.append("INBOX", makeMessages({ count: 6, maxBytes: 5000 }));
  await appender.append("Archive", makeMessages({ count: 3, maxBytes: 5000, seed: 2 }));
  await appender.append("Archive", [{ bytes: incompressible(400_000) }]);
});
afterAll(async () => await server?.stop());

interface Refusal {
  readonly status?: number;
  /** `code` of the error. */
  readonly code: string | RegExp;
  /** What the line must say. */
  readonly says: readonly (RegExp | string)[];
}

/** The status, one line that says what and what to do, no stack, and nothing left behind here. */
function expectRefused(result: Result, { status = 1, code, says }: Refusal): string {
  const [line = "", ...rest] = result.stderr.split("\n");
  expect(rest, `stderr: ${result.stderr}`).toEqual([""]);
  const error = events(result).find(({ type }) => type === "error");
  expect({ line, status: result.code, code: error?.code }).toMatchObject({
    status,
    code: typeof code === "string" ? code : expect.stringMatching(code),
  });
  for (const words of says) expect(line).toMatch(words);
  expect(line).toMatch(/^backup: /);
  expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e]| at \S+\.js:\d+/u);
  expect(line.length).toBeLessThan(1000);
  return line;
}

function events({ stdout }: Result): readonly { readonly type: string; readonly code?: string }[] {
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { type: string; code?: string });
}

function warnings(result: Result): readonly (string | undefined)[] {
  return events(result)
    .filter(({ type }) => type === "warning")
    .map(({ code }) => code);
}

/** The command line of a run, with some of its options replaced. */
async function withOptions(host: RemoteHost, changes: Readonly<Record<string, string | undefined>>, name = "a") {
  const args = [...(await remoteArguments({ host, server, name }))];
  for (const [option, value] of Object.entries(changes)) {
    const index = args.indexOf(option);
    if (index >= 0) args.splice(index, 2);
    if (value !== undefined) args.push(option, value);
  }
  return args;
}

async function makeKey(directory: string, name: string, passphrase = ""): Promise<string> {
  const file = join(directory, name);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", file]);
  return file;
}

const LIBRARIES = [
  { ...REMOTE.rsync, name: "OpenSSH" },
  { ...REMOTE.sftp, name: "ssh2" },
] as const;

describe.each(LIBRARIES)("a host that cannot be reached or trusted, by $name", (kind) => {
  let host: RemoteHost;
  beforeAll(async () => {
    host = await openRemote(kind);
  });
  afterAll(async () => await host?.[Symbol.asyncDispose]());

  const refused = async (changes: Readonly<Record<string, string | undefined>>, refusal: Refusal) => {
    const line = expectRefused(await runBackup(await withOptions(host, changes), host.env), refusal);
    expect(await readdir(host.temporary, { recursive: true })).toEqual([]);
    expect(await readdir(host.sshd.path)).toEqual([]);
    return line;
  };
  const accepted = async (changes: Readonly<Record<string, string | undefined>>, env: NodeJS.ProcessEnv = {}) => {
    const result = await runBackup(await withOptions(host, changes), { ...host.env, ...env });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(await readTree(host.at("a"))).toEqual(expectedTree(await readServer(server)));
    expect(await leftovers(host, "a")).toEqual([]);
    await rm(host.at("a"), { recursive: true });
    return result;
  };

  it("unknown host", async () => {
    const args = (await withOptions(host, {})).map((arg) => (arg === host.destination("a") ? "root@x.invalid:a" : arg));
    expectRefused(await runBackup(args, host.env), { code: "HOST_UNKNOWN", says: ["x.invalid", /name/] });
  });

  it("closed port", async () => {
    const [port = 0] = await freePorts(1);
    await refused({ "--ssh-port": `${port}` }, { code: "CONNECTION_REFUSED", says: [`${port}`, /sshd/] });
  });

  it("silent port", async () => {
    await using silent = await startProxy({
      target: host.sshd.port,
      fault: { kind: "stall", afterBytes: 0 },
    });
    const changes = { "--ssh-port": `${silent.port}`, "--timeout": "1" };
    await refused(changes, { code: "TIMEOUT", says: [/did not answer/] });
  });

  it("key that the host does not know", async () => {
    const key = await makeKey(host.directory, "stranger");
    await refused({ "--dstsecret": key }, { code: "AUTH_FAILED", says: [key, /authorized_keys/] });
  });

  it("key that is not there", () =>
    refused(
      { "--dstsecret": join(host.directory, "missing") },
      { status: 2, code: "SECRET_MISSING", says: [/missing/, /--dstsecret/] },
    ));

  it("relative path of the key", () =>
    refused({ "--dstsecret": "id_ed25519" }, { status: 2, code: "USAGE", says: [/--dstsecret.*absolute/] }));

  it("key that is no key", async () => {
    const file = await writeSecret(host.directory, "nonsense", "ssh-nonsense AAAA");
    await refused({ "--dstsecret": file }, { status: 1, code: /AUTH_FAILED|SECRET_UNREADABLE/, says: [file] });
  });

  it("encrypted key, without its passphrase, with a wrong one and with the right one", async () => {
    const passphrase = "correct horse $HOME \"battery' staple";
    const key = await host.sshd.addKey("ed25519", passphrase);
    const wrong = await writeSecret(host.directory, "wrong.passphrase", "tr0ub4dor");
    const right = await writeSecret(host.directory, "right.passphrase", passphrase);
    await refused(
      { "--dstsecret": key },
      { status: 2, code: "SECRET_MISSING", says: [key, /encrypted/, join(host.secrets, "127.0.0.1.passphrase")] },
    );
    const said = await refused(
      { "--dstsecret": key, "--dstpassphrase": wrong },
      { status: 1, code: "AUTH_FAILED", says: [key, wrong] },
    );
    expect(said).not.toMatch(/horse|tr0ub4dor/);
    await accepted({ "--dstsecret": key, "--dstpassphrase": right });
    // Where it is found by its name, as the key is.
    const found = await writeSecret(host.secrets, "127.0.0.1.passphrase", passphrase);
    await rename(key, join(host.secrets, "127.0.0.1.id_ed25519"));
    await accepted({ "--dstsecret": undefined });
    for (const file of [found, join(host.secrets, "127.0.0.1.id_ed25519")]) await rm(file);
  });

  it("a key that others may read is used all the same", async () => {
    const key = await host.sshd.addKey("rsa");
    await chmod(key, 0o644);
    await accepted({ "--dstsecret": key });
    expect((await stat(key)).mode & 0o777).toBe(0o644);
  });

  it("changed host key: both are named", async () => {
    const key = await makeKey(host.directory, "another-host");
    const [type, base64] = (await readFile(`${key}.pub`, "utf8")).split(" ");
    const { stdout } = await run("ssh-keygen", ["-l", "-f", `${key}.pub`]);
    const file = join(host.directory, "changed_hosts");
    const text = `# mine\n[127.0.0.1]:${host.proxy.port} ${type} ${base64}\n`;
    await writeFile(file, text);
    await refused(
      { "--known-hosts": file },
      {
        code: "HOST_KEY_CHANGED",
        says: [host.sshd.hostKeys[0]?.fingerprint ?? "none", stdout.split(" ")[1] ?? "none", file, /line 2/],
      },
    );
    expect(await readFile(file, "utf8")).toBe(text);
    expect(host.sshd.log()).not.toContain("with a changed key");
  });

  it("first contact pins the key and says so, once", async () => {
    const file = join(host.secrets, "known_hosts");
    const first = await accepted({ "--known-hosts": undefined });
    expect(warnings(first)).toEqual(["HOST_KEY_PINNED"]);
    for (const said of [host.sshd.hostKeys[0]?.fingerprint ?? "none", file]) expect(first.stdout).toContain(said);
    expect(await readFile(file, "utf8")).toContain(host.sshd.hostKeys[0]?.line.split(" ")[1]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, "utf8");
    expect(warnings(await accepted({ "--known-hosts": undefined }))).toEqual([]);
    expect(await readFile(file, "utf8")).toBe(text);
    await rm(file);
  });

  it("first contact with a fingerprint: wrong, not one at all, and right", async () => {
    const file = join(host.directory, "fresh_hosts");
    const right = host.sshd.hostKeys[0]?.fingerprint ?? "none";
    const wrong = `SHA256:${"A".repeat(43)}`;
    await refused(
      { "--known-hosts": file, "--host-key-fingerprint": wrong },
      { code: /^HOST_KEY_(CHANGED|UNKNOWN)$/, says: [right, wrong] },
    );
    await refused(
      { "--known-hosts": file, "--host-key-fingerprint": "MD5:00:11" },
      { status: 2, code: "USAGE", says: [/SHA256:/] },
    );
    expect(await readFile(file, "utf8").catch(() => "")).toBe("");
    const result = await accepted({ "--known-hosts": file, "--host-key-fingerprint": right });
    expect(warnings(result)).toEqual(["HOST_KEY_PINNED"]);
    expect(await readFile(file, "utf8")).toContain(host.sshd.hostKeys[0]?.line.split(" ")[1]);
    // Known by now, and not by this one.
    await refused(
      { "--known-hosts": file, "--host-key-fingerprint": wrong },
      { code: "HOST_KEY_CHANGED", says: [right, wrong] },
    );
  });

  it.each([
    ["-oProxyCommand=touch x:dir"],
    ["root@-oProxyCommand=touch x:dir"],
    ["-lroot@127.0.0.1:dir"],
    ["a b:dir"],
    ["$(touch x):dir"],
    ["ro`touch x`ot@127.0.0.1:dir"],
    ["ro\not@127.0.0.1:dir"],
  ])("a host or user that is none: %j", async (destination) => {
    const secret = await writeSecret(host.secrets, "alice.password", PASSWORD);
    const options = ["--srcsecret", secret, "--tls-ca", server.caFile, "--json", ...host.options];
    const args = ["imap", ...options, "--", "alice", destination, `imaps://localhost:${server.tlsPort}`];
    const env = { ...host.env, PWD: host.directory };
    expectRefused(await runBackup(args, env), { status: 2, code: "USAGE", says: [/name of a (host|user)|DEST/] });
    for (const at of [process.cwd(), host.directory, host.sshd.directory]) expect(await readdir(at)).not.toContain("x");
  });
});

const WRITERS: readonly RemoteKind[] = [REMOTE.rsync, REMOTE.sftp, REMOTE.rrsync];

describe.each(WRITERS)("a destination that cannot be written, $name", (kind) => {
  let host: RemoteHost;
  beforeAll(async () => {
    host = await openRemote(kind);
  });
  afterAll(async () => await host?.[Symbol.asyncDispose]());
  const mirror = (name: string) => runRemote({ host, server, name });
  const complete = async (name: string): Promise<void> => {
    expect(await mirror(name)).toMatchObject({ code: 0, stderr: "" });
    expect(await readTree(host.at(name))).toEqual(expectedTree(await readServer(server)));
    // What could not become a lease on a full disk goes when it is old.
    const left = (await leftovers(host, name)).filter((file) => !/^there: lease\.json\..{36}$/.test(file));
    expect(left).toEqual([]);
  };
  const nothingHere = async (): Promise<void> => expect(await readdir(host.temporary)).toEqual([]);

  it("file in its place, or in that of a directory above", async () => {
    await writeFile(host.at("file"), "mine");
    for (const name of ["file", "file/below"])
      expectRefused(await mirror(name), { code: "DESTINATION_UNWRITABLE", says: ["file"] });
    expect(await readFile(host.at("file"), "utf8")).toBe("mine");
    await nothingHere();
    await rm(host.at("file"));
  });

  it("read-only, from the beginning and after a backup", async () => {
    await using mount = await tmpfs("8m");
    await mkdir(host.at("mnt"));
    await run("mount", ["--bind", mount.path, host.at("mnt")]);
    try {
      const remount = (how: string) => run("mount", ["-o", `remount,bind,${how}`, host.at("mnt")]);
      await remount("ro");
      expectRefused(await mirror("mnt/a"), { code: "DESTINATION_UNWRITABLE", says: [/./] });
      await remount("rw");
      await complete("mnt/a");
      await remount("ro");
      const before = await remoteFiles(host.at("mnt"));
      expectRefused(await mirror("mnt/a"), { code: "DESTINATION_UNWRITABLE", says: [/./] });
      expect(await remoteFiles(host.at("mnt"))).toEqual(before);
      await remount("rw");
      await complete("mnt/a");
    } finally {
      await run("umount", [host.at("mnt")]);
    }
    await nothingHere();
  });

  it.each([
    ["full", "size=300k", "size=8m"],
    ["out of inodes", "nr_inodes=16", "nr_inodes=1000"],
  ])("%s: what was published is whole, and it is completed once there is room", async (_name, little, enough) => {
    await using mount = await tmpfs("8m");
    mount.remount(little);
    await mkdir(host.at("full"), { recursive: true });
    await run("mount", ["--bind", mount.path, host.at("full")]);
    try {
      for (const _ of [1, 2]) {
        expectRefused(await mirror("full/a"), { code: "DISK_FULL", says: [/full|no more files|room/i] });
        const kept: readonly Published[] = await readPublished(host.at("full/a"));
        expect(kept.length).toBeLessThan(10);
        const left = await readdir(host.at("full/a/.backup/tmp")).catch(() => []);
        expect(left).toEqual([]);
      }
      mount.remount(enough);
      await complete("full/a");
    } finally {
      await run("umount", [host.at("full")]);
    }
    await nothingHere();
  });

  it.each(["INBOX", "INBOX/cur", "Archive"])("symbolic link in the place of %s", async (link) => {
    const elsewhere = join(host.directory, `elsewhere-${link.replace("/", "-")}`);
    const name = `links-${link.replace("/", "-")}`;
    await mkdir(join(elsewhere, "cur"), { recursive: true });
    await writeFile(join(elsewhere, "mine"), "mine");
    await mkdir(dirname(host.at(`${name}/${link}`)), { recursive: true, mode: 0o700 });
    await symlink(link.includes("/") ? join(elsewhere, "cur") : elsewhere, host.at(`${name}/${link}`));
    const result = await mirror(name);
    expectRefused(result, { code: "DESTINATION_UNWRITABLE", says: [link.split("/")[0] ?? "", /symbolic link/] });
    expect((await readdir(elsewhere, { recursive: true })).toSorted()).toEqual(["cur", "mine"]);
    await nothingHere();
  });
});

describe("a host on which something is missing or wrong", () => {
  const mirrored = async (host: RemoteHost): Promise<void> => {
    expect(await readTree(host.at("a"))).toEqual(expectedTree(await readServer(server)));
    expect(await leftovers(host, "a")).toEqual([]);
  };

  it.each([REMOTE.withoutRsyncThere, REMOTE.withoutRsyncHere, REMOTE.withoutSshHere, REMOTE.chroot])(
    "--transport rsync where there is none: $name",
    async (kind) => {
      await using host = await openRemote(kind);
      const result = await runRemote({ host, server, name: "a", more: ["--transport", "rsync"] });
      expectRefused(result, { code: /TRANSPORT_MISSING|PROTOCOL/, says: [/rsync/] });
      expect(await readdir(host.temporary)).toEqual([]);
      expect(await readPublished(host.at("a"))).toEqual([]);
    },
  );

  it("--transport sftp where there is rsync alone", async () => {
    await using host = await openRemote(REMOTE.rrsync);
    const result = await runRemote({ host, server, name: "a", more: ["--transport", "sftp"] });
    expectRefused(result, { code: "TRANSPORT_MISSING", says: [/SFTP/] });
  });

  it.each(LIBRARIES)("a login shell that prints text, by $name", async (kind) => {
    await using host = await openRemote({ ...kind, sshd: { sftp: "external", banner: "welcome to nas" } });
    const result = await runRemote({ host, server, name: "a" });
    expectRefused(result, { code: "PROTOCOL", says: [/welcome to nas/, /shell/] });
    expect(await readdir(host.temporary)).toEqual([]);
  });

  it("an account that may run nothing", async () => {
    await using host = await openRemote({ ...REMOTE.sftp, sshd: { keyCommand: () => "/bin/false" } });
    const result = await runRemote({ host, server, name: "a" });
    expectRefused(result, { code: /TRANSPORT_MISSING|PROTOCOL|CONNECTION_LOST/, says: [/./] });
    expect(await readdir(host.temporary)).toEqual([]);
  });

  /** A program in the place of the host's rsync. */
  const withRsync = async (host: RemoteHost, script: string): Promise<void> => {
    await writeFile(join(host.sshd.directory, "bin/rsync"), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
  };
  const OLD = `echo 'rsync: -slogDtpre.iLsfxCIvu: unknown option' >&2
echo 'rsync error: syntax or usage error (code 1) at main.c(1231) [client=2.6.0]' >&2
exit 1`;
  const OTHER = "echo 'usage: rsync-like thing' >&2; exit 2";

  it.each([
    ["too old", OLD],
    ["another program", OTHER],
  ])("rsync there is %s: SFTP does it, unless rsync is asked for", async (_name, script) => {
    await using host = await openRemote(REMOTE.withoutRsyncThere);
    await withRsync(host, script);
    const refused = await runRemote({ host, server, name: "a", more: ["--transport", "rsync"] });
    expectRefused(refused, { code: /PROTOCOL|TRANSPORT_MISSING|CONNECTION_LOST/, says: [/rsync/] });
    expect(await readPublished(host.at("a"))).toEqual([]);
    const result = await runRemote({ host, server, name: "a" });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(events(result).find(({ type }) => type === "transport")).toMatchObject({ transport: "sftp" });
    await mirrored(host);
  });

  it("rsync there dies twice while files are sent, and then does not", async () => {
    await using host = await openRemote(REMOTE.withoutRsyncThere);
    const count = join(host.sshd.directory, "deaths");
    await writeFile(count, "");
    // Its input ends in the middle of a file; listings pass.
    await withRsync(
      host,
      `export PATH=/usr/bin:/bin
case " $* " in *" --sender "*) exec rsync "$@";; esac
[ $(wc -c < ${count}) -ge 2 ] && exec rsync "$@"
dd bs=1000 count=100 status=none | rsync "$@"
code=$?
[ $code = 0 ] || printf x >> ${count}
exit $code`,
    );
    const result = await runRemote({ host, server, name: "a" });
    expect(result).toExit(0);
    expect(events(result).find(({ type }) => type === "transport")).toMatchObject({ transport: "rsync" });
    expect(await readFile(count, "utf8")).toBe("xx");
    await mirrored(host);
  }, 180_000);
});

describe("secrets", () => {
  it.each(LIBRARIES)(
    "appear nowhere, by $name",
    async (kind) => {
      await using host = await openRemote(kind);
      const passphrase = "Kj3 hidden/passphrase+of the key";
      const key = await host.sshd.addKey("ed25519", passphrase);
      const plain = await host.sshd.addKey("rsa");
      const file = await writeSecret(host.directory, "the.passphrase", passphrase);
      const material = [...(await readFile(key, "utf8")).split("\n"), ...(await readFile(plain, "utf8")).split("\n")];
      const needles = [passphrase, PASSWORD, ...material.filter((line) => /^[A-Za-z0-9+/=]{20,}$/.test(line))].flatMap(
        (text) => [text, Buffer.from(text).toString("base64"), encodeURIComponent(text)],
      );
      const check = (text: string, where: string): void => {
        for (const needle of needles) expect(text.includes(needle), `${where} holds a secret`).toBe(false);
      };
      for (const [name, changes] of [
        ["a", { "--dstsecret": key, "--dstpassphrase": file }],
        ["b", { "--dstsecret": plain }],
        ["wrong", { "--dstsecret": key, "--dstpassphrase": join(host.secrets, "alice.password") }],
      ] as const) {
        const args = await withOptions(host, changes, name);
        const { child, result } = startBackup(args, { ...host.env, DEBUG: "1" });
        const seen = new Set<string>();
        const ended = result.then(() => true);
        while (!(await Promise.race([ended, setTimeout(5, false)])))
          for (const [pid, text] of await processesBelow(child.pid ?? 0)) {
            seen.add(pid);
            check(text, `/proc/${pid}`);
          }
        const done = await result;
        expect(done.code, done.stderr).toBe(name === "wrong" ? 1 : 0);
        expect(seen.size).toBeGreaterThan(0);
        check(done.stdout, "stdout");
        check(done.stderr, "stderr");
      }
      for (const root of [host.sshd.path, host.temporary])
        for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
          check(entry.name, "a name");
          if (entry.isFile()) check(await readFile(join(entry.parentPath, entry.name), "latin1"), entry.name);
        }
      check(host.sshd.log(), "the host's log");
    },
    180_000,
  );
});

/** What everyone on the machine may see of a process and of those that it started. */
async function processesBelow(pid: number | string): Promise<readonly (readonly [string, string])[]> {
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
  const [children, cmdline, environ] = await Promise.all([
    read(`task/${pid}/children`),
    read("cmdline"),
    read("environ"),
  ]);
  const below = await Promise.all(children.split(" ").filter(Boolean).map(processesBelow));
  return [[String(pid), `${cmdline}\0${environ}`], ...below.flat()];
}
