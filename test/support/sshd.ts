import { execFile } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Daemon, startDaemon, waitForGreeting } from "./daemon.js";
import { freePorts } from "./free-port.js";
import { descendantsOf, killAll, killTree } from "./process-tree.js";
import { sshdConfig } from "./sshd-config.js";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.js";

const run = promisify(execFile);

export type KeyType = "ed25519" | "rsa" | "ecdsa";

export interface SshdOptions {
  /** `chroot`: ForceCommand internal-sftp below a ChrootDirectory, no shell. Default: a normal account. */
  readonly account?: "normal" | "chroot";
  /** Forced command of the keys, with `restrict`; gets the directory for backups: `` (d) => `rrsync ${d}` ``. */
  readonly keyCommand?: (directory: string) => string;
  /** Who serves SFTP. Default `internal`; `external` is /usr/lib/openssh/sftp-server run by the login shell. */
  readonly sftp?: "internal" | "external" | "none";
  /** The login shell prints this line before it does what it is asked for. Takes `sftp: "external"`. */
  readonly banner?: string;
  /** The PATH of the account has a few small programs and no rsync. */
  readonly withoutRsync?: boolean;
  /** Default ed25519. */
  readonly hostKeyTypes?: readonly KeyType[];
  /** Lines for sshd_config, before all others: the first one counts. */
  readonly extraConfig?: string;
}

export interface HostKey {
  /** `ssh-ed25519 AAAA…` */
  readonly line: string;
  /** `SHA256:…` */
  readonly fingerprint: string;
}

export interface Sshd extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** Logs in by key. */
  readonly user: string;
  /** The server's own files; tests may put theirs there. */
  readonly directory: string;
  /** File of the private key that is authorized: ed25519, no passphrase. */
  readonly identity: string;
  /** The host's keys, as in `hostKeyTypes`; changed by `restart`. */
  readonly hostKeys: readonly HostKey[];
  /** A known_hosts file with the first of them; not changed by `restart`. */
  readonly knownHosts: string;
  /** An empty directory on the host, as this machine sees it, and as the account does. */
  readonly path: string;
  readonly remotePath: string;
  /** Makes a key and authorizes it; returns the file of the private one, 0600. */
  addKey(type: KeyType, passphrase?: string): Promise<string>;
  /** Ends all connections, with no farewell; the server goes on. */
  cut(): Promise<void>;
  /** Ends the server and all connections. */
  stop(): Promise<void>;
  /** Starts it again at the same port, after `stop` too. */
  restart(options?: { readonly newHostKeys?: boolean }): Promise<void>;
  /** What the server logged since its last start. */
  log(): string;
}

/**
 * Starts a private OpenSSH server at 127.0.0.1; it needs root. A command of the account has an empty HOME, but begins
 * in the user's real home directory: name directories by absolute paths.
 */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const directory = await temporaryDirectory();
  const jail = await makeJail(options);
  try {
    return await startIn(directory, jail, options);
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    await jail?.[Symbol.asyncDispose]();
    throw error;
  }
}

/** sshd wants a directory that nobody but root can write to, with all above it: /tmp is none. */
async function makeJail({ account }: SshdOptions): Promise<TemporaryDirectory | undefined> {
  if (account !== "chroot") return undefined;
  const path = await mkdtemp("/var/lib/bk-");
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function startIn(
  directory: TemporaryDirectory,
  jail: TemporaryDirectory | undefined,
  options: SshdOptions,
): Promise<Sshd> {
  const root = directory.path;
  const types = options.hostKeyTypes ?? ["ed25519"];
  const authorizedKeys = join(root, "authorized_keys");
  const remotePath = jail ? "/data" : join(root, "data");
  const path = jail ? join(jail.path, remotePath) : remotePath;
  const [port = 0] = await freePorts(1);
  const user = userInfo().username;
  const prefix = options.keyCommand ? `command=${JSON.stringify(options.keyCommand(path))},restrict ` : "";

  const addKey = async (type: KeyType, passphrase = ""): Promise<string> => {
    const file = join(await mkdtemp(join(root, "key-")), `id_${type}`);
    await makeKey(file, type, passphrase);
    await appendFile(authorizedKeys, prefix + (await readFile(`${file}.pub`, "utf8")));
    return file;
  };
  const hostKeyFile = (type: KeyType): string => join(root, `host_${type}`);
  const makeHostKeys = async (): Promise<readonly HostKey[]> =>
    Promise.all(
      types.map(async (type) => {
        await rm(hostKeyFile(type), { force: true });
        await makeKey(hostKeyFile(type), type, "");
        return readHostKey(hostKeyFile(type));
      }),
    );

  // Its directory for privilege separation: fixed when it was compiled.
  await mkdir("/run/sshd", { recursive: true });
  await mkdir(path);
  await mkdir(join(root, "home"));
  if (options.withoutRsync) await makePrograms(join(root, "bin"));
  const identity = await addKey("ed25519");
  let hostKeys = await makeHostKeys();
  const knownHosts = join(root, "known_hosts");
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${hostKeys[0]?.line}\n`);
  const config = { ...options, root, jail: jail?.path, port, authorizedKeys, hostKeyFiles: types.map(hostKeyFile) };
  await writeFile(join(root, "sshd_config"), sshdConfig(config));

  let daemon = await startDaemonIn(root, port);
  const stop = async (): Promise<void> => {
    // Found before its end, which makes them nobody's children; killed after it, which lets no new ones in.
    const sessions = await descendantsOf(daemon.pid);
    await daemon.stop();
    killAll(sessions);
  };
  return {
    host: "127.0.0.1",
    port,
    user,
    directory: root,
    identity,
    get hostKeys() {
      return hostKeys;
    },
    knownHosts,
    path,
    remotePath,
    addKey,
    cut: () => killTree(daemon.pid),
    stop,
    async restart({ newHostKeys = false } = {}) {
      await stop();
      if (newHostKeys) hostKeys = await makeHostKeys();
      daemon = await startDaemonIn(root, port);
    },
    log: () => daemon.output(),
    async [Symbol.asyncDispose]() {
      await stop();
      await jail?.[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function startDaemonIn(root: string, port: number): Promise<Daemon> {
  const args = ["-D", "-e", "-f", join(root, "sshd_config")];
  const daemon = await startDaemon({ command: "/usr/sbin/sshd", args });
  try {
    await waitForGreeting(port, "SSH-2.0-", daemon);
  } catch (error) {
    await daemon.stop();
    throw new Error(`sshd does not start: ${daemon.output()}`, { cause: error });
  }
  return daemon;
}

async function makeKey(file: string, type: KeyType, passphrase: string): Promise<void> {
  const size = type === "rsa" ? ["-b", "2048"] : [];
  await run("ssh-keygen", ["-q", "-t", type, ...size, "-N", passphrase, "-C", "test", "-f", file]);
}

async function readHostKey(file: string): Promise<HostKey> {
  const [type, base64] = (await readFile(`${file}.pub`, "utf8")).split(" ");
  const { stdout } = await run("ssh-keygen", ["-l", "-f", `${file}.pub`]);
  return { line: `${type} ${base64}`, fingerprint: stdout.split(" ")[1] ?? "" };
}

async function makePrograms(directory: string): Promise<void> {
  await mkdir(directory);
  for (const name of ["sh", "cat", "ls", "mkdir", "mv", "rm", "find", "sync"])
    await symlink(`/usr/bin/${name}`, join(directory, name));
}
