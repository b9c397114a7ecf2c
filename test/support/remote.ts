import { randomBytes } from "node:crypto";
import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Result, type Running, startBackup, writeSecret } from "./command.js";
import type { MailServer } from "./mail-server.js";
import { type Proxy, startProxy } from "./proxy.js";
import { type Sshd, type SshdOptions, startSshd } from "./sshd.js";
import { temporaryDirectory } from "./temporary-directory.js";

/** An account on a host, and what this machine has to reach it. */
export interface RemoteKind {
  readonly name: string;
  readonly sshd: SshdOptions;
  /** For every run. */
  readonly options: readonly string[];
  /** Programs that the command line finds here; undefined: all. */
  readonly programs?: readonly string[];
  /** How files are expected to get there. */
  readonly transport: "rsync" | "sftp";
  /** Whether it can rename and link; otherwise only rsync works, and what moves is sent again. */
  readonly renames: boolean;
}

export const REMOTE = {
  rsync: { name: "rsync", sshd: {}, options: [], transport: "rsync", renames: true },
  sftp: { name: "SFTP as asked for", sshd: {}, options: ["--transport", "sftp"], transport: "sftp", renames: true },
  rrsync: {
    name: "rrsync alone",
    sshd: { keyCommand: (directory) => `/usr/bin/rrsync '${directory}'` },
    options: [],
    transport: "rsync",
    renames: false,
  },
  chroot: { name: "jailed SFTP", sshd: { account: "chroot" }, options: [], transport: "sftp", renames: true },
  withoutRsyncThere: {
    name: "no rsync there",
    sshd: { withoutRsync: true },
    options: [],
    transport: "sftp",
    renames: true,
  },
  withoutRsyncHere: {
    name: "no rsync here",
    sshd: {},
    options: [],
    programs: ["ssh"],
    transport: "sftp",
    renames: true,
  },
  withoutSshHere: {
    name: "SFTP by ssh2: no ssh and no rsync here",
    sshd: {},
    options: [],
    programs: [],
    transport: "sftp",
    renames: true,
  },
} as const satisfies Record<string, RemoteKind>;

/** A host with a proxy before it, and the directories of a user who makes backups there. */
export interface RemoteHost extends AsyncDisposable {
  readonly sshd: Sshd;
  /** All connections go through it. */
  readonly proxy: Proxy;
  /** Holds all that follows. */
  readonly directory: string;
  /** Directory of secrets: BACKUP_DIR. */
  readonly secrets: string;
  /** TMPDIR of the runs. */
  readonly temporary: string;
  /** Has the host's key. */
  readonly knownHosts: string;
  /** DEST for a directory of the host. */
  destination(name: string): string;
  /** That directory as this machine sees it. */
  at(name: string): string;
  /** Options of a destination on the host. */
  readonly options: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export async function openRemote(kind: RemoteKind): Promise<RemoteHost> {
  const directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  for (const name of ["secrets", "tmp", "home", "bin"]) await mkdir(at(name), { mode: 0o700 });
  for (const name of kind.programs ?? []) await symlink(`/usr/bin/${name}`, join(at("bin"), name));
  const sshd = await startSshd(kind.sshd);
  const proxy = await startProxy({ target: sshd.port });
  await writeFile(at("known_hosts"), `[127.0.0.1]:${proxy.port} ${sshd.hostKeys[0]?.line}\n`);
  // rrsync's directory is the root of all that is asked of it.
  const base = kind.sshd.keyCommand ? "" : `${sshd.remotePath}/`;
  return {
    sshd,
    proxy,
    directory: directory.path,
    secrets: at("secrets"),
    temporary: at("tmp"),
    knownHosts: at("known_hosts"),
    destination: (name) => `${sshd.user}@127.0.0.1:${base}${name}`,
    at: (name) => join(sshd.path, name),
    options: ["--ssh-port", `${proxy.port}`, "--dstsecret", sshd.identity].concat(
      ["--known-hosts", at("known_hosts")],
      kind.options,
    ),
    env: {
      HOME: at("home"),
      BACKUP_DIR: at("secrets"),
      TMPDIR: at("tmp"),
      ...(kind.programs === undefined ? {} : { PATH: at("bin") }),
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await sshd[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

export interface RemoteRun {
  readonly host: RemoteHost;
  readonly server: Pick<MailServer, "tlsPort" | "caFile" | "users">;
  /** Account of the mail server. Default alice. */
  readonly user?: string | undefined;
  /** Directory at the host. */
  readonly name: string;
  readonly more?: readonly string[];
}

/** Arguments of `backup imap` with the events as JSON. */
export async function remoteArguments({ host, server, user = "alice", name, more = [] }: RemoteRun) {
  const secret = await writeSecret(host.secrets, `${user}.password`, server.users[user] ?? "");
  return ["imap", user, host.destination(name), `imaps://localhost:${server.tlsPort}`].concat(
    ["--srcsecret", secret, "--tls-ca", server.caFile, "--json"],
    host.options,
    more,
  );
}

export async function startRemote(run: RemoteRun): Promise<Running> {
  return startBackup(await remoteArguments(run), run.host.env);
}

export async function runRemote(run: RemoteRun): Promise<Result> {
  return await (await startRemote(run)).result;
}

export interface RemoteFile {
  /** Below the destination. */
  readonly path: string;
  readonly inode: number;
  readonly links: number;
  readonly size: number;
  readonly mode: number;
  /** Changes with every touch, milliseconds. */
  readonly ctime: number;
}

/** All files of a destination but those of `.backup`. */
export async function remoteFiles(root: string): Promise<readonly RemoteFile[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(`${root}/.backup/`));
  const found = files.map(async (file) => {
    const { ino, nlink, size, mode, ctimeMs } = await stat(file);
    return { path: file.slice(root.length + 1), inode: ino, links: nlink, size, mode: mode & 0o777, ctime: ctimeMs };
  });
  return (await Promise.all(found)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Files and directories that others than the owner may use, as `MODE PATH`. */
export async function exposed(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const lines = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const mode = (await stat(path)).mode & 0o777;
    return mode === (entry.isDirectory() ? 0o700 : 0o600) ? [] : [`${mode.toString(8)} ${path}`];
  });
  return (await Promise.all(lines)).flat();
}

/** What runs left behind that is no backup: here, and in `.backup` of the destination. */
export async function leftovers(host: RemoteHost, name: string): Promise<readonly string[]> {
  const here = await readdir(host.temporary, { recursive: true });
  const there = await readdir(host.at(`${name}/.backup`), { recursive: true }).catch(() => []);
  return [
    ...here.map((file) => `here: ${file}`),
    ...there
      .filter((file) => !["checkpoint.json", "report.json", "tmp"].includes(file))
      .map((file) => `there: ${file}`),
  ];
}

/** Mail that does not get smaller on its way. */
export function incompressible(bytes: number, subject = "large"): Buffer {
  const head = `Subject: ${subject}\r\nContent-Transfer-Encoding: base64\r\n\r\n`;
  const lines =
    randomBytes(Math.ceil((bytes * 57) / 78))
      .toString("base64")
      .match(/.{1,76}/g) ?? [];
  return Buffer.from(`${head}${lines.join("\r\n")}\r\n`);
}
