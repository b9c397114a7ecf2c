import { connect } from "node:net";
import { join } from "node:path";
import { type Daemon, startDaemon } from "./daemon.js";
import { freePorts } from "./free-port.js";
import { temporaryDirectory } from "./temporary-directory.js";

export interface RedisOptions {
  readonly password?: string;
  /** Files of a certificate: then it speaks TLS alone. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

/** A private redis-server on loopback that keeps what it is told (append-only file). */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
  /** Again, with what it had. */
  start(): Promise<void>;
}

export async function startRedis({ password, tls }: RedisOptions = {}): Promise<RedisServer> {
  const directory = await temporaryDirectory();
  const [port = 0] = await freePorts(1);
  const scheme = tls ? "rediss" : "redis";
  const ports = tls
    ? ["--port", "0", "--tls-port", String(port), "--tls-cert-file", tls.certFile, "--tls-key-file", tls.keyFile]
    : ["--port", String(port)];
  let daemon: Daemon | undefined;
  const start = async (): Promise<void> => {
    daemon = await startDaemon({
      command: "redis-server",
      args: [
        "--bind=127.0.0.1",
        ...ports,
        `--dir=${directory.path}`,
        `--unixsocket=${join(directory.path, "s")}`,
        "--save=",
        "--appendonly=yes",
        ...(tls ? ["--tls-auth-clients=no"] : []),
        ...(password === undefined ? [] : [`--requirepass=${password}`]),
      ].flatMap(wordsOf),
    });
    await waitForPort(port, daemon);
  };
  const stop = async (): Promise<void> => daemon?.stop();
  await start();
  return {
    port,
    url: `${scheme}://localhost:${port}`,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** `--dir=x` as redis-server reads it. */
function wordsOf(argument: string): readonly string[] {
  const at = argument.indexOf("=");
  return at < 0 ? [argument] : [argument.slice(0, at), argument.slice(at + 1)];
}

async function waitForPort(port: number, daemon: Daemon): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await isOpen(port))) {
    if (daemon.ended) throw new Error(`redis-server ${daemon.ended}: ${daemon.output()}`);
    if (Date.now() > deadline) throw new Error(`redis-server does not listen: ${daemon.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}
