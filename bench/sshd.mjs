/** A private OpenSSH server on a free loopback port. It ends with the benchmark, and touches neither /etc/ssh nor ~/.ssh. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const STARTUP_MS = 10_000;

/**
 * @typedef {object} Sshd
 * @property {number} port
 * @property {string} user       who may log in: the one who runs the benchmark
 * @property {string} keyFile    the private key, without a passphrase
 * @property {string} knownHosts the file that holds the server's key
 * @property {(port: number) => void} trust says in knownHosts that the server is behind this port too
 * @property {() => Promise<void>} stop
 */

/** @returns {Promise<Sshd>} */
export const startSshd = async () => {
  const dir = mkdtempSync(join(tmpdir(), "bench-ssh-"));
  const [hostKey, keyFile, knownHosts] = ["host", "id", "known_hosts"].map((name) => join(dir, name));
  const port = await freePort();
  for (const file of [hostKey, keyFile]) execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  copyFileSync(`${keyFile}.pub`, join(dir, "authorized_keys"));
  const trust = (at) => {
    const [type, key] = readFileSync(`${hostKey}.pub`, "utf8").split(" ");
    appendFileSync(knownHosts, `[127.0.0.1]:${at} ${type} ${key}\n`, { mode: 0o600 });
  };
  trust(port);
  writeFileSync(join(dir, "sshd_config"), config({ dir, port, hostKey }));
  // The one thing outside of `dir`: where sshd separates privileges is compiled in.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const log = openSync(join(dir, "log"), "w");
  // Its path must be absolute: it starts itself anew for every connection.
  const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", join(dir, "sshd_config")], { stdio: ["ignore", log, log] });
  const ended = new Promise((resolve) => server.once("exit", resolve).once("error", resolve));

  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) server.kill("SIGTERM");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await answering(port, server);
  } catch (error) {
    const said = readFileSync(join(dir, "log"), "utf8").trim();
    await stop();
    throw new Error(`sshd does not start\n${said}`, { cause: error });
  }
  return { port, user: userInfo().username, keyFile, knownHosts, trust, stop };
};

/** @param {{ dir: string, port: number, hostKey: string }} options */
const config = ({ dir, port, hostKey }) => `
ListenAddress 127.0.0.1
Port ${port}
HostKey ${hostKey}
PidFile ${join(dir, "pid")}
AuthorizedKeysFile ${join(dir, "authorized_keys")}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
Subsystem sftp internal-sftp
`;

/**
 * @param {number} port
 * @param {import("node:child_process").ChildProcess} server
 */
const answering = async (port, server) => {
  const until = performance.now() + STARTUP_MS;
  for (;;) {
    const socket = connect({ port, host: "127.0.0.1" });
    try {
      await once(socket, "data");
      return;
    } catch (error) {
      if (error.code !== "ECONNREFUSED" || server.exitCode !== null || performance.now() > until) throw error;
      await sleep(50);
    } finally {
      socket.destroy();
    }
  }
};

/** @returns {Promise<number>} */
const freePort = async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
};
