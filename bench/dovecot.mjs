/** A private Dovecot 2.3 on a free loopback port with TLS. It ends with the benchmark. */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { config } from "./dovecot-config.mjs";
import { connect } from "./imap-client.mjs";

const STARTUP_MS = 10_000;

/**
 * @typedef {object} Server
 * @property {number} port  implicit TLS, on localhost
 * @property {string} user
 * @property {string} password
 * @property {string} secretFile holds the password and a newline; mode 0600
 * @property {string} caFile     the self-signed certificate of localhost
 * @property {() => Promise<void>} stop
 */

/**
 * Serves one Maildir++ to the user alice.
 *
 * @param {{ maildir: string, compress: boolean }} options compress: offer COMPRESS=DEFLATE (off in a stock Dovecot)
 * @returns {Promise<Server>}
 */
export const startDovecot = async ({ maildir, compress }) => {
  const dir = mkdtempSync(join(tmpdir(), "bench-")); // short: Dovecot's sockets live below it
  const port = await freePort();
  const [user, password] = ["alice", "secret"];
  for (const sub of ["run", "state"]) mkdirSync(join(dir, sub));
  chmodSync(dir, 0o755);
  const [secretFile, caFile] = [join(dir, "secret"), join(dir, "cert.pem")];
  writeFileSync(secretFile, `${password}\n`, { mode: 0o600 });
  writeFileSync(join(dir, "passwd"), `${user}:{PLAIN}${password}::::::\n`);
  const certificate = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" ");
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", join(dir, "key.pem"), "-out", caFile];
  execFileSync("openssl", [...certificate, ...names, ...files], { stdio: "ignore" });
  writeFileSync(join(dir, "dovecot.conf"), config({ dir, port, maildir, compress }));
  const output = openSync(join(dir, "output"), "w");
  const master = spawn("dovecot", ["-F", "-c", join(dir, "dovecot.conf")], { stdio: ["ignore", output, output] });
  const ended = new Promise((resolve) => master.once("exit", resolve).once("error", resolve));

  const stop = async () => {
    if (master.exitCode === null && master.signalCode === null) master.kill("SIGTERM");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  const server = { port, user, password, secretFile, caFile, stop };
  try {
    await answering(server, master);
  } catch (error) {
    const log = ["output", "log"].map((name) => readIfThere(join(dir, name))).join("");
    await stop();
    const hint = log.includes("Permission denied")
      ? "\nIts user must reach the cache: --cache DIR puts it elsewhere."
      : "";
    throw new Error(`Dovecot does not serve ${maildir}\n${log.trim()}${hint}`, { cause: error });
  }
  return server;
};

/**
 * @param {Server} server
 * @param {import("node:child_process").ChildProcess} master
 */
const answering = async (server, master) => {
  const until = performance.now() + STARTUP_MS;
  for (;;) {
    try {
      const client = await connect({ ...server, ca: readFileSync(server.caFile, "utf8") });
      await client.command("EXAMINE INBOX");
      await client.logout();
      return;
    } catch (error) {
      if (error.code !== "ECONNREFUSED" || master.exitCode !== null || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
};

/** @param {string} path */
const readIfThere = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return "";
    throw error;
  }
};

/** @returns {Promise<number>} */
const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
