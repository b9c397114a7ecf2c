import { access } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BackupError, isBackupError, throwIfAborted } from "@backup/core";
import type { SFTPWrapper } from "ssh2";
import type { Connection } from "./connection.js";
import { CONTROL, type PrivateDirectory } from "./openssh-directory.js";
import { controlPath } from "./openssh-options.js";
import { type Environment, type SshProcess, spawnSsh } from "./openssh-process.js";
import { type SftpStreams, noSftp, sftpOverStream } from "./sftp-over-stream.js";
import { type SshContext, failureOf, sshError } from "./ssh-errors.js";

/** All that is needed to start ssh(1). */
export interface Launch {
  readonly host: string;
  readonly program: string;
  readonly target: string;
  /** Removed with the connection. */
  readonly directory: PrivateDirectory;
  /** For the connection itself. */
  readonly args: readonly string[];
  /** For what uses it, or connects once more when it is gone. */
  readonly laterArgs: readonly string[];
  readonly env: Environment;
  readonly addedEnv: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly context: SshContext;
  readonly onConnecting: (() => void) | undefined;
}

/** The process that holds the connection, and its own channel if that speaks SFTP. */
interface Master {
  readonly process: SshProcess;
  /** Undefined: it was taken. */
  first: SFTPWrapper | undefined;
  /** Why the account has no SFTP. */
  readonly missing: BackupError | undefined;
}

/**
 * Connects. One process is the SFTP channel and the master of all later ones: that saves the round trips of a second
 * channel. What it leaves behind when it fails is the directory alone.
 */
export async function openConnection(launch: Launch, signal: AbortSignal): Promise<Connection> {
  const { directory, program, target, laterArgs, addedEnv } = launch;
  const control = join(directory.path, CONTROL);
  const master = await startMaster(launch, control, signal);
  const lost = new AbortController();
  const children = new Set<SshProcess>();
  const shared = ["-S", controlPath(control), "-o", "ControlMaster=no", ...laterArgs];
  let disposed: Promise<void> | undefined;
  void master.process.ended.then(async () => {
    // Not before the end of the process: its last words say why.
    lost.abort(await lostError(launch, master.process));
  });

  const dispose = async (): Promise<void> => {
    lost.abort(failureOf("lost", launch.context, undefined, "by this side"));
    await Promise.all([...children, master.process].map((child) => child.kill()));
    await directory[Symbol.asyncDispose]();
  };
  return {
    lost: lost.signal,
    shell: { program, args: shared, target, env: addedEnv },
    async sftp(given) {
      throwIfAborted(given);
      throwIfAborted(lost.signal);
      if (master.missing) throw master.missing;
      const { first } = master;
      master.first = undefined;
      if (first) return first;
      const child = spawnIn(launch, [...shared, "-s", "--", target, "sftp"]);
      children.add(child);
      void child.ended.then(() => children.delete(child));
      try {
        return await sftpOverStream(streamsOf(launch, child), AbortSignal.any([given, lost.signal]));
      } catch (error) {
        await child.kill();
        // The account has SFTP: the first channel was one.
        if (isBackupError(error, "TRANSPORT_MISSING")) throw await lostError(launch, child);
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => (disposed ??= dispose()),
  };
}

async function startMaster(launch: Launch, control: string, signal: AbortSignal): Promise<Master> {
  const { host, args, target } = launch;
  const options = ["-M", "-S", controlPath(control), ...args];
  const process = spawnIn(launch, [...options, "-s", "--", target, "sftp"]);
  launch.onConnecting?.();
  try {
    // The channel of the master stays open to the end: with it the connection would close.
    const streams = { ...streamsOf(launch, process), onEnd: () => undefined };
    const first = await within(launch, signal, (limited) => sftpOverStream(streams, limited));
    return { process, first, missing: undefined };
  } catch (error) {
    const silent = isBackupError(error, "TRANSPORT_MISSING");
    // A program that has closed its output may live on.
    const code = silent ? await Promise.race([process.ended, delay(2000, 0, { ref: false })]) : 0;
    await process.kill();
    if (!silent && !isBackupError(error, "PROTOCOL")) throw error;
    const refused = /subsystem request failed/i.test(process.stderr());
    if (silent && !refused && (code === 255 || code < 0)) throw await sshError(process.stderr(), launch.context);
    return startPlainMaster(launch, control, silent ? noSftp(host, error) : error, signal);
  }
}

/** For accounts with no SFTP: a connection with no channel. */
async function startPlainMaster(
  launch: Launch,
  control: string,
  missing: BackupError,
  signal: AbortSignal,
): Promise<Master> {
  const process = spawnIn(launch, ["-M", "-N", "-S", controlPath(control), ...launch.args, "--", launch.target]);
  let ended = false;
  void process.ended.then(() => {
    ended = true;
  });
  try {
    // ssh(1) makes the socket once it is authenticated, and says nothing.
    await within(launch, signal, async (limited) => {
      while (
        !ended &&
        !(await access(control).then(
          () => true,
          () => false,
        ))
      ) {
        throwIfAborted(limited);
        await delay(10);
      }
    });
    if (ended) throw await sshError(process.stderr(), launch.context);
    return { process, first: undefined, missing };
  } catch (error) {
    await process.kill();
    throw error;
  }
}

/** Twice the time-out: ssh(1) applies it to each address of the host, and to the connection alone. */
async function within<T>(launch: Launch, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const { timeoutMs, context } = launch;
  const timer = setTimeout(() => deadline.abort(failureOf("timeout", context)), 2 * timeoutMs);
  try {
    return await work(AbortSignal.any([signal, deadline.signal]));
  } finally {
    clearTimeout(timer);
  }
}

function spawnIn({ program, env, addedEnv }: Launch, args: readonly string[]): SshProcess {
  return spawnSsh(program, args, env, addedEnv);
}

function streamsOf({ host }: Launch, { input, output }: SshProcess): SftpStreams {
  return { host, input: output, output: input };
}

async function lostError(launch: Launch, process: SshProcess): Promise<BackupError> {
  const error = await sshError(process.stderr(), launch.context);
  return error.transient ? error : failureOf("lost", launch.context, error);
}
