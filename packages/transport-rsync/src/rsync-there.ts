import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { BackupError, type Reach, type RemoteShell, childEnvironment, throwIfAborted } from "@backup/core";
import { NAMELESS, isMeant, readWords, sendingCommand } from "./asked-command.js";
import { readLines } from "./read-lines.js";
import { remoteArgument, remoteShellOption, shellWord, withSlash } from "./rsync-arguments.js";
import { type Ended, collectEnd } from "./rsync-output.js";
import { BEGIN, BEAT_MS, COMPLAINT, END, RELAY, SSH, scriptOf } from "./rsync-there-script.js";

/** A directory on another host. */
export type ReachThere = Reach & { readonly shell: RemoteShell };

/**
 * Who connects the two: this machine, through which all passes, or one of them, which reaches the other by itself. rsync(1)
 * runs at the destination, and at the source only where that connects.
 */
export type ConnectedBy = "here" | "source" | "destination";

export interface RsyncThere {
  readonly from: ReachThere;
  readonly to: ReachThere;
  readonly by: ConnectedBy;
  /** All that says nothing of the two ends. */
  readonly options: readonly string[];
  /** What it reads. */
  readonly input: Uint8Array;
  /** As RsyncCopy.onLine. */
  readonly onLine: (line: string) => void | Promise<void>;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

export interface EndedThere extends Ended {
  /** What this is of: the host that it runs at, or the other one. */
  readonly of: "near" | "far";
  /** rsync(1) was started; otherwise the account has no shell, or not what is needed beside it. */
  readonly isBegun: boolean;
}

/** xargs(1) hands over so much in one go anywhere, bytes. */
const LONGEST = 24 * 1024;

/** Lines that rsync(1) complains in; what is over is left out. */
const MOST = 10_000;

/** Exit statuses of ssh(1) and of shells that could not run a command. */
const NOT_RUN: ReadonlySet<number | null> = new Set([126, 127, 255]);

/** Where rsync(1) runs, and what it talks to. */
export function endsOf({ from, to, by }: Pick<RsyncThere, "from" | "to" | "by">) {
  return by === "source" ? { near: from, far: to } : { near: to, far: from };
}

/**
 * Runs rsync(1) between two other hosts to its end.
 * @throws BackupError USAGE, PROTOCOL, ABORTED
 */
export async function rsyncThere(run: RsyncThere): Promise<EndedThere> {
  const { by, from, input, onLine, env, signal } = run;
  throwIfAborted(signal);
  const directory = shellWord(from.directory);
  // So that it is refused as well what no shell can be told.
  shellWord(run.to.directory);
  const isDirect = by !== "here";
  const { near: at } = endsOf(run);
  const script = scriptOf({ inputBytes: input.length, isDirect });
  const words = Buffer.from([script, "sh", ...argumentsOf(run)].map((word) => `${word}\0`).join(""));
  if (words.length > LONGEST)
    throw new BackupError("USAGE", "rsync's options are too long to be run at another host; name fewer patterns");
  const command = `exec sh -c 'exec 3<&0 4>&1; dd bs=1 count=${words.length} <&3 2>/dev/null | xargs -0 sh -c'`;
  const near = start(at.shell, [command], env);
  const children = [near];
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    for (const child of children) child.kill();
  };
  signal.addEventListener("abort", stop, { once: true });
  const beat = isDirect ? setInterval(() => near.stdin.write("."), BEAT_MS) : undefined;
  try {
    const closed = once(near, "close") as Promise<[number | null]>;
    // With it the other one has nobody to talk to.
    closed.finally(stop).catch(() => {});
    let status: number | undefined;
    let isBegun = false;
    const complaints: string[] = [];
    const reading = readLines(near.stderr, (line) => {
      if (line === BEGIN) isBegun = true;
      else if (line.startsWith(END)) {
        status = Number(line.slice(END.length));
        // What waits there for more goes with it.
        clearInterval(beat);
        near.stdin.end();
      } else if (line.startsWith(COMPLAINT) || !isBegun) {
        if (complaints.length < MOST) complaints.push(isBegun ? line.slice(COMPLAINT.length) : line);
      } else return onLine(line);
      return undefined;
    });
    reading.catch(stop);
    near.stdin.write(Buffer.concat([words, input]));
    const far = isDirect ? undefined : await relay(near, directory, run);
    if (far) children.push(far.child);
    else near.stdout.resume();
    // What ended with the first one says nothing more.
    const alone = far?.ended.then((ended) => (isStopped ? undefined : ended));
    const [[code], other] = await Promise.all([closed, alone, reading]);
    throwIfAborted(signal);
    if (other && NOT_RUN.has(other.code)) return { ...other, of: "far", isBegun: true };
    const stderr = Buffer.from(complaints.join("\n"), "latin1").toString();
    return { stdout: Buffer.alloc(0), stderr, code: status ?? code, killedBy: null, of: "near", isBegun };
  } finally {
    clearInterval(beat);
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/**
 * Runs at the source what the destination asks for, and connects the two. Undefined: it asked for nothing.
 * @param directory for the shell there, instead of the one that the destination names
 */
async function relay(near: ChildProcessWithoutNullStreams, directory: string, { from, to, options, env }: RsyncThere) {
  const meant = await sendingCommand(options, env);
  const asked = (await readWords(near.stdout))?.slice(1);
  if (!asked) return undefined;
  if (!isMeant(asked, meant)) {
    const message =
      `rsync of ${to.shell.target} asks for something else at ${from.shell.target} than rsync of this machine would, ` +
      `and it is not run; install the same version on both, or use --runondst`;
    throw new BackupError("PROTOCOL", message);
  }
  const child = start(from.shell, [...asked.slice(0, -1), directory], env);
  near.stdout.pipe(child.stdin);
  child.stdout.pipe(near.stdin);
  return { child, ended: collectEnd(child, from.shell.program, { keepOutput: false }) };
}

function start({ program, args, target, env: own }: RemoteShell, words: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, [...args, "--", target, ...words], {
    env: { ...childEnvironment(env), ...own },
    stdio: "pipe",
    // ^C is for us, who end it in order.
    detached: true,
  });
  // How it ends says more than a broken pipe.
  child.stdin.on("error", () => {});
  return child;
}

function argumentsOf({ from, to, by, options }: RsyncThere): readonly string[] {
  const shell = by === "here" ? { program: "sh", args: ["-c", RELAY, "sh"] } : { program: "ssh", args: SSH };
  const far = ({ shell: { target }, directory }: ReachThere, direction: "pull" | "push"): string =>
    remoteArgument({ target, directory, direction, isSecluded: false });
  const source = by === "here" ? NAMELESS : by === "source" ? withSlash(from.directory) : far(from, "pull");
  const target = by === "source" ? far(to, "push") : withSlash(to.directory);
  // The programs of RELAY do not wait and try again where a write would block, as ssh(1) does.
  const blocking = by === "here" ? ["--blocking-io"] : [];
  // Each line as a whole: what else is printed there comes between them.
  return [`--rsh=${remoteShellOption(shell)}`, ...blocking, "--outbuf=L", ...options, "--", source, target];
}
