import { readFile } from "node:fs/promises";

/** All processes that this one started, and they in turn. */
export async function descendantsOf(pid: number): Promise<readonly number[]> {
  // Gone with the process.
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text.split(" ").filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}

/** Sends a signal to each; one that has ended is no error. */
function signalAll(pids: Iterable<number>, signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}

/** Sends SIGKILL to each; one that has ended is no error. */
export function killAll(pids: readonly number[]): void {
  signalAll(pids, "SIGKILL");
}

/** Sends SIGKILL to all descendants of a process, not to itself. */
export async function killTree(pid: number): Promise<void> {
  const found = new Set<number>();
  // Stopped first, until there are no more: what is killed one after the other could still start others.
  for (;;) {
    const more = (await descendantsOf(pid)).filter((one) => !found.has(one));
    if (more.length === 0) break;
    signalAll(more, "SIGSTOP");
    for (const one of more) found.add(one);
  }
  signalAll(found, "SIGKILL");
}
