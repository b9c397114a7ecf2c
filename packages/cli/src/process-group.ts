import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { systemCode } from "@backup/core";

export interface GroupOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
}

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program in a process group of its own, with what it starts: one signal reaches all of it. */
export interface ProcessGroup {
  readonly child: ChildProcess;
  /** Of the group; that of the program. */
  readonly pid: number;
  /** The end of the program. What it started may run on. */
  readonly ended: Promise<Ended>;
}

/** A process that has not ended. */
export interface Member {
  readonly pid: number;
  readonly name: string;
}

/** How often a group is looked at, milliseconds. */
const LOOK_MS = 50;
/** SIGKILL needs no patience, but a disk that hangs keeps a process for longer. */
const KILLED_MS = 1000;

/** Starts a program without a shell. Rejects with the system's error where that is impossible. */
export async function startGroup({ program, args, env, stdio }: GroupOptions): Promise<ProcessGroup> {
  const child = spawn(program, args, { env, stdio, detached: true });
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
 * Waits for the end of the program, and then for `rest`. An abort ends the group, all of it, and is no error here:
 * SIGTERM, and after `graceMs` SIGKILL.
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
    stopping ??= endGroup(pid, graceMs);
  };
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

/** Tells a group to end, waits for the last of it, and kills what is left. */
async function endGroup(group: number, graceMs: number): Promise<void> {
  signalGroup(group, "SIGTERM");
  if (await isEmptyWithin(group, graceMs)) return;
  signalGroup(group, "SIGKILL");
  await isEmptyWithin(group, KILLED_MS);
}

async function isEmptyWithin(group: number, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  while (membersOf(group).length > 0) {
    if (performance.now() >= until) return false;
    await setTimeout(LOOK_MS);
  }
  return true;
}

/** What of a group still runs. */
export function membersOf(group: number): readonly Member[] {
  if (!signalGroup(group, 0)) return [];
  // Also there with nothing but processes that have ended and that nobody has waited for: as in a container without an init.
  let pids: readonly string[];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return [{ pid: group, name: "a process" }];
  }
  return pids.map((pid) => memberOf(group, pid)).filter((member) => member !== undefined);
}

/** proc(5): the number, the name in parentheses, the state, the parent, the group. */
function memberOf(group: number, pid: string): Member | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name may hold anything; what follows is separated by spaces.
    const end = stat.lastIndexOf(")");
    const [state, , found] = stat.slice(end + 2).split(" ");
    if (Number(found) !== group || state === "Z" || state === "X") return undefined;
    return { pid: Number(pid), name: stat.slice(stat.indexOf("(") + 1, end) };
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
