import type { Readable } from "node:stream";
import { BackupError, type Reach } from "@backup/core";
import { findProgram } from "./openssh-process.js";
import { isSecluded, remoteArgument, remoteShellOption } from "./rsync-arguments.js";
import { RsyncExit, rsyncError } from "./rsync-errors.js";
import { runToEnd, rsyncVersion } from "./rsync-process.js";

/** One run of rsync(1) between two directories, of which one at least is on this machine. */
export interface RsyncCopy {
  readonly from: Reach;
  readonly to: Reach;
  readonly options: readonly string[];
  /** What is transferred, below `from`, each byte of a name a character; without it all of it, as the options say. */
  readonly files?: readonly string[] | undefined;
  /** Each line that it prints, without its end; each byte is a character. Output waits while a promise is pending. */
  readonly onLine: (line: string) => void | Promise<void>;
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly signal: AbortSignal;
}

/** How it ended: all was done, or, as its manual says, `partial` (23), `vanished` (24) or `limited` (25). */
export interface RsyncCopied {
  readonly end: "done" | "partial" | "vanished" | "limited";
  /** What it complained about. */
  readonly complaints: readonly string[];
}

const ENDS: Readonly<Record<number, RsyncCopied["end"]>> = { 0: "done", 23: "partial", 24: "vanished", 25: "limited" };

/** Nothing came and nothing went for so long: the connection is dead, seconds. */
const IDLE_SECONDS = 300;

/** The end of everything, whatever rsync(1) makes of it. */
const FATAL = /No space left on device|Disk quota exceeded|change_dir .* failed/;

/**
 * Copies what is in a directory into another one.
 * @throws BackupError TRANSPORT_MISSING, DISK_FULL, NOT_FOUND and as rsyncError says, with an RsyncExit as its cause; ABORTED
 */
export async function rsyncCopy({ from, to, options, files, onLine, env, signal }: RsyncCopy): Promise<RsyncCopied> {
  if (from.shell && to.shell) throw new TypeError("rsync copies to or from this machine");
  const version = await rsyncVersion(env ? { env } : {});
  const shell = from.shell ?? to.shell;
  const direction = to.shell ? "push" : "pull";
  const remote = (reach: Reach): { readonly argument: string; readonly secluded: boolean } => {
    if (!reach.shell) return { argument: withSlash(reach.directory), secluded: false };
    const secluded = isSecluded(version, reach.directory);
    const { directory, shell: there } = reach;
    return {
      argument: remoteArgument({ target: there.target, directory, direction, isSecluded: secluded }),
      secluded,
    };
  };
  const [source, target] = [remote(from), remote(to)];
  const args = [
    ...(shell ? [`--rsh=${remoteShellOption(shell)}`, `--timeout=${IDLE_SECONDS}`] : []),
    ...(source.secluded || target.secluded ? ["--protect-args"] : []),
    "--no-human-readable",
    "--8-bit-output",
    ...(files ? ["--files-from=-", "--from0"] : []),
    ...options,
    "--",
    source.argument,
    target.argument,
  ];
  let reading: Promise<unknown> = Promise.resolve();
  const onOutput = (stdout: Readable): void => {
    reading = readLines(stdout, onLine).finally(() => stdout.resume());
    // Told when rsync has ended.
    reading.catch(() => {});
  };
  const input = Buffer.from((files ?? []).map((path) => `./${path}\0`).join(""), "latin1");
  const [program, ...first] = await mortal(env ?? process.env);
  const ended = await runToEnd(program, [...first, ...args], {
    input,
    env: env ?? process.env,
    own: shell?.env,
    onOutput,
    signal,
  });
  await reading;
  const complaints = ended.stderr.split("\n").filter((line) => line !== "" && !/^rsync (?:error|warning): /.test(line));
  const end = ended.code === null ? undefined : ENDS[ended.code];
  if (end !== undefined && !complaints.some((line) => FATAL.test(line))) return { end, complaints };
  throw copyError(new RsyncExit(ended), { from, to });
}

/**
 * rsync(1), and before it what ends it with this process, where there is such a thing: killed without a chance to end it,
 * this one must not leave it writing to a destination that the next run has taken over.
 */
async function mortal(env: NodeJS.ProcessEnv): Promise<readonly [string, ...string[]]> {
  const program = await findProgram("setpriv", env);
  return program === undefined ? ["rsync"] : [program, "--pdeathsig", "TERM", "--", "rsync"];
}

function copyError(exit: RsyncExit, { from, to }: Pick<RsyncCopy, "from" | "to">): BackupError {
  const shell = from.shell ?? to.shell;
  const host = shell?.target ?? "this machine";
  // Files are written at the one end only, whichever that is.
  if (/No space left on device|Disk quota exceeded/.test(exit.stderr)) {
    const where = to.shell?.target ?? to.directory;
    return new BackupError("DISK_FULL", `${where} is full; what was copied is kept. Make room and run again`, {
      cause: exit,
    });
  }
  return rsyncError(exit, { host, direction: "push" });
}

async function readLines(stdout: Readable, onLine: RsyncCopy["onLine"]): Promise<void> {
  let rest = "";
  for await (const piece of stdout) {
    const lines = (rest + (piece as Buffer).toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const pending = onLine(line);
      if (pending) await pending;
    }
  }
  if (rest !== "") await onLine(rest);
}

function withSlash(directory: string): string {
  // A name with a colon is one of a host, and one with a hyphen an option, unless a slash comes first.
  const plain = directory.startsWith("/") ? directory : `./${directory}`;
  return plain.endsWith("/") ? plain : `${plain}/`;
}
