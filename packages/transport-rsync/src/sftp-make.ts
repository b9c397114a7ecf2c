import { BackupError, CHECKPOINT_FILE, type Path, parentOf, throwIfAborted, withinBackup } from "@backup/core";
import { STATUS, type SftpCalls, unless, unlessRefused } from "./sftp-calls.js";
import { directorySync } from "./sftp-directory.js";
import { MANY } from "./sftp-files.js";
import { inFlight } from "./sftp-in-flight.js";
import { type Root, folderOf, rootOf } from "./sftp-root.js";

export interface Place {
  readonly root: Root;
  /** For messages. */
  readonly where: string;
}

/**
 * Asks for each of these directories and their parents below the root whether it is there; one round trip.
 * @throws BackupError DESTINATION_UNWRITABLE for a symbolic link or a file in the place of one
 */
export async function missingDirectories(
  sftp: SftpCalls,
  { root, where }: Place,
  paths: Iterable<Path>,
): Promise<readonly Path[]> {
  const all = new Set<Path>();
  for (const path of paths) for (let at = path; at !== "" && !all.has(at); at = parentOf(at)) all.add(at);
  const missing: Path[] = [];
  await inFlight(all, { limit: MANY }, async (path) => {
    const stats = await unless([STATUS.NO_SUCH_FILE], sftp.lstat(root.at(path)));
    if (!stats) return missing.push(path);
    if (stats.isSymbolicLink())
      throw new BackupError(
        "DESTINATION_UNWRITABLE",
        `${where}: ${root.at(path)} is a symbolic link, and those are not followed; put the directory itself there`,
      );
    if (!stats.isDirectory())
      throw new BackupError(
        "DESTINATION_UNWRITABLE",
        `${where}: ${root.at(path)} is in the place of a directory; move it out of the way`,
      );
    return undefined;
  });
  return missing;
}

export interface Making {
  readonly paths: readonly Path[];
  /** What was changed and is not durable yet, kept from one attempt to the next. */
  readonly changed: Set<string>;
  readonly signal: AbortSignal;
}

/**
 * See Store.makeDirectories. A round trip for each level that is missing, and two to make it durable.
 * @returns whether any was missing
 */
export async function makeDirectories(
  sftp: SftpCalls,
  place: Place,
  { paths, changed, signal }: Making,
): Promise<boolean> {
  const { root } = place;
  const missing = await missingDirectories(sftp, place, paths);
  for (const path of missing) changed.add(folderOf(root.at(path)));
  if (changed.size === 0) return false;
  const modes: Promise<void>[] = [];
  for (const level of byDepth(missing)) {
    throwIfAborted(signal);
    await inFlight(level, { limit: MANY, signal }, async (path) => {
      await makeOne(sftp, root.at(path));
      // For servers that do not heed the mode of a MKDIR.
      const mode = sftp.setstat(root.at(path), { mode: 0o700 });
      mode.catch(() => {});
      modes.push(mode);
    });
  }
  await Promise.all(modes);
  await directorySync(sftp, changed).finish();
  return true;
}

/**
 * Makes the destination itself, with what is missing above it: there, symbolic links are the user's.
 * @throws BackupError DESTINATION_OTHER where it would be inside of another backup
 */
export async function makeRoot(sftp: SftpCalls, path: string): Promise<void> {
  await inFlight(foldersAbove(path), { limit: MANY }, async (folder) => {
    // What this user may not look into is no backup of this user's; servers refuse what is above their root in many ways.
    const unseen = [STATUS.NO_SUCH_FILE, STATUS.PERMISSION_DENIED, STATUS.FAILURE];
    if (await unless(unseen, sftp.lstat(rootOf(folder).at(CHECKPOINT_FILE)))) throw withinBackup(path, folder);
  });
  await makeWithParents(sftp, path);
}

/** Those that its text tells of. */
function foldersAbove(path: string): readonly string[] {
  const above: string[] = [];
  for (let at = path; folderOf(at) !== at; at = folderOf(at)) above.push(folderOf(at));
  return above;
}

/** A directory with those above it that are missing. */
export async function makeWithParents(sftp: SftpCalls, path: string): Promise<void> {
  if (await unlessRefused([STATUS.NO_SUCH_FILE, STATUS.FAILURE], sftp.mkdir(path))) {
    await directorySync(sftp, new Set([folderOf(path)])).finish();
    return;
  }
  const parent = folderOf(path);
  // FAILURE says that it is there, or something else that whoever uses it will be told.
  if (parent === path || (await unless([STATUS.NO_SUCH_FILE], sftp.lstat(path)))) return;
  await makeWithParents(sftp, parent);
  await sftp.mkdir(path);
  await directorySync(sftp, new Set([parent])).finish();
}

async function makeOne(sftp: SftpCalls, path: string): Promise<void> {
  if (await unlessRefused([STATUS.FAILURE], sftp.mkdir(path))) return;
  // Made since it was asked for, or by the first of two attempts; otherwise the refusal itself says why.
  if ((await unless([STATUS.NO_SUCH_FILE], sftp.lstat(path)))?.isDirectory()) return;
  await sftp.mkdir(path);
}

/** Paths in groups, the shallowest first. */
function byDepth(paths: readonly Path[]): readonly (readonly Path[])[] {
  const levels: Path[][] = [];
  for (const path of paths) (levels[path.split("/").length - 1] ??= []).push(path);
  return levels.filter((level) => level !== undefined);
}

/** See Store.removeDirectories. A round trip for each level, and two to make it durable. */
export async function removeDirectories(
  sftp: SftpCalls,
  root: Root,
  { paths, signal }: { readonly paths: readonly Path[]; readonly signal: AbortSignal },
): Promise<void> {
  const waiting = new Set(paths);
  const changed = new Set<string>();
  while (waiting.size > 0) {
    const depth = Math.max(...[...waiting].map((path) => path.split("/").length));
    const level = [...waiting].filter((path) => path.split("/").length === depth);
    for (const path of level) waiting.delete(path);
    await inFlight(level, { limit: MANY, signal }, async (path) => {
      const at = root.at(path);
      // Version 3 says FAILURE of one that is not empty.
      const answer = await unless([STATUS.FAILURE], unlessRefused([STATUS.NO_SUCH_FILE], sftp.rmdir(at)));
      if (answer === undefined) return;
      changed.add(folderOf(at));
      if (parentOf(path) !== "") waiting.add(parentOf(path));
    });
  }
  await directorySync(sftp, changed).finish();
}
