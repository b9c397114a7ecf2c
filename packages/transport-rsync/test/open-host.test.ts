import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { freePorts } from "../../../test/support/free-port.js";
import { type SshdOptions, startSshd } from "../../../test/support/sshd.js";
import { openHost } from "../src/open-host.js";
import { LIBRARIES, makeWorld, names, never } from "./support/host-world.js";

const run = promisify(execFile);

describe.each(LIBRARIES)("%s", (library) => {
  const started = async (options: SshdOptions = {}) => {
    const sshd = await startSshd(options);
    return { sshd, world: await makeWorld(sshd, library), [Symbol.asyncDispose]: () => sshd[Symbol.asyncDispose]() };
  };

  test("opens several channels over one login and leaves nothing behind", async () => {
    await using it = await started();
    const { sshd, world } = it;
    await writeFile(join(sshd.path, "a b"), "");
    const connection = await world.connect();
    for (const sftp of [await connection.sftp(never), await connection.sftp(never), await connection.sftp(never)]) {
      expect(await names(sftp, sshd.remotePath)).toEqual(["a b"]);
      const closed = once(sftp, "close");
      sftp.end();
      await closed;
      await expect(names(sftp, "/")).rejects.toThrow("No response");
    }
    expect(connection.lost.aborted).toBe(false);
    expect(sshd.log().match(/Accepted publickey/g)).toHaveLength(1);
    await connection[Symbol.asyncDispose]();
    await connection[Symbol.asyncDispose]();
    expect(connection.lost.aborted).toBe(true);
    await expect(connection.sftp(never)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(await world.leftovers()).toEqual([]);
    expect(world.events).toEqual([]);
  });

  test("works with compression, and in a jail", async () => {
    await using it = await started({ account: "chroot" });
    const host = await openHost(it.world.options);
    await using connection = await host.connect({ compress: true }, never);
    expect(await names(await connection.sftp(never), "/")).toEqual(["data"]);
  });

  test("a server that is gone ends the connection and what waits for it", async () => {
    await using it = await started();
    await using connection = await it.world.connect();
    const sftp = await connection.sftp(never);
    const lost = once(connection.lost, "abort");
    const closed = once(sftp, "close");
    await it.sshd.stop();
    await Promise.all([lost, closed]);
    expect(connection.lost.reason).toMatchObject({ code: "CONNECTION_LOST", transient: true });
    await expect(names(sftp, "/")).rejects.toThrow("No response");
    await expect(connection.sftp(never)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  });

  test.each([
    ["none", { sftp: "none" }],
    ["a forced rrsync", { keyCommand: (directory: string) => `rrsync ${directory}` }],
  ] satisfies [string, SshdOptions][])("an account with no SFTP: %s", async (_name, options) => {
    await using it = await started(options);
    await using connection = await it.world.connect();
    await expect(connection.sftp(never)).rejects.toMatchObject({ code: "TRANSPORT_MISSING" });
    expect(connection.lost.aborted).toBe(false);
  });

  test("a login shell that prints text is told from SFTP", async () => {
    await using it = await started({ sftp: "external", banner: "welcome to nas" });
    await using connection = await it.world.connect();
    const error = { code: "PROTOCOL", message: expect.stringContaining("'welcome to nas") as string };
    await expect(connection.sftp(never)).rejects.toMatchObject(error);
  });

  test("a key that is not authorized", async () => {
    await using it = await started();
    const file = join(it.world.secrets, "other");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    const error = await it.world.failure({ identity: { file } });
    expect(error).toMatchObject({ code: "AUTH_FAILED", transient: false });
    expect(error.message).toContain(file);
    expect(await it.world.leftovers()).toEqual([]);
  });

  test.each(["rsa", "ecdsa", "ed25519"] as const)("an encrypted %s key", async (type) => {
    await using it = await started();
    const { sshd, world } = it;
    const identity = { file: await sshd.addKey(type, "pass phrase '1") };
    const passphrase = join(world.secrets, "127.0.0.1.passphrase");
    const missing = await world.failure({ identity });
    expect(missing.code).toBe("SECRET_MISSING");
    expect(missing.message).toContain(passphrase);

    await writeFile(passphrase, "wrong\n", { mode: 0o600 });
    const wrong = await world.failure({ identity });
    expect(wrong.code).toBe("AUTH_FAILED");
    expect(wrong.message).toContain(passphrase);
    expect(wrong.message).not.toContain("wrong");

    await writeFile(passphrase, "pass phrase '1\n", { mode: 0o600 });
    await using connection = await world.connect({ identity });
    expect(await names(await connection.sftp(never), sshd.remotePath)).toEqual([]);
    await using _again = await world.connect({ identity, passphraseFile: passphrase });
  });

  test("a file that is no key", async () => {
    await using it = await started();
    const file = join(it.world.secrets, "garbage");
    await writeFile(file, "hello\n", { mode: 0o600 });
    expect(await it.world.failure({ identity: { file } })).toMatchObject({ code: "AUTH_FAILED" });
  });

  test("a key that others may read, in a directory with spaces", async () => {
    await using it = await started();
    const directory = join(it.world.secrets, 'my "secrets" 100%d');
    await mkdir(directory);
    const file = join(directory, "nas.id_rsa");
    await writeFile(file, await readFile(it.sshd.identity), { mode: 0o644 });
    const connection = await it.world.connect({ identity: { file } });
    await connection[Symbol.asyncDispose]();
    expect(await it.world.leftovers()).toEqual([]);
  });

  test("keys of an agent", async () => {
    await using it = await started();
    const { sshd, world } = it;
    const socket = join(sshd.directory, "agent");
    const { stdout } = await run("ssh-agent", ["-a", socket]);
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1]);
    try {
      const env = { ...world.options.env, SSH_AUTH_SOCK: socket };
      await run("ssh-add", ["-q", sshd.identity], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      await using connection = await world.connect({ identity: undefined, env });
      expect(await names(await connection.sftp(never), sshd.remotePath)).toEqual([]);
    } finally {
      process.kill(pid);
    }
    const dead = await world.failure({ identity: undefined, env: { ...world.options.env, SSH_AUTH_SOCK: socket } });
    expect(dead).toMatchObject({ code: "AUTH_FAILED", message: expect.stringContaining("default keys") as string });
  });

  test("a port where nobody listens, a name that nobody has", async () => {
    await using it = await started();
    const [port] = await freePorts(1);
    const refused = await it.world.failure({ port });
    expect(refused).toMatchObject({ code: "CONNECTION_REFUSED", transient: true });
    expect(refused.message).toContain(`${port}`);
    const unknown = await it.world.failure({ remote: { host: "nas.invalid", directory: "" } });
    expect(unknown).toMatchObject({ code: "HOST_UNKNOWN" });
    expect(await it.world.leftovers()).toEqual([]);
  });

  test("a port that stays silent: time-out, and abort", async () => {
    await using it = await started();
    const server = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const silent = await it.world.failure({ port, timeoutMs: 1000 });
    expect(silent).toMatchObject({ code: "TIMEOUT", transient: true });

    const controller = new AbortController();
    const connecting = it.world.connect({ port }, controller.signal);
    await once(server, "connection");
    controller.abort();
    await expect(connecting).rejects.toMatchObject({ code: "ABORTED" });
    expect(await it.world.leftovers()).toEqual([]);
    server.close();
  });

  test("what could be taken for an option or a command is refused", async () => {
    await using it = await started();
    for (const host of ["-oProxyCommand=touch x", "a b", "a\nb", "$(touch x)", ""])
      expect(await it.world.failure({ remote: { host, directory: "" } })).toMatchObject({ code: "USAGE" });
    const user = "-l";
    expect(await it.world.failure({ remote: { user, host: "nas", directory: "" } })).toMatchObject({ code: "USAGE" });
  });
});
