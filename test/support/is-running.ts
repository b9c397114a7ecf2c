import { readFile } from "node:fs/promises";

/** A process that has ended, and that init has not waited for yet, runs no more. */
export async function isRunning(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text !== "" && !/^\d+ \(.*\) Z/s.test(text);
}
