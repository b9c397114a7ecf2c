import { randomUUID } from "node:crypto";
import type { FileEntryWithStats } from "ssh2";
import { OPEN, STATUS, type SftpCalls, unless, unlessRefused } from "./sftp-calls.js";
import { readDirectory } from "./sftp-directory.js";
import { MANY } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";
import { folderOf } from "./sftp-root.js";

export interface ClearOptions {
  /** Directory of temporary files. */
  readonly temporary: string;
  /** The lease, which is held. */
  readonly lease: string;
  /** Age at which the working file of another lease counts as left behind, milliseconds. */
  readonly expiryMs: number;
}

/**
 * Removes what interrupted runs left: all temporary files, and what is old of those that took or gave back a lease.
 * By the way it finds out whether names may hold a colon. Two round trips where nothing is left.
 */
export async function clearLeftovers(
  sftp: SftpCalls,
  { temporary, lease, expiryMs }: ClearOptions,
): Promise<{ readonly colon: boolean }> {
  const probe = `${randomUUID()}:2,`;
  const create = OPEN.CREATE | OPEN.EXCLUSIVE | OPEN.WRITE;
  const refused = [STATUS.FAILURE, STATUS.NO_SUCH_FILE, STATUS.PERMISSION_DENIED];
  const [handle, left, beside] = await Promise.all([
    unless(refused, sftp.open(`${temporary}/${probe}`, create)),
    readDirectory(sftp, temporary, 2),
    readDirectory(sftp, folderOf(lease), 2),
  ]);
  // Nothing depends on the answers: what stays of it, the next lease clears.
  if (handle) for (const work of [sftp.close(handle), sftp.unlink(handle.path)]) work.catch(() => {});
  await Promise.all([
    removeAll(
      sftp,
      temporary,
      (left ?? []).filter(({ filename }) => filename !== probe),
    ),
    inFlight(oldWorkingFiles(beside ?? [], lease, expiryMs), { limit: MANY }, (path) =>
      unless([STATUS.NO_SUCH_FILE], sftp.unlink(path)),
    ),
  ]);
  return { colon: handle !== undefined && (left ?? []).some(({ filename }) => filename === probe) };
}

function oldWorkingFiles(entries: readonly FileEntryWithStats[], lease: string, expiryMs: number): readonly string[] {
  const directory = folderOf(lease);
  const name = lease.slice(directory.length + 1);
  // The lease was written just now: its time is the present by the server's clock.
  const now = entries.find(({ filename }) => filename === name)?.attrs.mtime;
  if (now === undefined) return [];
  return entries
    .filter(({ filename, attrs }) => filename.startsWith(`${name}.`) && attrs.mtime < now - expiryMs / 1000)
    .map(({ filename }) => `${directory}/${filename}`);
}

/** Removes a directory, with what is in it; one round trip where that is nothing. */
export async function removeTree(sftp: SftpCalls, path: string): Promise<void> {
  const refused = [STATUS.FAILURE, STATUS.PERMISSION_DENIED, STATUS.UNSUPPORTED];
  if (await unlessRefused(refused, unless([STATUS.NO_SUCH_FILE], sftp.rmdir(path)))) return;
  await removeAll(sftp, path, (await readDirectory(sftp, path, 2)) ?? []);
  await unless([STATUS.NO_SUCH_FILE], sftp.rmdir(path));
}

async function removeAll(sftp: SftpCalls, path: string, entries: readonly FileEntryWithStats[]): Promise<void> {
  await inFlight(entries, { limit: MANY }, async ({ filename, attrs }) => {
    const at = `${path}/${filename}`;
    if (!attrs.isDirectory()) return unless([STATUS.NO_SUCH_FILE], sftp.unlink(at));
    return removeTree(sftp, at);
  });
}
