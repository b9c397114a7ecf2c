import { BackupError } from "@backup/core";

/** A directory at a remote, as rclone(1) writes it. */
export interface RcloneAddress {
  /** The name of the remote: a section of rclone's configuration. */
  readonly remote: string;
  /** Where in it; empty: its root. */
  readonly path: string;
}

const SCHEME = "rclone:";

/** Reads `rclone:REMOTE:path`; undefined: it is something else. @throws BackupError USAGE */
export function parseRclone(text: string): RcloneAddress | undefined {
  return text.startsWith(SCHEME) ? readRemotePath(text.slice(SCHEME.length), text) : undefined;
}

/**
 * Reads `REMOTE:path`. A remote that is made up on the spot, `:s3,access_key_id=…:`, is refused: what is in an argument
 * can be read by every user of the machine.
 * @throws BackupError USAGE
 */
export function readRemotePath(text: string, given: string = text): RcloneAddress {
  const [, remote, path] = /^([\p{L}\p{N}_.+@-](?:[\p{L}\p{N}_.+@ -]*[\p{L}\p{N}_.+@-])?):(.*)$/su.exec(text) ?? [];
  if (remote === undefined || path === undefined || remote.startsWith("-"))
    throw new BackupError(
      "USAGE",
      `${given} names no remote of rclone; write ${SCHEME}REMOTE:path, with a REMOTE that 'rclone listremotes' shows`,
    );
  if (path.includes("\0") || path.split("/").includes(".."))
    throw new BackupError("USAGE", `${given}: a path at a remote has no '..' in it`);
  return { remote, path: path.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "") };
}

/** As a person writes it. */
export function formatRclone({ remote, path }: RcloneAddress): string {
  return `${SCHEME}${remote}:${path}`;
}
