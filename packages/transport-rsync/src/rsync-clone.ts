import { mkdir, open, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BackupError, type Cloned, type Path, isBackupError } from "@backup/core";
import { RsyncExit } from "./rsync-errors.js";
import type { RsyncEntry } from "./rsync-listing.js";
import type { RsyncTree } from "./rsync-tree.js";

export interface RsyncClone {
  readonly tree: RsyncTree;
  /** The destination, as rsync sees it. */
  readonly directory: string;
  readonly from: Path;
  /** It is there, and empty. */
  readonly to: Path;
  /** For messages. */
  readonly where: string;
}

/**
 * See Store.clone. rsync(1) makes another name of a file that is there where the sender has one of its name and size: so
 * it is offered files of holes. One that it takes instead of linking was never a message: then all is taken back.
 * @throws BackupError NOT_FOUND; DESTINATION_UNWRITABLE where there are no hard links
 */
export async function cloneByLinks(clone: RsyncClone, signal: AbortSignal): Promise<Cloned> {
  const { tree, from, to, where } = clone;
  const entries = await tree.listAll([], signal, from);
  const sent = await tree.scratch(async (local) => {
    await offer(local, entries);
    const taken = await linkAll(clone, local, signal);
    // By which the next run knows that nothing changed in them.
    const directories = entries.filter(({ type }) => type === "directory").toReversed();
    for (const { path, mtime } of directories) await utimes(join(local, path), mtime / 1000, mtime / 1000);
    await tree.pushDirectoryTimes(local, to, signal);
    return taken;
  });
  if (sent.length === 0) return { copied: 0 };
  await tree.removeTree(to, signal);
  throw new BackupError(
    "DESTINATION_UNWRITABLE",
    `${where} allows rsync only, and ${sent.length} of the files of ${from} could not get another name there: ` +
      "snapshots need hard links; use a file system that has them, or an account with SFTP",
  );
}

/** @returns the files that were sent, since they could not be linked */
async function linkAll(
  { tree, directory, from, to }: RsyncClone,
  local: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const up = to.replaceAll(/[^/]+/g, "..");
  try {
    return await tree.pushLinks(local, { to, links: `${up}/${from}` }, signal);
  } catch (error) {
    if (!isRestricted(error)) throw error;
    // rrsync(1) takes paths from the directory that it restricts to, and no `..`.
    const links = `/${directory}/${from}`.replaceAll(/\/+/g, "/");
    return await tree.pushLinks(local, { to, links }, signal);
  }
}

/** Makes the directories, and files that take no room. */
async function offer(local: string, entries: readonly RsyncEntry[]): Promise<void> {
  for (const { type, path, size } of entries) {
    const at = join(local, path);
    await mkdir(type === "directory" ? at : dirname(at), { recursive: true, mode: 0o700 });
    if (type !== "file") continue;
    await using file = await open(at, "wx", 0o600);
    await file.truncate(size);
  }
}

function isRestricted(error: unknown): boolean {
  return isBackupError(error) && error.cause instanceof RsyncExit && error.cause.stderr.includes("do not use ..");
}
