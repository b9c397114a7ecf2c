import { BackupError, type Path, parentOf } from "@backup/core";
import { inLanes } from "./lanes.js";
import { isMarker, markerOf } from "./marker.js";
import type { Entry, RemoteDirectory } from "./remote-directory.js";
import type { RcloneSender } from "./rclone-sender.js";
import { basename } from "node:path/posix";

export interface Making {
  readonly remote: RemoteDirectory;
  /** For markers. */
  readonly sender: RcloneSender;
  readonly signal: AbortSignal;
}

/** These and the directories that they are in. */
export function withParents(paths: Iterable<Path>): readonly Path[] {
  const all = new Set<Path>();
  for (const path of paths) for (let at = path; at !== ""; at = parentOf(at)) all.add(at);
  return [...all];
}

/**
 * Makes directories, with their parents, and looks whether they are there: a link in the place of one is not listed.
 * @throws BackupError DESTINATION_UNWRITABLE
 */
export async function makeDirectories(paths: readonly Path[], making: Making): Promise<void> {
  const { remote, signal } = making;
  const all = withParents(paths);
  const { emptyDirectories } = await remote.facts(signal);
  if (!emptyDirectories) return mark(all, making);
  const missing = await missingOf(all, making);
  // Whose parents come with them.
  const deepest = missing.filter((path) => !missing.some((other) => other.startsWith(`${path}/`)));
  await inLanes(deepest, (path) => remote.makeDirectory(path, signal));
  const [left] = missing.length > 0 ? await missingOf(missing, making) : [];
  if (left !== undefined)
    throw new BackupError(
      "DESTINATION_UNWRITABLE",
      `${remote.name}: ${left} is no directory, or a symbolic link, and those are not followed; put the directory itself there`,
    );
}

async function missingOf(paths: readonly Path[], { remote, signal }: Making): Promise<readonly Path[]> {
  const listed = new Map<Path, readonly Entry[]>();
  await inLanes(new Set(paths.map(parentOf)), async (parent) => {
    listed.set(parent, (await remote.entries(parent, signal)) ?? []);
  });
  return paths.filter((path) => {
    const entry = listed.get(parentOf(path))?.find(({ name }) => name === basename(path));
    if (entry && !entry.isDirectory)
      throw new BackupError("DESTINATION_UNWRITABLE", `${remote.name}: ${path} is no directory; move that file away`);
    return !entry;
  });
}

async function mark(paths: readonly Path[], { remote, sender, signal }: Making): Promise<void> {
  const unmarked: Path[] = [];
  await inLanes(paths, async (path) => {
    const entries = await remote.entries(path, signal);
    if (!entries?.some(({ name }) => isMarker(name))) unmarked.push(path);
  });
  const empty = { mtime: Date.now(), size: 0, content: new Uint8Array() };
  await sender.send(
    unmarked.map((path) => ({ ...empty, path: markerOf(path) })),
    signal,
  );
}
