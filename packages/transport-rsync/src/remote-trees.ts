import type { RemoteShell } from "@backup/core";
import { runCommand } from "./remote-command.js";

/** Whole directories at a host, by one command each. False: it could not be done so, and may be half done. */
export interface RemoteTrees {
  clone(from: string, to: string, signal: AbortSignal): Promise<boolean>;
  remove(path: string, signal: AbortSignal): Promise<boolean>;
}

/** A file that has to be there: the shell of an account may see other directories than its SFTP does. */
const IF_SEEN = 'test -e "$1"';
const SYNC = '{ sync -f "$1" 2>/dev/null || sync; }';
/** Into a directory of its own making: one that a lost connection left running fails, instead of cloning into it. */
const MAKE = 'rm -rf -- "$3" && mkdir -m 700 -- "$3"';
const CLONE = `xargs -0 sh -c '${IF_SEEN} && ${MAKE} && cp -al -- "$2/." "$3" && ${SYNC} && echo done' sh`;
const REMOVE = `xargs -0 sh -c '${IF_SEEN} && rm -rf -- "$2" && echo done' sh`;

/** @param seen a file at the destination, as the host knows it */
export function remoteTrees(shell: (signal: AbortSignal) => Promise<RemoteShell>, seen: string): RemoteTrees {
  const run = async (command: string, paths: readonly string[], signal: AbortSignal): Promise<boolean> => {
    const input = [seen, ...paths].map((path) => `${path}\0`).join("");
    const { status, stdout } = await runCommand(await shell(signal), { command, input }, signal);
    // An account that is restricted to one program runs that, whatever it is asked for.
    return status === 0 && stdout.toString() === "done\n";
  };
  return {
    clone: (from, to, signal) => run(CLONE, [from, to], signal),
    remove: (path, signal) => run(REMOVE, [path], signal),
  };
}
