import type { Description } from "@backup/core";
import { OPEN, STATUS, type SftpCalls, unless } from "./sftp-calls.js";
import type { SftpDestination } from "./sftp-destination.js";

/** What the server can do at this destination, and how it stands there. */
export async function factsOf(
  sftp: SftpCalls,
  destination: SftpDestination,
): Promise<Pick<Description, "rename" | "link" | "fsync" | "freeBytes" | "clockSkewMs">> {
  const { offers } = sftp;
  const probe = destination.temporaryName();
  const started = Date.now();
  const handle = await sftp.open(probe, OPEN.CREATE | OPEN.TRUNCATE | OPEN.WRITE);
  const { mtime } = await sftp.fstat(handle);
  await sftp.close(handle);
  const isLinked = offers.hardlink && (await canLink(sftp, probe, destination.temporaryName()));
  await sftp.unlink(probe);
  const room = offers.statvfs
    ? await unless([STATUS.FAILURE, STATUS.UNSUPPORTED], sftp.statvfs(destination.root.path))
    : undefined;
  return {
    rename: offers.posixRename,
    link: isLinked,
    fsync: offers.fsync,
    freeBytes: room?.bytes,
    // Whole seconds there: the present, cut off.
    clockSkewMs: (mtime - Math.floor(started / 1000)) * 1000,
  };
}

/** The file system may have no hard links, whatever the server offers. */
async function canLink(sftp: SftpCalls, from: string, to: string): Promise<boolean> {
  const made = sftp.hardlink(from, to).then(() => true as const);
  const linked = await unless([STATUS.FAILURE, STATUS.PERMISSION_DENIED, STATUS.UNSUPPORTED], made);
  if (linked) await sftp.unlink(to);
  return linked ?? false;
}
