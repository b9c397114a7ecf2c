import type { Reach, RemoteShell } from "@backup/core";
import { runCommand } from "./remote-command.js";

/** Where a directory of a host is, whatever it is called there. */
export interface Position {
  /** Tells the machine from others. */
  readonly machine: string;
  /** Otherwise the first of the directories is the nearest one above it. */
  readonly isThere: boolean;
  /** From it up to the top. */
  readonly directories: readonly PositionDirectory[];
}

export interface PositionDirectory {
  /** Device and inode. */
  readonly id: string;
  readonly path: string;
  readonly isBackup: boolean;
}

/** The name comes on its input, so that no shell reads it. */
const COMMAND = [
  `cat /proc/sys/kernel/random/boot_id 2>/dev/null || uname -n`,
  `d=$1 t=yes`,
  `until cd -P -- "$d" 2>/dev/null; do t=no; case $d in .) exit 1 ;; ?*/*) d=\${d%/*} ;; /*) d=/ ;; *) d=. ;; esac; done`,
  `printf "%s\\0" "$t"`,
  `while :; do b=no; [ -e .backup/checkpoint.json ] && b=yes; printf "%s %s %s\\0" "$(stat -c %d:%i .)" $b "$PWD"; [ "$PWD" = / ] && break; cd -P ..; done`,
].join("\n");

/** Undefined: the account has no shell, or not what is needed beside it. */
export async function remotePosition(
  { shell, directory }: Reach & { readonly shell: RemoteShell },
  signal: AbortSignal,
): Promise<Position | undefined> {
  const plain = directory.startsWith("/") ? directory : `./${directory}`;
  const input = `${COMMAND}\0sh\0${plain.replace(/(.)\/+$/, "$1")}\0`;
  const { status, stdout } = await runCommand(shell, { command: "xargs -0 sh -c", input }, signal);
  const [head = "", ...rest] = stdout.toString().split("\0");
  const [machine = "", isThere] = head.split("\n");
  if (status !== 0 || rest.pop() !== "" || rest.length === 0) return undefined;
  const directories = rest.map((text) => {
    const [id = "", isBackup, ...path] = text.split(" ");
    return { id, isBackup: isBackup === "yes", path: path.join(" ") };
  });
  return directories.every(({ id }) => /^\d+:\d+$/.test(id))
    ? { machine, isThere: isThere === "yes", directories }
    : undefined;
}
