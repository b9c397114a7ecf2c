import { BackupError, checkHome, definePlugin, dumpLayout } from "@backup/core";
import { HOST_OPTIONS } from "@backup/transport-rsync/options";
import { parseRemote } from "@backup/transport-rsync/remote";
import { parseServer } from "./server.js";
import { splitWords } from "./split-words.js";

// What does the work is loaded when it is used: a list of all types needs none of it.

/** How a server is reached, of a backup and of a restore. */
const ACCESS_OPTIONS = {
  srcsecret: {
    type: "string",
    isSecret: true,
    describe:
      "File with the password, an absolute path; default /backup/USER@HOST.password; by a socket none is needed",
  },
  socket: { type: "string", describe: "Unix socket of a server on localhost; default: where its client programs look" },
  tls: {
    type: "string",
    choices: ["verify", "none"],
    describe:
      "Whether the connection is protected; default: none on the same machine, else verify, certificate and name",
  },
  "tls-ca": {
    type: "string",
    describe: "PEM file with the certificate authority of the server, beside those of the system",
  },
  exec: {
    type: "string",
    array: true,
    describe: "Run the client programs by this command, as 'docker exec -i db'; or a word of it each time it is given",
  },
  ssh: { type: "string", describe: "Run the client programs on this host, [user@]host[:port]" },
  "ssh-secret": {
    type: "string",
    isSecret: true,
    describe: "File with the key for --ssh, an absolute path; default /backup/HOST.id_rsa, HOST.id_ed25519",
  },
  "ssh-passphrase": {
    type: "string",
    isSecret: true,
    describe: "File with the passphrase of that key, an absolute path; default /backup/HOST.passphrase",
  },
  database: { type: "string", array: true, describe: "Only databases that match this glob; repeatable" },
  "exclude-database": { type: "string", array: true, describe: "Leave out databases that match this glob; repeatable" },
  ...HOST_OPTIONS,
} as const;

const SERVER = {
  name: "server",
  describe: "[user@]host[:port][/database]; localhost without a port is its socket",
} as const;

/** `backup mysql`: every database of a server as a file, by the server's own client programs. */
export const mysqlPlugin = definePlugin({
  kind: "source",
  name: "mysql",
  summary: "dump the databases of a MySQL or MariaDB server, its users and grants",
  positionals: [SERVER, { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" }],
  options: {
    ...ACCESS_OPTIONS,
    split: {
      type: "string",
      choices: ["none", "table"],
      default: "none",
      describe: "A file for each database, or for each table; then tables are not of one point in time",
    },
    compress: {
      type: "string",
      choices: ["gzip", "zstd", "none"],
      default: "gzip",
      describe: "How files are compressed; gzip and zstd so that a small change changes little of the file",
    },
    "skip-users": { type: "boolean", describe: "Leave out users, roles and grants" },
    "dump-timeout": {
      type: "number",
      default: 600,
      describe: "Seconds of silence of a dump until it is given up, because it waits for a lock",
    },
  },
  examples: [
    ["backup mysql localhost /backup/db", "all databases, by the socket"],
    [
      "backup mysql backup@db.example.org nas:backups/db --hist",
      "from another host by TLS, to one by ssh, a snapshot each day",
    ],
    ["backup mysql root@localhost /backup/db --exec 'docker exec -i db'", "by the client programs in a container"],
    [
      "backup mysql localhost/shop /backup/shop --ssh db.example.org --split table",
      "one database, by those of another host",
    ],
  ],
  check(args) {
    checkAccess(args);
    if (!(args.dumpTimeout > 0 && args.dumpTimeout <= 86_400))
      throw new BackupError("USAGE", "--dump-timeout takes a number of seconds above 0, up to 86400 (a day)");
  },
  host: ({ server, ssh }) => (ssh === undefined ? parseServer(server).host : parseSsh(ssh).host),
  layout: () => dumpLayout,
  async create(args, context) {
    const { openMysqlSource } = await import("./open-mysql.js");
    return await openMysqlSource(args, context);
  },
  restore: {
    summary: "bring databases back to a MySQL or MariaDB server; those that are there and not empty are left alone",
    positionals: [{ name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" }, SERVER],
    options: {
      ...ACCESS_OPTIONS,
      overwrite: { type: "boolean", describe: "Drop a database that is there, and restore it" },
      users: { type: "boolean", describe: "Users, roles and grants too: who is there keeps the password" },
    },
    examples: [
      ["backup restore mysql /backup/db root@localhost --users", "everything, to an empty server"],
      [
        "backup restore mysql /backup/db localhost --database shop --overwrite --snapshot 2026-11-01",
        "a database as it was",
      ],
    ],
    check: checkAccess,
    async open(args, context) {
      const { openMysqlTarget } = await import("./open-mysql.js");
      return await openMysqlTarget(args, context);
    },
  },
});

export interface AccessArguments {
  readonly server: string;
  readonly dest: string;
  readonly srcsecret?: string | undefined;
  readonly socket?: string | undefined;
  readonly tls?: "verify" | "none" | undefined;
  readonly tlsCa?: string | undefined;
  readonly exec: readonly string[];
  readonly ssh?: string | undefined;
  readonly sshSecret?: string | undefined;
  readonly sshPassphrase?: string | undefined;
  readonly database: readonly string[];
  readonly excludeDatabase: readonly string[];
  readonly sshPort?: number | undefined;
  readonly sshConfig?: string | undefined;
  readonly knownHosts?: string | undefined;
  readonly hostKeyFingerprint?: string | undefined;
}

/** @throws BackupError USAGE */
function checkAccess(args: AccessArguments): void {
  const { srcsecret, socket, tlsCa, ssh, sshSecret, sshPassphrase, exec } = args;
  checkHome({
    "--srcsecret": srcsecret,
    "--socket": socket,
    "--tls-ca": tlsCa,
    "--ssh-secret": sshSecret,
    "--ssh-passphrase": sshPassphrase,
  });
  const { host, port, database } = parseServer(args.server);
  if (socket !== undefined && (host !== "localhost" || port !== undefined))
    throw new BackupError("USAGE", "--socket is for a server on localhost, without a port");
  if (database !== undefined && args.database.length > 0)
    throw new BackupError("USAGE", `${args.server} names one database, and --database others; leave one of them out`);
  if (ssh !== undefined) parseSsh(ssh);
  else if ((sshSecret ?? sshPassphrase) !== undefined)
    throw new BackupError("USAGE", "--ssh-secret and --ssh-passphrase are for the host of --ssh");
  if (exec.length > 0 && wordsOf(exec).length === 0) throw new BackupError("USAGE", "--exec is empty; name a command");
}

/** One text is a command line, several are its words. @throws BackupError USAGE */
export function wordsOf(exec: readonly string[]): readonly string[] {
  const [only] = exec;
  return exec.length === 1 && only !== undefined ? splitWords(only) : exec;
}

/** @throws BackupError USAGE */
export function parseSsh(text: string): {
  readonly user?: string;
  readonly host: string;
  readonly port: number | undefined;
} {
  const [, where = "", port] = /^(.*?)(?::(\d{1,5}))?$/s.exec(text) ?? [];
  const remote = parseRemote(`${where}:`);
  if (remote?.directory !== "") throw new BackupError("USAGE", `--ssh takes [user@]host[:port], not '${text}'`);
  const { user, host } = remote;
  return { ...(user === undefined ? {} : { user }), host, port: port === undefined ? undefined : Number(port) };
}
