import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { childEnvironment } from "./child-environment.js";
import { BackupError, systemCode, throwIfAborted } from "./errors.js";
import { type Ended, type ProcessGroup, endSession, startGroup, waitForGroup } from "./process-group.js";

/** A program and its arguments; no shell reads them. A secret is none of them: everybody may read those. */
export type CommandLine = readonly [program: string, ...args: string[]];

export interface ProgramOptions {
  /** For its environment besides what every program gets: PATH, HOME, the language. Never a secret. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Directory that it runs in. Default: that of this process. */
  readonly cwd?: string | undefined;
  /** Exit statuses that are no error, besides 0. */
  readonly accept?: readonly number[] | undefined;
  /** It may take so long, milliseconds. Default: for ever. */
  readonly timeoutMs?: number | undefined;
}

export interface RunOptions extends ProgramOptions {
  /** What it reads. Default: nothing. */
  readonly input?: string | Uint8Array | undefined;
  /** Bytes of its output that are kept; more is an error. Default 64 MiB. */
  readonly maxOutput?: number | undefined;
}

/** How a program ended. */
export interface ProgramEnd {
  readonly status: number;
  /** The end of what it printed there, 16 KiB at most, without secrets. */
  readonly stderr: string;
}

/** How one ended that was run to its end. */
export interface ProgramOutput extends ProgramEnd {
  readonly stdout: Buffer;
}

/** A program that runs, in a session of its own: whatever ends it ends what it has started too. */
export interface RunningProgram extends AsyncDisposable {
  readonly stdin: Writable;
  /** To be read to its end, or destroyed: otherwise the program waits. */
  readonly stdout: Readable;
  /**
   * Its end.
   * @throws BackupError PROGRAM_FAILED, with a ProgramExit as its cause, for a status that is not accepted; TIMEOUT; the
   * signal's reason
   */
  wait(): Promise<ProgramEnd>;
}

/** Runs programs for somebody whose environment, signal and secrets are known. */
export interface ProgramRunner {
  /** Runs a program to its end. @throws BackupError PROGRAM_MISSING, and as RunningProgram.wait */
  run(command: CommandLine, options?: RunOptions): Promise<ProgramOutput>;
  /** Starts a program whose output is read, or whose input is written, as a stream. @throws BackupError PROGRAM_MISSING */
  start(command: CommandLine, options?: ProgramOptions): Promise<RunningProgram>;
}

/** How a program ended that failed: the cause of PROGRAM_FAILED. */
export class ProgramExit extends Error {
  override readonly name = "ProgramExit";
  /** Null where a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;

  constructor({ code, signal }: Ended, stderr: string) {
    super(signal === null ? `ended with status ${code}` : `was ended by ${signal}`);
    this.status = code;
    this.signal = signal;
    this.stderr = stderr;
  }
}

export interface ProgramRunnerOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Takes secrets out of what programs print. */
  readonly scrub: (text: string) => string;
}

/** How long a program may take to end when it is told to, milliseconds. */
const GRACE_MS = 2000;
/** What a program has left behind may hold its output open for so long, milliseconds. */
const LEFT_BEHIND_MS = 1000;
/** Bytes. */
const LONGEST_STDERR = 16 * 1024;
const LONGEST_OUTPUT = 64 * 1024 * 1024;

export function programRunner(runner: ProgramRunnerOptions): ProgramRunner {
  const start = (command: CommandLine, options: ProgramOptions = {}) => startProgram(command, options, runner);
  return {
    start,
    async run(command, { input = "", maxOutput = LONGEST_OUTPUT, ...options } = {}) {
      await using program = await start(command, options);
      // How it ended says more than a broken pipe.
      program.stdin.on("error", () => {});
      program.stdin.end(input);
      const ended = program.wait().finally(() => destroyLater(program.stdout));
      const [stdout, end] = await Promise.all([readAll(program.stdout, maxOutput, command[0]), ended]);
      return { ...end, stdout };
    },
  };
}

/** All that a stream gives until it is closed. @throws BackupError PROGRAM_FAILED */
function readAll(stream: Readable, limit: number, program: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    stream.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > limit) reject(new BackupError("PROGRAM_FAILED", `${program} prints more than ${limit} bytes`));
      else pieces.push(piece);
    });
    stream.on("error", reject);
    stream.on("close", () => resolve(Buffer.concat(pieces)));
  });
}

async function startProgram(
  command: CommandLine,
  { env: own, cwd, accept = [], timeoutMs }: ProgramOptions,
  { env, signal, scrub }: ProgramRunnerOptions,
): Promise<RunningProgram> {
  throwIfAborted(signal);
  const [program, ...args] = command;
  const group = await begin(program, { args, cwd, env: { ...childEnvironment(env), ...own } });
  const { stdin, stdout, stderr } = group.child;
  if (!stdin || !stdout || !stderr) throw new TypeError("a program is started with pipes");
  const errors = keepEnd(stderr);
  const stopped = new AbortController();
  const timeout = new AbortController();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => timeout.abort(), timeoutMs);
  const any = AbortSignal.any([signal, timeout.signal, stopped.signal]);
  const ended = waitForGroup(group, {
    signal: any,
    graceMs: GRACE_MS,
    rest: () => endWhatIsLeft(group.pid, [stdout, stderr]),
  }).then(async (end) => {
    clearTimeout(timer);
    destroyLater(stderr);
    await closed(stderr);
    return end;
  });
  // Whoever waits is told.
  ended.catch(() => {});
  return {
    stdin,
    stdout,
    async wait() {
      const end = await ended;
      throwIfAborted(signal);
      const printed = scrub(errors()).trimEnd();
      if (timeout.signal.aborted)
        throw new BackupError("TIMEOUT", `${program} took longer than ${(timeoutMs ?? 0) / 1000} s and was ended`, {
          transient: true,
        });
      if (end.code !== null && (end.code === 0 || accept.includes(end.code)))
        return { status: end.code, stderr: printed };
      const exit = new ProgramExit(end, printed);
      const last = printed.split("\n").findLast((line) => line.trim() !== "");
      throw new BackupError(
        "PROGRAM_FAILED",
        `${program} ${exit.message}${last === undefined ? "" : `: ${last.trim()}`}`,
        {
          cause: exit,
        },
      );
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      stdin.destroy();
      stdout.destroy();
      await ended;
    },
  };
}

async function begin(
  program: string,
  options: { readonly args: readonly string[]; readonly cwd: string | undefined; readonly env: NodeJS.ProcessEnv },
): Promise<ProcessGroup> {
  try {
    return await startGroup({ program, ...options, stdio: "pipe" });
  } catch (error) {
    const code = systemCode(error) ?? "unknown error";
    const why = WHY.get(code) ?? "see its file";
    throw new BackupError("PROGRAM_MISSING", `the program ${program} cannot be started (${code}): ${why}`, {
      cause: error,
    });
  }
}

/** Why a program cannot be started. */
const WHY: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such program here; install it, or see PATH"],
  ["EACCES", "it is not executable (chmod +x)"],
  ["ENOEXEC", "it has no #! line"],
]);

/** Keeps the last of what a stream says. */
function keepEnd(stream: Readable): () => string {
  let kept = Buffer.alloc(0);
  stream.on("data", (piece: Buffer) => {
    kept = Buffer.concat([kept, piece]).subarray(-LONGEST_STDERR);
  });
  stream.on("error", () => {});
  return () => kept.toString("utf8");
}

/** What a program leaves behind may hold its output open for ever. */
async function endWhatIsLeft(session: number, streams: readonly Readable[]): Promise<void> {
  const timer = new AbortController();
  const isOver = sleep(LEFT_BEHIND_MS, true, { signal: timer.signal }).catch(() => false);
  const areClosed = Promise.all(streams.map(closed)).then(() => false);
  const isLeft = await Promise.race([isOver, areClosed]);
  timer.abort();
  if (isLeft) await endSession(session, GRACE_MS);
}

function destroyLater(stream: Readable): void {
  const timer = setTimeout(() => stream.destroy(), LEFT_BEHIND_MS);
  stream.once("close", () => clearTimeout(timer));
  if (stream.closed) clearTimeout(timer);
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once("close", resolve);
  });
}
