import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  BackupError,
  type DumpItem,
  type PluginContext,
  type Secret,
  type Source,
  type Target,
  defaultCertificates,
  isBackupError,
  readCertificates,
} from "@backup/core";
import { type RemoteDirectory, findIdentity, openRemoteDirectory } from "@backup/transport-rsync";
import { parseRemote } from "@backup/transport-rsync/remote";
import { MysqlClients } from "./client.js";
import type { Compression } from "./compression.js";
import { type Machine, localMachine, prefixedMachine, sshMachine } from "./machine.js";
import { mysqlSource } from "./mysql-source.js";
import { MysqlTarget } from "./mysql-target.js";
import { type Access, defaultTls } from "./option-file.js";
import { type AccessArguments, parseSsh, wordsOf } from "./plugin.js";
import type { Selection } from "./selection.js";
import { type MysqlServer, parseServer } from "./server.js";

export interface SourceArguments extends AccessArguments {
  readonly split: "none" | "table";
  readonly compress: Compression;
  readonly skipUsers: boolean;
  /** Seconds. */
  readonly dumpTimeout: number;
}

export interface TargetArguments extends AccessArguments {
  readonly overwrite: boolean;
  readonly users: boolean;
}

/** Silence after which the host of --ssh counts as lost, milliseconds. */
const SSH_TIMEOUT_MS = 60_000;

/** Connects to nothing yet. @throws BackupError USAGE, SECRET_MISSING, SECRET_UNREADABLE */
export async function openMysqlSource(args: SourceArguments, context: PluginContext): Promise<Source<DumpItem>> {
  const { clients, selection, dispose } = await openServer(args, context);
  return mysqlSource({
    clients,
    selection,
    dispose,
    runner: context,
    onEvent: context.onEvent,
    split: args.split,
    users: !args.skipUsers,
    compression: args.compress,
    silenceMs: args.dumpTimeout * 1000,
  });
}

/** The same for what a backup is brought back to. */
export async function openMysqlTarget(args: TargetArguments, context: PluginContext): Promise<Target> {
  const { clients, selection, dispose } = await openServer(args, context);
  const { users, overwrite } = args;
  const temporaryDirectory = (): Promise<string> => context.temporaryDirectory();
  return new MysqlTarget({ clients, selection, dispose, runner: context, users, overwrite, temporaryDirectory });
}

interface OpenServer {
  readonly clients: MysqlClients;
  readonly selection: Selection;
  readonly dispose: () => Promise<void>;
}

async function openServer(args: AccessArguments, context: PluginContext): Promise<OpenServer> {
  const server = parseServer(args.server);
  const prefix = wordsOf(args.exec);
  const isFar = prefix.length > 0 || args.ssh !== undefined;
  const tls = args.tls ?? defaultTls(server);
  const rights: Access = {
    server,
    password: await passwordOf(server, args, context),
    socket: args.socket,
    tls,
    tlsCa: tls === "none" ? undefined : await certificatesFor(args.tlsCa, { isFar, context }),
  };
  const remote = args.ssh === undefined ? undefined : await openSsh(args.ssh, args, context);
  return {
    clients: new MysqlClients(machineOf(remote, { ssh: args.ssh, prefix }, context), rights),
    selection: selectionOf(server, args),
    dispose: async () => await remote?.[Symbol.asyncDispose](),
  };
}

function machineOf(
  remote: RemoteDirectory | undefined,
  { ssh = "", prefix }: { readonly ssh: string | undefined; readonly prefix: readonly string[] },
  context: PluginContext,
): Machine {
  if (!remote && prefix.length > 0) return prefixedMachine(context, prefix, context.env);
  if (!remote) return localMachine({ runner: context, temporaryDirectory: () => context.temporaryDirectory() });
  const shell = async () => {
    const reach = await remote.reach(context.signal);
    if (reach.shell) return reach.shell;
    throw new BackupError("TRANSPORT_MISSING", `${ssh} cannot be used by programs`);
  };
  const name = prefix.length > 0 ? `${ssh} by ${prefix.join(" ")}` : ssh;
  return sshMachine(context, { name, shell, prefix });
}

/** By a socket an account may be let in for what it is. */
async function passwordOf(
  server: MysqlServer,
  { srcsecret }: AccessArguments,
  context: PluginContext,
): Promise<Secret | undefined> {
  const { user, host, port } = server;
  const partner = user === undefined ? host : `${user}@${host}`;
  try {
    return await context.secret({ partner, extensions: [".password"] });
  } catch (error) {
    const isNeeded = srcsecret !== undefined || host !== "localhost" || port !== undefined;
    if (!isNeeded && isBackupError(error, "SECRET_MISSING")) return undefined;
    throw error;
  }
}

/** A file of certificates; one that is given for client programs on another machine is there. */
async function certificatesFor(
  given: string | undefined,
  { isFar, context }: { readonly isFar: boolean; readonly context: PluginContext },
): Promise<string | undefined> {
  if (isFar) return given;
  const own = given === undefined ? [] : await readCertificates(given, "--tls-ca");
  const file = join(await context.temporaryDirectory(), "authorities.pem");
  await writeFile(file, [...defaultCertificates(), ...own].join("\n"), { mode: 0o600 });
  return file;
}

async function openSsh(ssh: string, args: AccessArguments, context: PluginContext): Promise<RemoteDirectory> {
  const { port, ...remote } = parseSsh(ssh);
  const { secretsDirectory, env, onEvent } = context;
  // What is said once, of the port and the key of a host, is said of the destination where that is a host.
  const own = parseRemote(args.dest) ? {} : { port: args.sshPort, hostKeyFingerprint: args.hostKeyFingerprint };
  return await openRemoteDirectory({
    ...own,
    ...(port === undefined ? {} : { port }),
    remote: { ...remote, directory: "" },
    sshConfig: args.sshConfig,
    knownHosts: args.knownHosts,
    identity: await findIdentity({
      parameter: args.sshSecret,
      option: "--ssh-secret",
      host: remote.host,
      directory: secretsDirectory,
    }),
    passphraseFile: args.sshPassphrase,
    secretsDirectory,
    env,
    onEvent,
    timeoutMs: SSH_TIMEOUT_MS,
  });
}

function selectionOf({ database }: MysqlServer, args: AccessArguments): Selection {
  const include = database === undefined ? args.database : [database.replace(/[\\*?[\]{}()!+@|]/g, "\\$&")];
  return { include, exclude: args.excludeDatabase };
}
