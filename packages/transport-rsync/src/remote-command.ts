import { spawn } from "node:child_process";
import { throwIfAborted } from "@backup/core";
import { childEnvironment } from "./child-environment.js";
import type { RemoteShell } from "./connection.js";

/** How a command at a host ended. */
export interface RemoteEnd {
  /** 255 is that of ssh(1) itself; null: a signal ended it. */
  readonly code: number | null;
  /** What it printed. */
  readonly output: string;
}

/**
 * Runs a command at a host and gives it these paths, each followed by a NUL, on its input: no shell reads them.
 * @throws BackupError ABORTED
 */
export async function runRemote(
  shell: RemoteShell,
  command: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<RemoteEnd> {
  throwIfAborted(signal);
  const child = spawn(shell.program, [...shell.args, "--", shell.target, command], {
    env: { ...childEnvironment(process.env), ...shell.env },
    stdio: ["pipe", "pipe", "ignore"],
    // ^C is for us, who end it in order.
    detached: true,
  });
  const stop = (): boolean => child.kill();
  signal.addEventListener("abort", stop, { once: true });
  try {
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
      // It may end before it has read that; how it ended says enough.
      child.stdin.on("error", () => {});
      child.stdin.end(paths.map((path) => `${path}\0`).join(""));
    });
    throwIfAborted(signal);
    return { code, output };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
