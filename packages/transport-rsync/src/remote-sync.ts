import { BackupError, type Reach, type RemoteShell, syncFileSystemHere } from "@backup/core";
import { runCommand } from "./remote-command.js";

/** syncfs(2) by sync(1) of GNU and busybox. */
const COMMAND = "xargs -0 sync -f";

/**
 * Makes durable all that was written to the file system of a directory at the host.
 * @returns false: the account has no such command
 * @throws BackupError CONNECTION_LOST (transient), ABORTED
 */
export async function syncFileSystem(shell: RemoteShell, directory: string, signal: AbortSignal): Promise<boolean> {
  const { status } = await runCommand(shell, { command: COMMAND, input: `${directory}\0` }, signal);
  if (status === undefined)
    throw new BackupError("CONNECTION_LOST", `the connection to ${shell.target} was lost`, { transient: true });
  return status === 0;
}

/**
 * Makes durable all that was written to the file system of a directory, here or at a host.
 * @returns false: there is no such command
 * @throws BackupError CONNECTION_LOST (transient), ABORTED
 */
export async function syncReach({ shell, directory }: Reach, signal: AbortSignal): Promise<boolean> {
  const at = directory === "" ? "." : directory;
  return shell ? syncFileSystem(shell, at, signal) : syncFileSystemHere(at);
}
