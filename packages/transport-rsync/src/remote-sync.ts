import { spawn } from "node:child_process";
import { BackupError, throwIfAborted } from "@backup/core";
import { childEnvironment } from "./child-environment.js";
import type { RemoteShell } from "./connection.js";

/** syncfs(2) by sync(1) of GNU and busybox; the directory comes on its input, so that no shell reads it. */
const COMMAND = "xargs -0 sync -f";

/** Exit status of ssh(1) itself. */
const SSH_FAILED = 255;

/**
 * Makes durable all that was written to the file system of a directory at the host.
 * @returns false: the account has no such command
 * @throws BackupError CONNECTION_LOST (transient), ABORTED
 */
export async function syncFileSystem(shell: RemoteShell, directory: string, signal: AbortSignal): Promise<boolean> {
  throwIfAborted(signal);
  const child = spawn(shell.program, [...shell.args, "--", shell.target, COMMAND], {
    env: { ...childEnvironment(process.env), ...shell.env },
    stdio: ["pipe", "ignore", "ignore"],
    // ^C is for us, who end it in order.
    detached: true,
  });
  const stop = (): boolean => child.kill();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
      // It may end before it has read that; how it ended says enough.
      child.stdin.on("error", () => {});
      child.stdin.end(`${directory}\0`);
    });
    throwIfAborted(signal);
    if (code === null || code === SSH_FAILED)
      throw new BackupError("CONNECTION_LOST", `the connection to ${shell.target} was lost`, { transient: true });
    return code === 0;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
