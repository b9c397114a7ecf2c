import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { systemCode } from "./errors.js";
import { atExit } from "./at-exit.js";

export interface GroupOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Default: the directory of this process. */
  readonly cwd?: string | undefined;
  readonly stdio: StdioOptions;
}

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A program in a session of its own (setsid(2)), with what it starts. That may make process groups in the session, as
 * timeout(1) does, and `set -m` of a shell: a signal goes to each of them.
 */
export interface ProcessGroup {
  readonly child: ChildProcess;
  /** Of the program, and of its session. */
  readonly pid: number;
  /** The end of the program. What it started may run on. */
  readonly ended: Promise<Ended>;
}

/** A process that has not ended. */
export interface Member {
  readonly pid: number;
  /** Its process group. */
  readonly group: number;
  readonly name: string;
}

/** How often a session is looked at, milliseconds. */
const LOOK_MS = 50;
/** SIGKILL needs no patience, but a disk that hangs keeps a process for longer. */
const KILLED_MS = 1000;

/** Starts a program without a shell. Rejects with the system's error where that is impossible. */
export async function startGroup({ program, args, env, cwd, stdio }: GroupOptions): Promise<ProcessGroup> {
  const child = spawn(program, args, { env, cwd, stdio, detached: true });
  const ended = once(child, "exit").then(
    ([code, signal]): Ended => ({ code, signal }),
    // Told by `spawn` below.
    () => ({ code: null, signal: null }),
  );
  await once(child, "spawn");
  if (child.pid === undefined) throw new Error(`${program} runs and has no pid`);
  return { child, pid: child.pid, ended };
}

/**
 * Waits for the end of the program, and then for `rest`. An abort ends all of it, and is no error here: SIGTERM, and after
 * `graceMs` SIGKILL. Where this process ends before, so does all of it.
 */
export async function waitForGroup(
  { pid, ended }: ProcessGroup,
  {
    signal,
    graceMs,
    rest,
  }: { readonly signal: AbortSignal; readonly graceMs: number; readonly rest?: () => Promise<void> },
): Promise<Ended> {
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping ??= endSession(pid, graceMs);
  };
  using _killed = atExit(() => signalSession(pid, "SIGKILL"));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const result = await ended;
    if (!signal.aborted) await rest?.();
    await stopping;
    return result;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Tells a session to end, waits for the last of it, and kills what is left. */
export async function endSession(session: number, graceMs: number): Promise<void> {
  signalSession(session, "SIGTERM");
  if (await isEmptyWithin(session, graceMs)) return;
  // Again and again: a group may have begun meanwhile.
  await isEmptyWithin(session, KILLED_MS, () => signalSession(session, "SIGKILL"));
}

async function isEmptyWithin(session: number, ms: number, look: () => void = () => {}): Promise<boolean> {
  const until = performance.now() + ms;
  while (membersOf(session).length > 0) {
    if (performance.now() >= until) return false;
    look();
    await setTimeout(LOOK_MS);
  }
  return true;
}

/** To every group of a session; the first one is there also where proc(5) shows nothing. */
function signalSession(session: number, signal: NodeJS.Signals): void {
  for (const group of new Set([session, ...membersOf(session).map((member) => member.group)]))
    signalGroup(group, signal);
}

/** What of a session still runs; where there is no proc(5), of its first group. */
export function membersOf(session: number): readonly Member[] {
  let pids: readonly string[];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return signalGroup(session, 0) ? [{ pid: session, group: session, name: "a process" }] : [];
  }
  return pids.map((pid) => memberOf(session, pid)).filter((member) => member !== undefined);
}

/** proc(5): the number, the name in parentheses, the state, the parent, the group, the session. */
function memberOf(session: number, pid: string): Member | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name may hold anything; what follows is separated by spaces.
    const end = stat.lastIndexOf(")");
    const [state, , group, found] = stat.slice(end + 2).split(" ");
    // One that has ended and that nobody has waited for is no more: as in a container without an init.
    if (Number(found) !== session || state === "Z" || state === "X") return undefined;
    return { pid: Number(pid), group: Number(group), name: stat.slice(stat.indexOf("(") + 1, end) };
  } catch (error) {
    // It has ended meanwhile, or is hidden from us (hidepid).
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** Whether there was anybody to get it; 0 only asks. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch (error) {
    if (systemCode(error) === "ESRCH") return false;
    // There are some, and they are another user's: sudo in a script.
    if (systemCode(error) === "EPERM") return true;
    throw error;
  }
}
