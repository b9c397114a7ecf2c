import { mkdir, open, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BackupError, type Cloned, type Path, isBackupError } from "@backup/core";
import { RsyncExit } from "./rsync-errors.js";
import type { RsyncEntry } from "./rsync-listing.js";
import type { RsyncTree, Unlinked } from "./rsync-tree.js";

export interface RsyncClone {
  /** It tries nothing again: what failed is begun anew as a whole. */
  readonly tree: RsyncTree;
  /** The destination, as rsync sees it. */
  readonly directory: string;
  readonly from: Path;
  /** Its parent is there; what is in it goes. */
  readonly to: Path;
  /** For messages. */
  readonly where: string;
}

/**
 * See Store.clone. rsync(1) makes another name of a file that is there where the sender has one of its name and size: so
 * it is offered files of holes. One that it takes instead was never a message: then all is taken back.
 * @throws BackupError NOT_FOUND; DESTINATION_UNWRITABLE where it took one
 */
export async function cloneByLinks(clone: RsyncClone, signal: AbortSignal): Promise<Cloned> {
  const { tree, from, to, where } = clone;
  const entries = await tree.listAll([], signal, from);
  await makeEmpty(tree, to, signal);
  const { copied, sent } = await tree.scratch(async (local) => {
    await offer(local, entries);
    const taken = await linkAll(clone, local, signal);
    // By which the next run knows that nothing changed in them.
    const directories = entries.filter(({ type }) => type === "directory").toReversed();
    for (const { path, mtime } of directories) await utimes(join(local, path), ...timesOf(mtime));
    await tree.pushDirectoryTimes(local, to, signal);
    return taken;
  });
  if (sent.size === 0) return { copied: copied.size };
  await tree.removeTree(to, signal);
  throw new BackupError(
    "DESTINATION_UNWRITABLE",
    `${where} allows rsync only, and ${sent.size} of the files of ${from} could neither be linked nor copied there, ` +
      "because they changed or vanished, or its rsync does not know --link-dest; run again, or use an account with SFTP",
  );
}

async function makeEmpty(tree: RsyncTree, path: Path, signal: AbortSignal): Promise<void> {
  const [there] = await tree.list([path], signal);
  if (there?.type === "directory") await tree.removeTree(path, signal);
  await tree.makeDirectories([path], signal);
}

async function linkAll(
  { tree, directory, from, to }: RsyncClone,
  local: string,
  signal: AbortSignal,
): Promise<Unlinked> {
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

/** Makes the directories, and files that take no room, with their times. */
async function offer(local: string, entries: readonly RsyncEntry[]): Promise<void> {
  for (const { type, path, size, mtime } of entries) {
    const at = join(local, path);
    await mkdir(type === "directory" ? at : dirname(at), { recursive: true, mode: 0o700 });
    if (type !== "file") continue;
    await using file = await open(at, "wx", 0o600);
    await file.truncate(size);
    await file.utimes(...timesOf(mtime));
  }
}

/** As a text, because Node takes a number before 1970 for the present. */
function timesOf(mtime: number): [string, string] {
  return [String(mtime / 1000), String(mtime / 1000)];
}

function isRestricted(error: unknown): boolean {
  return isBackupError(error) && error.cause instanceof RsyncExit && error.cause.stderr.includes("do not use ..");
}
