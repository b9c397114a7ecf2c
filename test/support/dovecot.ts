import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Certificate, makeCertificate, writeCertificate } from "./certificate.js";
import { startDaemon, waitForGreeting } from "./daemon.js";
import { dovecotConfig } from "./dovecot-config.js";
import { freePorts } from "./free-port.js";
import { DEFAULT_USERS, type MailServer } from "./mail-server.js";
import { temporaryDirectory } from "./temporary-directory.js";

const run = promisify(execFile);

export interface DovecotOptions {
  /** Passwords by user name. Default: alice/secret, bob/secret. */
  readonly users?: Readonly<Record<string, string>>;
  /** Hierarchy separator. Default `/`. */
  readonly separator?: "/" | ".";
  /** Default `maildir:~/Maildir`, where a name cannot hold `.`; `maildir:~/Maildir:LAYOUT=fs` has names with dots. */
  readonly mailLocation?: string;
  /** A finished backup: every user sees a copy of this tree, so that opening it leaves nothing in the original. */
  readonly tree?: string;
  /** How many IMAP processes, which is sessions, there may be at once. Default 100. */
  readonly processLimit?: number;
  /** How many sessions one user may have at once; more are refused after the login. Default 100. */
  readonly connectionLimit?: number;
  /** Lines for the end of dovecot.conf. */
  readonly extraConfig?: string;
  readonly certificate?: Certificate;
}

/** Starts a private Dovecot 2.3 (Debian package dovecot-imapd); it needs root. */
export async function startDovecot(options: DovecotOptions = {}): Promise<MailServer> {
  const users = options.users ?? DEFAULT_USERS;
  const directory = await temporaryDirectory();
  const root = directory.path;
  try {
    await prepare(root, users);
    if (options.tree) await copyTree(options.tree, join(root, "tree"));
    const files = await writeCertificate(options.certificate ?? (await makeCertificate()), root);
    const [tlsPort = 0, starttlsPort = 0] = await freePorts(2);
    const ownLocation = options.tree ? treeLocation(join(root, "tree")) : "maildir:~/Maildir";
    const config = dovecotConfig({
      root,
      tlsPort,
      starttlsPort,
      ...files,
      separator: options.separator ?? "/",
      mailLocation: options.mailLocation ?? ownLocation,
      processLimit: options.processLimit ?? 100,
      connectionLimit: options.connectionLimit ?? 100,
      extraConfig: options.extraConfig ?? "",
    });
    await writeFile(join(root, "dovecot.conf"), config);

    const daemon = await startDaemon({ command: "/usr/sbin/dovecot", args: ["-F", "-c", join(root, "dovecot.conf")] });
    const stop = async (): Promise<void> => {
      await daemon.stop();
      await directory[Symbol.asyncDispose]();
    };
    const log = async (): Promise<string> => daemon.output() + (await readFile(join(root, "log"), "utf8"));
    try {
      await waitForGreeting(starttlsPort, "* OK", daemon);
    } catch (error) {
      const text = await log().catch(() => "no log");
      await daemon.stop();
      throw new Error(`Dovecot does not start: ${text}`, { cause: error });
    }
    return {
      tlsPort,
      starttlsPort,
      users,
      log,
      stop,
      caFile: files.certFile,
      configDir: root,
      mailDir: (user) => (options.tree ? join(root, "tree") : join(root, "mail", user, "Maildir")),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

/** How Dovecot opens a finished backup: our layout is its `fs` layout with names in UTF-8. */
function treeLocation(tree: string): string {
  return `maildir:${tree}:LAYOUT=fs:INBOX=${tree}/INBOX:UTF-8`;
}

async function prepare(root: string, users: Readonly<Record<string, string>>): Promise<void> {
  // Dovecot's login and mail processes are other users: they must pass.
  await chmod(root, 0o755);
  for (const name of ["run", "state", "mail"]) await mkdir(join(root, name));
  await run("chown", ["mail:mail", join(root, "mail")]);
  // In base64, since a password may hold `:`.
  const lines = Object.entries(users).map(
    ([user, password]) => `${user}:{PLAIN.b64}${Buffer.from(password).toString("base64")}::::::\n`,
  );
  await writeFile(join(root, "passwd"), lines.join(""));
}

/** With its times, since they are the messages' INTERNALDATE; owned by who reads mail. */
async function copyTree(from: string, to: string): Promise<void> {
  await run("cp", ["-a", from, to]);
  await run("chown", ["-R", "mail:mail", to]);
}
