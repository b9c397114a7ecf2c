import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ignoring } from "./disk-error.js";
import { BackupError, systemCode } from "./errors.js";
import { syncDirectory } from "./sync-directory.js";

/**
 * Writes a secret into a file, new or not, whole or not at all: a temporary file beside it, fsync(2), rename(2). One
 * that is there keeps its owner and mode, and a link to it stays a link; a new one is for its owner alone (0600). A file
 * that not even its owner may write is left as it is, whoever asks.
 * @throws BackupError SECRET_UNWRITABLE
 */
export async function saveSecret(place: string, content: string): Promise<void> {
  try {
    const before = await ignoring(["ENOENT"], stat(place));
    const file = before ? await realpath(place) : place;
    if (before && (before.mode & 0o200) === 0) throw unwritable(place, "it is read-only");
    await replace(file, content, before);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw unwritable(place, code, error);
  }
}

async function replace(file: string, content: string, before: Stats | undefined): Promise<void> {
  const temporary = join(dirname(file), `.${randomUUID()}.tmp`);
  try {
    await using handle = await open(temporary, "wx", 0o600);
    await handle.writeFile(content);
    if (before) await becomeLike(handle, before);
    await handle.sync();
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(file));
}

async function becomeLike(handle: FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  const own = await handle.stat();
  if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid);
  await handle.chmod(mode & 0o777);
}

function unwritable(place: string, why: string, cause?: unknown): BackupError {
  return new BackupError("SECRET_UNWRITABLE", `the secret ${place} cannot be written (${why})`, { cause });
}
