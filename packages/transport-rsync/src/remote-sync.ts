import { BackupError } from "@backup/core";
import type { RemoteShell } from "./connection.js";
import { runRemote } from "./remote-command.js";

/** syncfs(2) by sync(1) of GNU and busybox. */
const COMMAND = "xargs -0 sync -f";

/** Exit status of ssh(1) itself. */
const SSH_FAILED = 255;

/**
 * Makes durable all that was written to the file system of a directory at the host.
 * @returns false: the account has no such command
 * @throws BackupError CONNECTION_LOST (transient), ABORTED
 */
export async function syncFileSystem(shell: RemoteShell, directory: string, signal: AbortSignal): Promise<boolean> {
  const { code } = await runRemote(shell, COMMAND, [directory], signal);
  if (code === null || code === SSH_FAILED)
    throw new BackupError("CONNECTION_LOST", `the connection to ${shell.target} was lost`, { transient: true });
  return code === 0;
}
