import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { BackupError, type Path, childEnvironment, throwIfAborted } from "@backup/core";
import type { RemoteShell } from "@backup/core";
import {
  type Direction,
  type Version,
  isAtLeast,
  isSecluded,
  remoteArgument,
  remoteShellOption,
} from "./rsync-arguments.js";
import { RsyncExit, rsyncError } from "./rsync-errors.js";
import { type Ended, collectEnd, watchProgress } from "./rsync-output.js";

/** One run of rsync(1) between a directory here and one there. */
export interface RsyncRun {
  readonly direction: Direction;
  readonly shell: RemoteShell;
  /** Directory there; relative to what the account starts in unless it begins with `/`. */
  readonly directory: string;
  /** Directory here. */
  readonly local: string;
  readonly options: readonly string[];
  /** What is transferred, below the directory of the sending side; without it all of it, as the options say. */
  readonly files?: readonly Path[];
  /** Exit codes that are no error, besides 0. */
  readonly accept?: readonly number[];
  /** Bytes so far of this run. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs rsync(1) to its end, and gives what it printed.
 * @throws BackupError as rsyncError says, with an RsyncExit as its cause; ABORTED
 */
export type RunRsync = (run: RsyncRun) => Promise<Buffer>;

export interface RsyncProgram {
  /** Default `rsync`. */
  readonly program?: string;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The first with --info, --delete-missing-args and --ignore-missing-args. */
const OLDEST: Version = [3, 1, 0];
/** How long rsync may take to end by itself, milliseconds. */
const GRACE_MS = 1000;
/** Nothing came and nothing went for so long: the connection is dead, seconds. */
const IDLE_SECONDS = 120;

/** The rsync(1) of this machine. */
export function rsyncProgram({ program = "rsync", env = process.env }: RsyncProgram = {}): RunRsync {
  return async (run) => {
    throwIfAborted(run.signal);
    return start(program, argumentsOf(run, await rsyncVersion({ program, env })), run, env);
  };
}

/** Of programs that were asked, by what they were found with: a failure is not kept, because one may be installed meanwhile. */
const versions = new Map<string, Version>();

/**
 * Version of the rsync of this machine. It is asked for once.
 * @throws BackupError TRANSPORT_MISSING where there is none, or one that is too old
 */
export async function rsyncVersion({ program = "rsync", env = process.env }: RsyncProgram = {}): Promise<Version> {
  const key = `${program}\0${env.PATH ?? ""}`;
  const known = versions.get(key);
  if (known) return known;
  const child = spawn(program, ["--version"], { env: childEnvironment(env), stdio: ["ignore", "pipe", "ignore"] });
  const { stdout } = await collectEnd(child, program);
  const version = parseVersion(stdout.toString("latin1"));
  if (version && isAtLeast(version, OLDEST)) {
    versions.set(key, version);
    return version;
  }
  const found = version ? `version ${version.join(".")}` : "another program of that name";
  throw new BackupError(
    "TRANSPORT_MISSING",
    `rsync of this machine is ${found}; install rsync ${OLDEST.join(".")} or newer, or use --transport sftp`,
  );
}

/** Undefined: it is no rsync that calls itself one; openrsync has its own numbers. */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /^rsync\s+version v?(\d+)\.(\d+)(?:\.(\d+))?/m.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch ?? 0)];
}

function argumentsOf(run: RsyncRun, version: Version): readonly string[] {
  const { direction, directory, shell } = run;
  const secluded = isSecluded(version, directory);
  const remote = remoteArgument({ target: shell.target, directory, direction, isSecluded: secluded });
  const local = run.local.endsWith("/") ? run.local : `${run.local}/`;
  return [
    `--rsh=${remoteShellOption(shell)}`,
    ...(secluded ? ["--protect-args"] : []),
    `--timeout=${IDLE_SECONDS}`,
    "--no-human-readable",
    "--8-bit-output",
    ...(run.onProgress ? ["--info=progress2"] : []),
    ...(run.files ? ["--files-from=-", "--from0"] : []),
    ...run.options,
    "--",
    ...(direction === "push" ? [local, remote] : [remote, local]),
  ];
}

function start(program: string, args: readonly string[], run: RsyncRun, env: NodeJS.ProcessEnv): Promise<Buffer> {
  const { signal, shell, onProgress, files = [] } = run;
  // A name that begins with `#` or `;` would be a comment: each gets `./` in front of it.
  const input = files.map((path) => `./${path}\0`).join("");
  const onOutput = onProgress && ((stdout: Readable) => watchProgress(stdout, onProgress));
  const given = { input, env, own: shell.env, onOutput, signal };
  return runToEnd(program, args, given).then((ended) => {
    const { code, stdout } = ended;
    if (code === 0 || (code !== null && run.accept?.includes(code))) return stdout;
    throw rsyncError(new RsyncExit(ended), { host: shell.target, direction: run.direction });
  });
}

export interface ProgramRun {
  /** What it reads. */
  readonly input: string | Uint8Array;
  readonly env: NodeJS.ProcessEnv;
  /** Added to what of `env` it gets. */
  readonly own?: Readonly<Record<string, string>> | undefined;
  /** Reads its output; without it that is kept. */
  readonly onOutput?: ((stdout: Readable) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * Runs rsync(1) until it has ended, however it does that.
 * @throws BackupError ABORTED, TRANSPORT_MISSING
 */
export async function runToEnd(program: string, args: readonly string[], run: ProgramRun): Promise<Ended> {
  const { input, env, own, onOutput, signal } = run;
  throwIfAborted(signal);
  const child = spawn(program, args, {
    // Also without RSYNC_RSH, RSYNC_PROTECT_ARGS and the like, which change what the options here mean.
    env: { ...childEnvironment(env), LC_ALL: "C", TZ: "UTC", ...own },
    stdio: "pipe",
  });
  let killer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill("SIGTERM");
    killer = setTimeout(() => {
      child.kill("SIGKILL");
      // What it started may hold the pipes open; nobody waits for those.
      child.stdout.destroy();
      child.stderr.destroy();
    }, GRACE_MS);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    // It may end before it has read the list; how it ended says more than the broken pipe.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    onOutput?.(child.stdout);
    const ended = await collectEnd(child, program, { keepOutput: !onOutput });
    throwIfAborted(signal);
    return ended;
  } finally {
    clearTimeout(killer);
    signal.removeEventListener("abort", stop);
  }
}
