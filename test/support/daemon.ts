import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";

/** A server that runs as our child, in the foreground. */
export interface Daemon {
  readonly pid: number;
  /** What it wrote to stdout and stderr. */
  output(): string;
  /** Sends SIGTERM, after 10 s SIGKILL, to this process alone; returns when it has ended. */
  stop(): Promise<void>;
  /** Undefined while it runs. */
  readonly ended: string | undefined;
}

export interface DaemonCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Who it runs as; otherwise who runs the tests. */
  readonly as?: { readonly user: string; readonly group: string };
}

export async function startDaemon({ command, args, as }: DaemonCommand): Promise<Daemon> {
  // A test run that is killed must not leave servers behind: the kernel sends SIGTERM when the parent is gone.
  const identity = as === undefined ? [] : ["--reuid", as.user, "--regid", as.group, "--init-groups"];
  const child = spawn("setpriv", ["--pdeathsig", "TERM", ...identity, command, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own: Cyrus ends by a signal to its whole group.
    detached: true,
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (data: Buffer) => output.push(data));
  child.stderr.on("data", (data: Buffer) => output.push(data));
  await once(child, "spawn");
  return {
    pid: child.pid ?? 0,
    output: () => Buffer.concat(output).toString(),
    stop: () => stop(child),
    get ended() {
      return hasEnded(child) ? `ended with ${child.exitCode ?? child.signalCode}` : undefined;
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exit = once(child, "exit");
  child.kill();
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exit;
  clearTimeout(timer);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Returns when the port of 127.0.0.1 answers a connection with a line that begins with `prefix`. */
export async function waitForGreeting(port: number, prefix: string, daemon: Daemon): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    if ((await greeting(port)).startsWith(prefix)) return;
    if (daemon.ended) throw new Error(`server ${daemon.ended}: ${daemon.output()}`);
    if (Date.now() > deadline) throw new Error(`no greeting on port ${port} for 30 s: ${daemon.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** First bytes that the server sends; nothing when it refuses or closes. */
function greeting(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: 5_000 });
    const done = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.once("data", (data) => done(data.toString()));
    socket.once("timeout", () => done(""));
    socket.once("error", () => done(""));
    socket.once("close", () => done(""));
  });
}
