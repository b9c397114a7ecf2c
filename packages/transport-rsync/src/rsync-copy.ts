import type { Readable } from "node:stream";
import { BackupError, type Reach } from "@backup/core";
import { findProgram } from "./openssh-process.js";
import { readLines } from "./read-lines.js";
import {
  type Direction,
  type Version,
  isSecluded,
  remoteArgument,
  remoteShellOption,
  withSlash,
} from "./rsync-arguments.js";
import { RsyncExit, rsyncError } from "./rsync-errors.js";
import type { Ended } from "./rsync-output.js";
import { runToEnd, rsyncVersion } from "./rsync-process.js";
import { type ConnectedBy, type EndedThere, type ReachThere, type RsyncThere, rsyncThere } from "./rsync-there.js";
import { thereError } from "./rsync-there-error.js";

/** One run of rsync(1) between two directories. */
export interface RsyncCopy {
  readonly from: Reach;
  readonly to: Reach;
  /** Who connects the two where both are on other hosts. Default `here`. */
  readonly connectedBy?: ConnectedBy | undefined;
  readonly options: readonly string[];
  /** What is transferred, below `from`, each byte of a name a character; without it all of it, as the options say. */
  readonly files?: readonly string[] | undefined;
  /** Patterns of what is left out, likewise; not together with `files`. */
  readonly without?: readonly string[] | undefined;
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
export async function rsyncCopy(copy: RsyncCopy): Promise<RsyncCopied> {
  const { from, to, files, without, signal, onLine, env = process.env, connectedBy: by = "here" } = copy;
  const version = await rsyncVersion(copy.env ? { env } : {});
  const list = files ? files.map((path) => `./${path}\0`) : (without ?? []).map((pattern) => `${pattern}\0`);
  const input = Buffer.from(list.join(""), "latin1");
  const options = [
    ...(from.shell || to.shell ? [`--timeout=${IDLE_SECONDS}`] : []),
    "--no-human-readable",
    "--8-bit-output",
    ...(files ? ["--files-from=-", "--from0"] : without && without.length > 0 ? ["--from0", "--exclude-from=-"] : []),
    ...copy.options,
  ];
  const isBetween = isThere(from) && isThere(to);
  const ended = isBetween
    ? await rsyncThere({ from, to, by, options, input, onLine, env, signal })
    : await rsyncHere({ from, to, options, input, onLine, env, signal, version });
  const complaints = ended.stderr.split("\n").filter((line) => line !== "" && !/^rsync (?:error|warning): /.test(line));
  const end = ended.code === null ? undefined : ENDS[ended.code];
  if (end !== undefined && !complaints.some((line) => FATAL.test(line))) return { end, complaints };
  throw copyError(ended, copy);
}

function isThere(reach: Reach): reach is ReachThere {
  return reach.shell !== undefined;
}

/** Between this machine and another one, or on this one. */
async function rsyncHere({
  from,
  to,
  options,
  input,
  onLine,
  env,
  signal,
  version,
}: Omit<RsyncThere, "from" | "to" | "by"> & {
  readonly from: Reach;
  readonly to: Reach;
  readonly version: Version;
}): Promise<Ended> {
  const shell = from.shell ?? to.shell;
  const isSecret = shell !== undefined && isSecluded(version, (from.shell ? from : to).directory);
  const argumentOf = ({ shell: there, directory }: Reach, direction: Direction): string =>
    there ? remoteArgument({ target: there.target, directory, direction, isSecluded: isSecret }) : withSlash(directory);
  const args = [
    ...(shell ? [`--rsh=${remoteShellOption(shell)}`] : []),
    ...(isSecret ? ["--protect-args"] : []),
    ...options,
    "--",
    argumentOf(from, "pull"),
    argumentOf(to, "push"),
  ];
  let reading: Promise<unknown> = Promise.resolve();
  const onOutput = (stdout: Readable): void => {
    reading = readLines(stdout, onLine).finally(() => stdout.resume());
    // Told when rsync has ended.
    reading.catch(() => {});
  };
  const [program, ...first] = await mortal(env);
  const ended = await runToEnd(program, [...first, ...args], { input, env, own: shell?.env, onOutput, signal });
  await reading;
  return ended;
}

/**
 * rsync(1), and before it what ends it with this process, where there is such a thing: killed without a chance to end it,
 * this one must not leave it writing to a destination that the next run has taken over.
 */
async function mortal(env: NodeJS.ProcessEnv): Promise<readonly [string, ...string[]]> {
  const program = await findProgram("setpriv", env);
  return program === undefined ? ["rsync"] : [program, "--pdeathsig", "TERM", "--", "rsync"];
}

function copyError(ended: Ended | EndedThere, { from, to, connectedBy: by = "here" }: RsyncCopy): BackupError {
  // Files are written at the one end only, whichever that is.
  if (/No space left on device|Disk quota exceeded/.test(ended.stderr)) {
    const where = to.shell?.target ?? to.directory;
    return new BackupError("DISK_FULL", `${where} is full; what was copied is kept. Make room and run again`, {
      cause: new RsyncExit(ended),
    });
  }
  if ("isBegun" in ended && isThere(from) && isThere(to)) return thereError(ended, { from, to, by });
  const host = (from.shell ?? to.shell)?.target ?? "this machine";
  return rsyncError(new RsyncExit(ended), { host, direction: "push" });
}
