import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BackupError, Secret, systemCode, throwIfAborted } from "@backup/core";
import { childEnvironment } from "./child-environment.js";

export interface DaemonOptions {
  /** A private directory: the configuration is in it, and what the daemon checks who asks by. */
  readonly directory: string;
  readonly config: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Silence after which a remote counts as lost, milliseconds. */
  readonly timeoutMs: number;
  /** KiB a second. */
  readonly bwlimit?: number | undefined;
}

/** Where a daemon is asked, and by whom. */
export interface DaemonAddress {
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
}

/** `rclone rcd` (rclone.org/rc), on a port of the loopback interface, for who knows the password. */
export interface Daemon extends AsyncDisposable, DaemonAddress {
  /** Rejects when it ends by itself. */
  readonly ended: Promise<never>;
}

const START_MS = 30_000;
const STOP_MS = 10_000;
const SHOWN_LINES = 5;

/**
 * Becomes rclone, whose standard input is never written to: where it ends, so did we, in whatever way, and then rclone is
 * stopped. Files are for their owner alone.
 */
const STARTER = 'umask 077; exec 3<&0; (cat <&3; kill "$$") >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

/**
 * Starts it.
 * @throws BackupError TRANSPORT_MISSING without rclone(1)
 */
export async function startDaemon(options: DaemonOptions, signal: AbortSignal): Promise<Daemon> {
  throwIfAborted(signal);
  const user = "backup";
  const password = randomBytes(24).toString("base64url");
  const htpasswd = join(options.directory, "htpasswd");
  const hash = createHash("sha1").update(password).digest("base64");
  await writeFile(htpasswd, `${user}:{SHA}${hash}\n`, { mode: 0o600, flag: "wx" });
  const child = spawn("/bin/sh", ["-c", STARTER, "sh", "rclone", ...argumentsFor(options, htpasswd)], {
    env: childEnvironment(options.env),
    stdio: ["pipe", "ignore", "pipe"],
    // An interrupt is ours to pass on: rclone is needed to give the lease back.
    detached: true,
  });
  // Nothing is written to it.
  child.stdin?.on("error", () => {});
  try {
    const exit = once(child, "exit");
    const port = await portOf(child, signal);
    const ended = exit.then(([code, by]): never => {
      const how = typeof code === "number" ? `with status ${code}` : `by ${String(by)}`;
      throw new BackupError("CONNECTION_LOST", `rclone ended ${how} while it was needed; run again`, {
        transient: true,
      });
    });
    // Whoever waits for an answer is told; nobody else needs to know.
    ended.catch(() => {});
    return { port, user, password: new Secret(password), ended, [Symbol.asyncDispose]: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

function argumentsFor({ config, timeoutMs, bwlimit }: DaemonOptions, htpasswd: string): readonly string[] {
  const seconds = Math.max(1, Math.round(timeoutMs / 1000));
  return [
    "rcd",
    `--config=${config}`,
    "--rc-addr=127.0.0.1:0",
    `--rc-htpasswd=${htpasswd}`,
    "--rc-serve",
    "--ask-password=false",
    // What has the same size and time is not taken for the same.
    "--ignore-times",
    `--timeout=${seconds}s`,
    `--contimeout=${seconds}s`,
    // Each of them retries within itself, too.
    "--low-level-retries=3",
    // Where the time that a file was given takes a request for each, that of its last change is as good.
    "--use-server-modtime",
    "--sftp-skip-links",
    "--drive-skip-shortcuts",
    "--log-level=NOTICE",
    ...(bwlimit === undefined ? [] : [`--bwlimit=${bwlimit}K`]),
  ];
}

/** The port that it says it listens at. */
async function portOf(child: ChildProcess, signal: AbortSignal): Promise<number> {
  const said: string[] = [];
  const { stderr } = child;
  if (!stderr) throw new TypeError("rclone has no standard error");
  const lines = createInterface({ input: stderr });
  // Read to its end: a full pipe would stop it.
  lines.on("line", (line) => {
    if (said.length < SHOWN_LINES) said.push(line.replace(/^\S+ \S+ /, ""));
  });
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  try {
    await once(child, "spawn", { signal: deadline });
    const found = new Promise<number>((resolve, reject) => {
      lines.on("line", (line) => {
        const [, port] = /Serving remote control on \[?http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (port !== undefined) resolve(Number(port));
      });
      lines.on("close", () => reject(new BackupError("TRANSPORT_MISSING", whyNot(said))));
      deadline.addEventListener("abort", () => reject(new BackupError("TIMEOUT", whyNot(said), { transient: true })));
    });
    return await found;
  } catch (error) {
    throwIfAborted(signal);
    if (systemCode(error) === undefined) throw error;
    throw new BackupError("TRANSPORT_MISSING", `rclone cannot be started (${systemCode(error)})`, { cause: error });
  }
}

function whyNot(said: readonly string[]): string {
  const text = said.join("; ");
  if (/rclone: (?:command )?not found|No such file/.test(text) || text === "")
    return "rclone is not installed here; install it (Debian: apt install rclone), version 1.60 or newer";
  return `rclone does not start: ${text}; version 1.60 or newer is needed`;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, "exit");
  child.kill();
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await exit;
  clearTimeout(timer);
  child.stdin?.destroy();
  child.stderr?.destroy();
}
