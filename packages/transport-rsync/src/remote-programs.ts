import {
  BackupError,
  type CommandLine,
  type ProgramEnd,
  ProgramExit,
  type ProgramOutput,
  type ProgramRunner,
  type RunningProgram,
  isBackupError,
} from "@backup/core";
import { buffer } from "node:stream/consumers";
import type { HostOptions } from "./host-options.js";
import { openHost } from "./open-host.js";
import { ShellLine } from "./shell-line.js";

/** What there is to say of a program on another host. */
export interface RemoteProgramOptions {
  /** Exit statuses that are no error, besides 0. */
  readonly accept?: readonly number[] | undefined;
}

/** Programs of an account on another host, with nothing on their input: as a ProgramRunner runs those of this machine. */
export interface RemotePrograms extends AsyncDisposable {
  /** The host, as a person calls it. */
  readonly name: string;
  /** @throws BackupError as RunningProgram.wait; CONNECTION_LOST, PROGRAM_MISSING, and as `start` */
  run(command: CommandLine, options?: RemoteProgramOptions): Promise<ProgramOutput>;
  /** @throws BackupError TRANSPORT_MISSING where programs cannot use the connection; as Host.connect */
  start(command: CommandLine, options?: RemoteProgramOptions): Promise<RunningProgram>;
}

export interface RemoteProgramsOptions extends HostOptions {
  /** Runs ssh(1). */
  readonly runner: ProgramRunner;
  readonly signal: AbortSignal;
}

/** The words come on its input, so that no shell reads them. xargs(1) keeps no exit status: the last line of stderr says it. */
const COMMAND = `env LC_ALL=C xargs -0 sh -c '"$@"; s=$?; echo >&2; echo "exit status $s" >&2' sh`;
const STATUS = /(?:^|\n)exit status (\d+)$/;

/** Exit statuses of ssh(1) itself, and of a shell that does not find a program. */
const SSH_FAILED = 255;
const NOT_FOUND = 127;

/** Connects when something is run. @throws BackupError USAGE, SECRET_UNREADABLE, TRANSPORT_MISSING */
export async function openRemotePrograms({
  runner,
  signal,
  ...options
}: RemoteProgramsOptions): Promise<RemotePrograms> {
  const host = await openHost(options);
  const line = new ShellLine(host);
  const start = async (command: CommandLine, { accept = [] }: RemoteProgramOptions = {}): Promise<RunningProgram> => {
    if (command.some((word) => word.includes("\0")))
      throw new BackupError("UNSAFE_PATH", `refused a NUL for ${host.name} in ${JSON.stringify(command)}`);
    const { program, args, target, env } = await line.shell(signal);
    const ssh = await runner.start([program, ...args, "--", target, COMMAND], { env });
    // It may end before it has read that; how it ended says enough.
    ssh.stdin.on("error", () => {});
    ssh.stdin.end(command.map((word) => `${word}\0`).join(""));
    return {
      stdin: ssh.stdin,
      stdout: ssh.stdout,
      wait: async () => endOf({ host: host.name, program: command[0], accept, end: await sshEnd(ssh, host.name) }),
      [Symbol.asyncDispose]: () => ssh[Symbol.asyncDispose](),
    };
  };
  return {
    name: host.name,
    start,
    async run(command, given) {
      await using program = await start(command, given);
      const [stdout, end] = await Promise.all([buffer(program.stdout), program.wait()]);
      return { ...end, stdout };
    },
    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };
}

/** @throws BackupError CONNECTION_LOST, TRANSPORT_MISSING */
async function sshEnd(ssh: RunningProgram, host: string): Promise<ProgramEnd> {
  try {
    return await ssh.wait();
  } catch (error) {
    if (!isBackupError(error, "PROGRAM_FAILED") || !(error.cause instanceof ProgramExit)) throw error;
    const { status } = error.cause;
    if (status !== null && status !== SSH_FAILED) throw noPrograms(host, error);
    const message = `the connection to ${host} was lost; run again to go on`;
    throw new BackupError("CONNECTION_LOST", message, { transient: true, cause: error });
  }
}

/** @throws BackupError PROGRAM_FAILED, PROGRAM_MISSING, TRANSPORT_MISSING */
function endOf({
  host,
  program,
  accept,
  end,
}: {
  readonly host: string;
  readonly program: string;
  readonly accept: readonly number[];
  readonly end: ProgramEnd;
}): ProgramEnd {
  const said = STATUS.exec(end.stderr)?.[1];
  if (said === undefined) throw noPrograms(host);
  const status = Number(said);
  const stderr = end.stderr.replace(STATUS, "").trimEnd();
  if (status === 0 || accept.includes(status)) return { status, stderr };
  if (status === NOT_FOUND)
    throw new BackupError("PROGRAM_MISSING", `${host} has no program ${program}; install it there, or see PATH`);
  const exit = new ProgramExit({ code: status, signal: null }, stderr);
  const last = stderr.split("\n").findLast((text) => text.trim() !== "");
  const why = last === undefined ? "" : `: ${last.trim()}`;
  throw new BackupError("PROGRAM_FAILED", `${program} on ${host} ${exit.message}${why}`, { cause: exit });
}

function noPrograms(host: string, cause?: unknown): BackupError {
  const message = `${host} does not let this account run programs: that takes a shell, and xargs`;
  return new BackupError("TRANSPORT_MISSING", message, { cause });
}
