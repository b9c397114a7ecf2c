import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemCode } from "./errors.js";

/**
 * Tells this process from any other that has or had its number: boot, pid namespace and start time, from /proc
 * (proc(5)). Empty where there is no /proc.
 */
export function processMark(): string {
  const namespace = scope();
  const start = startTime(process.pid);
  return namespace && start ? `${namespace} ${start}` : "";
}

/** Whether a process that ran on this machine, where this one could see it, has ended. False when in doubt. */
export function isDeadHere({ host, pid, process: mark }: { host: string; pid: number; process: string }): boolean {
  if (host !== hostname()) return false;
  const here = scope();
  if (!here) return !isRunning(pid);
  const cut = mark.lastIndexOf(" ");
  if (mark.slice(0, cut) !== here) return false;
  return startTime(pid) !== mark.slice(cut + 1);
}

function scope(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch (error) {
    if (systemCode(error)) return "";
    throw error;
  }
}

function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name, in parentheses, may hold anything; what follows is separated by spaces. Field 22 is the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch (error) {
    if (systemCode(error)) return "";
    throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
}
