import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Certificate, makeCertificate, writeCertificate } from "./certificate.js";
import { CYRUS_BIN, imapdConfig, masterConfig } from "./cyrus-config.js";
import { startDaemon, waitForGreeting } from "./daemon.js";
import { freePorts } from "./free-port.js";
import { DEFAULT_USERS, type MailServer } from "./mail-server.js";
import { temporaryDirectory } from "./temporary-directory.js";

const run = promisify(execFile);

// Debian's cyrus-imapd conflicts with dovecot-imapd; `npm test` unpacks it here without installing it.
const IMAPD = fileURLToPath(new URL("../../node_modules/.cache/cyrus/usr/lib/cyrus/bin/imapd", import.meta.url));

export interface CyrusOptions {
  /** Passwords by user name. Default: alice/secret, bob/secret. */
  readonly users?: Readonly<Record<string, string>>;
  /** Hierarchy separator. Default `/`. */
  readonly separator?: "/" | ".";
  /** Lines for the end of imapd.conf. */
  readonly extraConfig?: string;
  readonly certificate?: Certificate;
}

/** Starts a private Cyrus 3.6 (Debian package cyrus-common, imapd of cyrus-imapd); it needs root. */
export async function startCyrus(options: CyrusOptions = {}): Promise<MailServer> {
  await access(IMAPD).catch(() => {
    throw new Error(`${IMAPD} is missing: run \`npm test\` once, it downloads it`);
  });
  const users = options.users ?? DEFAULT_USERS;
  const directory = await temporaryDirectory();
  const root = directory.path;
  try {
    for (const name of ["conf", "conf/socket", "conf/proc", "conf/db", "conf/log", "spool"]) {
      await mkdir(join(root, name));
    }
    for (const [user, password] of Object.entries(users)) await addUser(join(root, "sasldb"), user, password);
    const files = await writeCertificate(options.certificate ?? (await makeCertificate()), root);
    const [tlsPort = 0, starttlsPort = 0] = await freePorts(2);
    const { separator = "/", extraConfig = "" } = options;
    const config = { root, tlsPort, starttlsPort, ...files, separator, extraConfig };
    await writeFile(join(root, "imapd.conf"), imapdConfig(config));
    await writeFile(join(root, "cyrus.conf"), masterConfig(config, IMAPD));
    await run("chown", ["-R", "cyrus:mail", root]);
    await chmod(root, 0o755);

    const args = ["-C", join(root, "imapd.conf"), "-M", join(root, "cyrus.conf"), "-p", join(root, "master.pid")];
    const as = { user: "cyrus", group: "mail" };
    const daemon = await startDaemon({ command: `${CYRUS_BIN}/master`, args, as });
    try {
      await waitForGreeting(starttlsPort, "* OK", daemon);
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    const stop = async (): Promise<void> => {
      await daemon.stop();
      await directory[Symbol.asyncDispose]();
    };
    return {
      tlsPort,
      starttlsPort,
      users,
      stop,
      caFile: files.certFile,
      configDir: root,
      mailDir: (user) => join(root, "spool", user[0] ?? "", "user", user),
      // Cyrus logs to syslog, which a container has not: what is left is what it writes to stderr.
      log: () => Promise.resolve(daemon.output()),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

async function addUser(sasldb: string, user: string, password: string): Promise<void> {
  const child = spawn("saslpasswd2", ["-p", "-c", "-f", sasldb, "-u", "localhost", user], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin.end(password);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`saslpasswd2 ended with ${code}`);
}
