import type { RemoteShell } from "./connection.js";
import { runRemote } from "./remote-command.js";

/** Whole directories at a host, by one command each. False: it could not be done so, and may be half done. */
export interface RemoteTrees {
  clone(from: string, to: string, signal: AbortSignal): Promise<boolean>;
  remove(path: string, signal: AbortSignal): Promise<boolean>;
}

/** A file that has to be there: the shell of an account may see other directories than its SFTP does. */
const IF_SEEN = 'test -e "$1"';
const SYNC = '{ sync -f "$1" 2>/dev/null || sync; }';
const CLONE = `xargs -0 sh -c '${IF_SEEN} && rm -rf -- "$3" && cp -al -- "$2" "$3" && ${SYNC} && echo done' sh`;
const REMOVE = `xargs -0 sh -c '${IF_SEEN} && rm -rf -- "$2" && echo done' sh`;

/** @param seen a file at the destination, as the host knows it */
export function remoteTrees(shell: (signal: AbortSignal) => Promise<RemoteShell>, seen: string): RemoteTrees {
  const run = async (command: string, paths: readonly string[], signal: AbortSignal): Promise<boolean> => {
    const { code, output } = await runRemote(await shell(signal), command, [seen, ...paths], signal);
    // An account that is restricted to one program runs that, whatever it is asked for.
    return code === 0 && output === "done\n";
  };
  return {
    clone: (from, to, signal) => run(CLONE, [from, to], signal),
    remove: (path, signal) => run(REMOVE, [path], signal),
  };
}
