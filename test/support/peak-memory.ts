import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

/** The most memory that a process ever had resident, bytes, as Linux counts it (VmHWM); returns when it has ended. */
export async function peakMemory(child: ChildProcess): Promise<number> {
  let peakBytes = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    if (kibibytes !== undefined) peakBytes = Math.max(peakBytes, Number(kibibytes) * 1024);
    await setTimeout(20);
  }
  return peakBytes;
}
