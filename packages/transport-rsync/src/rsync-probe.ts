import { spawn } from "node:child_process";
import { BackupError, type Path, childEnvironment, isBackupError, throwIfAborted } from "@backup/core";
import type { RemoteShell } from "@backup/core";
import type { Version } from "./rsync-arguments.js";
import { RsyncExit } from "./rsync-errors.js";
import { type RsyncEntry, parseListing } from "./rsync-listing.js";
import { collectEnd } from "./rsync-output.js";
import { type RunRsync, parseVersion } from "./rsync-process.js";

export type RsyncProbe = { readonly works: true } | { readonly works: false; readonly reason: BackupError };

/** A file that is there. */
export interface RsyncMark {
  readonly path: Path;
  /** Bytes, and milliseconds since 1970: undefined where the name alone says that it is the one. */
  readonly size?: number;
  readonly mtime?: number;
}

export interface RsyncProbeOptions {
  readonly run: RunRsync;
  readonly shell: RemoteShell;
  /** The destination's directory, as it is known already. */
  readonly directory: string;
  /** A file below it; absent: it is enough that rsync answers. */
  readonly seen?: RsyncMark;
  /** A directory of this machine; nothing is written there. */
  readonly local: string;
  readonly signal: AbortSignal;
  /** Default 30,000: an account without a shell may answer nothing at all. */
  readonly timeoutMs?: number;
}

/**
 * Whether rsync(1) works there, and reaches the same directory: an account may have SFTP only, or an SFTP that has
 * another root.
 * @throws BackupError what is transient or the connection's: CONNECTION_LOST, AUTH_FAILED; ABORTED
 */
export async function probeRsync(options: RsyncProbeOptions): Promise<RsyncProbe> {
  const { run, shell, directory, seen, local, signal, timeoutMs = 30_000 } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const list = ["--list-only", "--no-implied-dirs"];
  const other = `rsync of ${shell.target} does not find what SFTP has written to ${directory || "its home"}`;
  try {
    const both = AbortSignal.any([signal, timeout]);
    const output = await run({
      direction: "pull",
      shell,
      directory,
      local,
      files: [seen?.path ?? "."],
      options: list,
      signal: both,
    });
    if (seen === undefined || parseListing(output).some((entry) => isSeen(entry, seen))) return { works: true };
    return { works: false, reason: new BackupError("TRANSPORT_MISSING", `${other}; the account has several roots`) };
  } catch (error) {
    throwIfAborted(signal);
    if (timeout.aborted) {
      const message = `rsync of ${shell.target} did not answer within ${timeoutMs / 1000} s; the account may have no shell`;
      return { works: false, reason: new BackupError("TRANSPORT_MISSING", message, { cause: error }) };
    }
    // It ended before it said a word, while SFTP works: another program in the place of rsync, or none.
    if (isBackupError(error, "CONNECTION_LOST") && isSilent(error.cause)) {
      const message = `rsync of ${shell.target} ends before it says anything (${error.message})`;
      return { works: false, reason: new BackupError("TRANSPORT_MISSING", message, { cause: error }) };
    }
    if (!isBackupError(error) || error.transient || CONNECTION.has(error.code)) throw error;
    if (error.code !== "NOT_FOUND") return { works: false, reason: error };
    if (seen === undefined) return { works: true };
    const message = `${other} (${error.message})`;
    return { works: false, reason: new BackupError("TRANSPORT_MISSING", message, { cause: error }) };
  }
}

function isSeen({ type, path, size, mtime }: RsyncEntry, mark: RsyncMark): boolean {
  if (type !== "file" || path !== mark.path || (mark.size ?? size) !== size) return false;
  return mark.mtime === undefined || Math.floor(mark.mtime / 1000) * 1000 === mtime;
}

/** What ssh(1) begins a line with that says why it ends. */
const SAID_BY_SSH = /^(?:ssh: |ssh_|kex_|mux_|client_loop|Connection |Timeout, )/m;

/** 12 instead of the 255 of ssh(1) where rsync finds the pipe broken before it sees that end. */
function isSilent(cause: unknown): boolean {
  if (!(cause instanceof RsyncExit) || cause.exitCode !== 12) return false;
  return cause.stderr.includes("(0 bytes received so far)") && !SAID_BY_SSH.test(cause.stderr);
}

/** With these nothing else works either. */
const CONNECTION: ReadonlySet<string> = new Set(["ABORTED", "AUTH_FAILED", "HOST_KEY_UNKNOWN", "USAGE"]);

/** Version of rsync(1) at the host; undefined: it runs no command that it is told, or has none. */
export async function remoteRsyncVersion(shell: RemoteShell, signal: AbortSignal): Promise<Version | undefined> {
  throwIfAborted(signal);
  const child = spawn(shell.program, [...shell.args, shell.target, "rsync --version"], {
    env: { ...childEnvironment(process.env), ...shell.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = (): boolean => child.kill();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const { stdout } = await collectEnd(child, shell.program);
    throwIfAborted(signal);
    return parseVersion(stdout.toString("latin1"));
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
