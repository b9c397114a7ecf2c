import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { makeCertificate, writeCertificate } from "./certificate.js";
import { type Daemon, startDaemon } from "./daemon.js";
import { freePorts } from "./free-port.js";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.js";

const run = promisify(execFile);

export interface MariadbOptions {
  /** With a certificate for `localhost`; `caFile` is its own authority. */
  readonly tls?: boolean;
  /** More arguments of mariadbd(8). */
  readonly args?: readonly string[];
}

/** A private MariaDB server; root has no password and comes by the socket. */
export interface Mariadb extends AsyncDisposable {
  readonly port: number;
  readonly socket: string;
  /** Its data: a directory for each database. */
  readonly dataDirectory: string;
  readonly caFile: string;
  /** Runs statements as root; gives what mariadb(1) prints, without column names. */
  sql(statements: string, database?: string): Promise<string>;
  stop(): Promise<void>;
  /** Starts it again with the same data. */
  start(): Promise<void>;
}

/** Starts a private MariaDB (Debian packages mariadb-server-core, mariadb-client) at 127.0.0.1. */
export async function startMariadb(options: MariadbOptions = {}): Promise<Mariadb> {
  const directory = await temporaryDirectory();
  try {
    return await startIn(directory, options);
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

async function startIn(directory: TemporaryDirectory, { tls, args = [] }: MariadbOptions): Promise<Mariadb> {
  const root = directory.path;
  const dataDirectory = join(root, "data");
  const socket = join(root, "sock");
  const [port = 0] = await freePorts(1);
  const install = [
    "--no-defaults",
    "--user=root",
    `--tmpdir=${root}`,
    `--datadir=${dataDirectory}`,
    "--skip-test-db",
    "--skip-name-resolve",
  ];
  await run("mariadb-install-db", [...install, "--auth-root-authentication-method=normal"]);
  const { certFile, keyFile } = await writeCertificate(await makeCertificate(), root);
  const arguments_ = [
    "--no-defaults",
    "--user=root",
    `--datadir=${dataDirectory}`,
    `--socket=${socket}`,
    `--pid-file=${join(root, "pid")}`,
    "--bind-address=127.0.0.1",
    `--port=${port}`,
    `--tmpdir=${root}`,
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    "--skip-name-resolve",
    ...(tls ? [`--ssl-cert=${certFile}`, `--ssl-key=${keyFile}`] : []),
    ...args,
  ];
  let daemon: Daemon | undefined;
  const start = async (): Promise<void> => {
    daemon = await startDaemon({ command: "mariadbd", args: arguments_ });
    await waitUntilReady(socket, daemon);
  };
  await start();
  return {
    port,
    socket,
    dataDirectory,
    caFile: certFile,
    sql: (statements, database) => sql(socket, statements, database),
    stop: async () => daemon?.stop(),
    start,
    async [Symbol.asyncDispose]() {
      await daemon?.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function sql(socket: string, statements: string, database?: string): Promise<string> {
  const words = ["--no-defaults", "-uroot", `-S${socket}`, "--batch", "--skip-column-names", "--raw"];
  const options = [
    ...words,
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
    ...(database === undefined ? [] : [database]),
  ];
  const child = spawn("mariadb", options, { stdio: "pipe" });
  child.stdin.on("error", () => {});
  child.stdin.end(statements);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`mariadb ended with ${code}: ${errors}`);
  return output.trimEnd();
}

async function waitUntilReady(socket: string, daemon: Daemon): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const isReady = await sql(socket, "SELECT 1").then(
      () => true,
      () => false,
    );
    if (isReady) return;
    if (daemon.ended) throw new Error(`mariadbd ${daemon.ended}: ${daemon.output()}`);
    if (Date.now() > deadline) throw new Error(`mariadbd is not ready after 60 s: ${daemon.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
