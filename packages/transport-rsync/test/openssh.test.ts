import { execFile } from "node:child_process";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startSshd } from "../../../test/support/sshd.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { resolveConfig } from "../src/openssh-config.js";
import { openHost } from "../src/open-host.js";
import { LIBRARIES, makeWorld, names, never } from "./support/host-world.js";

const run = promisify(execFile);

test("rsync uses the connection, and finds its way when that is gone", async () => {
  await using sshd = await startSshd();
  const world = await makeWorld(sshd, "OpenSSH");
  await writeFile(join(sshd.path, "file"), "");
  const connection = await world.connect();
  const { shell } = connection;
  if (!shell) throw new Error("no shell");
  const list = () =>
    run(shell.program, [...shell.args, "--", shell.target, `ls ${sshd.remotePath}`], {
      env: { ...world.options.env, ...shell.env },
    });
  expect((await list()).stdout).toBe("file\n");
  expect(sshd.log().match(/Accepted publickey/g)).toHaveLength(1);
  await connection[Symbol.asyncDispose]();
  expect((await list()).stdout).toBe("file\n");
});

test("rsync uses the connection of an account that has nothing else", async () => {
  await using sshd = await startSshd({ keyCommand: (directory) => `rrsync ${directory}` });
  const world = await makeWorld(sshd, "OpenSSH");
  await writeFile(join(sshd.path, "file"), "");
  await using connection = await world.connect();
  const { shell } = connection;
  if (!shell) throw new Error("no shell");
  const logins = sshd.log().match(/Accepted publickey/g)?.length;
  const command = [shell.program, ...shell.args].map((word) => `'${word}'`).join(" ");
  const { stdout } = await run("rsync", ["-e", command, `${shell.target}:`], { env: world.options.env });
  expect(stdout).toContain("file");
  expect(sshd.log().match(/Accepted publickey/g)).toHaveLength(logins ?? 0);
});

test("an ssh that somebody ends is no wrong configuration", async () => {
  await using directory = await temporaryDirectory();
  const program = join(directory.path, "ssh");
  await writeFile(program, "#!/bin/sh\nkill -9 $$\n", { mode: 0o755 });
  const asked = { program, target: "nas", port: undefined, sshConfig: undefined, env: {} };
  await expect(resolveConfig(asked)).rejects.toMatchObject({ code: "CONNECTION_LOST", transient: true });
  await writeFile(program, "#!/bin/sh\necho 'line 3: Bad configuration option: x' >&2\nexit 255\n", { mode: 0o755 });
  await expect(resolveConfig(asked)).rejects.toMatchObject({ code: "USAGE", transient: false });
});

test("a ProxyJump of the ssh configuration is gone through", async () => {
  await using jump = await startSshd();
  await using sshd = await startSshd();
  const world = await makeWorld(sshd, "OpenSSH");
  const sshConfig = join(world.secrets, "config");
  await writeFile(
    sshConfig,
    `Host bastion
  HostName 127.0.0.1
  Port ${jump.port}
  User ${jump.user}
  IdentityFile ${jump.identity}
  UserKnownHostsFile ${jump.knownHosts}
Host nas
  HostName 127.0.0.1
  Port ${sshd.port}
  ProxyJump bastion
`,
  );
  const remote = { user: sshd.user, host: "nas", directory: "" };
  const connection = await world.connect({ remote, port: undefined, sshConfig });
  expect(await names(await connection.sftp(never), sshd.remotePath)).toEqual([]);
  await connection[Symbol.asyncDispose]();
  expect(jump.log().match(/Accepted publickey/g)).toHaveLength(1);
  expect(sshd.log().match(/Accepted publickey/g)).toHaveLength(1);
  expect(await world.leftovers()).toEqual([]);
});

test("a configuration with a mistake is told as one", async () => {
  await using sshd = await startSshd();
  const world = await makeWorld(sshd, "OpenSSH");
  const sshConfig = join(world.secrets, "config");
  await writeFile(sshConfig, "Hots nas\n");
  const error = await world.failure({ sshConfig });
  expect(error.code).toBe("USAGE");
  expect(error.message).toContain("hots");
});

test("StrictHostKeyChecking of the user's configuration holds", async () => {
  await using sshd = await startSshd();
  const world = await makeWorld(sshd, "OpenSSH");
  const sshConfig = join(world.secrets, "config");
  await writeFile(sshConfig, "StrictHostKeyChecking yes\n");
  const knownHosts = join(world.secrets, "known");
  expect(await world.failure({ sshConfig, knownHosts })).toMatchObject({ code: "HOST_KEY_UNKNOWN" });
});

test("with no program ssh the library does it, and a configuration is refused", async () => {
  await using sshd = await startSshd();
  const world = await makeWorld(sshd, "ssh2");
  const env = { ...world.options.env, PATH: world.secrets };
  const host = await openHost({ ...world.options, env });
  expect(host.by).toBe("ssh2");
  await using connection = await host.connect({ compress: false }, never);
  expect(connection.shell).toBeUndefined();
  await expect(openHost({ ...world.options, env, sshConfig: "/x" })).rejects.toMatchObject({
    code: "TRANSPORT_MISSING",
  });
});

test.each(LIBRARIES)("%s: no secret is in an argument, an environment, an event or an error", async (library) => {
  await using sshd = await startSshd();
  const world = await makeWorld(sshd, library);
  const passphrase = "correct horse battery";
  const identity = { file: await sshd.addKey("ed25519", passphrase) };
  const token = "Zr8wbL-token";
  const env = { ...world.options.env, PING_URL: `https://host/${token}` };
  await writeFile(join(world.secrets, "127.0.0.1.passphrase"), `${passphrase}\n`, { mode: 0o644 });
  await using connection = await world.connect({ identity, env });
  await connection.sftp(never);
  await connection.sftp(never);
  const material = (await readFile(identity.file, "utf8")).split("\n")[2] ?? "";
  const texts = [JSON.stringify(world.events), JSON.stringify(connection.shell ?? {}), ...(await processes())];
  await writeFile(join(world.secrets, "127.0.0.1.passphrase"), `${passphrase} staple\n`);
  const error = await world.failure({ identity });
  texts.push(error.message, error.stack ?? "", String(error.cause));
  for (const secret of [passphrase, material, token]) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
  expect(world.events).toMatchObject([{ code: "SECRET_EXPOSED" }, { code: "SECRET_EXPOSED" }]);
});

/** Arguments and environments of all processes. */
async function processes(): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const files = pids.flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]);
  // Some end while we look.
  return Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
}
