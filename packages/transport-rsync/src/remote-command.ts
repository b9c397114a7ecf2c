import { spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { childEnvironment, throwIfAborted } from "@backup/core";
import type { RemoteShell } from "@backup/core";

/** Exit status of ssh(1) itself. */
const SSH_FAILED = 255;

export interface CommandEnd {
  /** Exit status; undefined: the connection was lost. */
  readonly status: number | undefined;
  readonly stdout: Buffer;
}

/**
 * Runs a command of an account to its end. What is not known beforehand comes on its input, so that no shell reads it.
 * @param command read by the account's shell
 * @throws BackupError ABORTED
 */
export async function runCommand(
  shell: RemoteShell,
  { command, input }: { readonly command: string; readonly input: string | Uint8Array },
  signal: AbortSignal,
): Promise<CommandEnd> {
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
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
      // It may end before it has read that; how it ended says enough.
      child.stdin.on("error", () => {});
      child.stdin.end(input);
    });
    const [code, stdout] = await Promise.all([ended, buffer(child.stdout)]);
    throwIfAborted(signal);
    return { status: code === null || code === SSH_FAILED ? undefined : code, stdout };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
