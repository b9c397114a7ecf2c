import { readFile } from "node:fs/promises";

/** All processes that this one started, and they in turn. */
export async function descendantsOf(pid: number): Promise<readonly number[]> {
  // Gone with the process.
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text.split(" ").filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}

/** Sends SIGKILL to each; one that has ended is no error. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
}

/** Sends SIGKILL to all descendants of a process, not to itself. */
export async function killTree(pid: number): Promise<void> {
  killAll(await descendantsOf(pid));
}
