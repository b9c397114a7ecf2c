import { type RemoteShell, isBackupError } from "@backup/core";
import { runCommand } from "./remote-command.js";

/** sha256sum(1) of GNU and busybox. The names come on its input, so that no shell reads them. */
const COMMAND = "xargs -0 sha256sum --";

/** A line of it; a backslash before it says that the name is escaped. */
const LINE = /^(\\?)([0-9a-f]{64}) [ *](.+)$/;
const ESCAPED: Readonly<Record<string, string>> = { "\\\\": "\\", "\\n": "\n", "\\r": "\r" };

/** SHA-256 of files at a host, made there, by the names that are given. What cannot be had is left out. */
export type Sums = (files: readonly string[], signal: AbortSignal) => Promise<ReadonlyMap<string, Buffer>>;

/** Where the account has no such command, or no shell, all is left out; it is asked once. */
export function sumsByShell(shell: (signal: AbortSignal) => Promise<RemoteShell>): Sums {
  let isThere = true;
  return async (files, signal) => {
    if (!isThere) return new Map();
    try {
      const sums = await remoteSums(await shell(signal), files, signal);
      isThere = sums.size > 0;
      return sums;
    } catch (error) {
      if (!isBackupError(error, "TRANSPORT_MISSING")) throw error;
      isThere = false;
      return new Map();
    }
  };
}

async function remoteSums(
  shell: RemoteShell,
  files: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Buffer>> {
  const input = files.map((file) => `${file}\0`).join("");
  // Its status says nothing: a file that is missing is an error to it, and all others are named.
  const { stdout } = await runCommand(shell, { command: COMMAND, input }, signal);
  return readSums(stdout.toString());
}

/** What sha256sum prints; lines that are none are left out. */
export function readSums(text: string): ReadonlyMap<string, Buffer> {
  const sums = new Map<string, Buffer>();
  // What has no end was cut: it may look like the line of another file.
  for (const line of text.split("\n").slice(0, -1)) {
    const [, mark, sum, name] = LINE.exec(line) ?? [];
    if (sum === undefined || name === undefined) continue;
    const file = mark === "" ? name : name.replace(/\\[\\nr]/g, (escaped) => ESCAPED[escaped] ?? escaped);
    sums.set(file, Buffer.from(sum, "hex"));
  }
  return sums;
}
