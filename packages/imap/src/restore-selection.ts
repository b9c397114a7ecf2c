import { BackupError, type CollectionFiles, type Path, type RestoreRequest, backupFiles } from "@backup/core";
import type { FolderName } from "./folder-names.js";
import { folderMatcher } from "./list-folders.js";
import type { RestoreLedger } from "./restore-ledger.js";
import { type StoredFolder, storedFolders } from "./restore-messages.js";
import { maildirLayout } from "./maildir-layout.js";

export interface Selection {
  /** Globs over folders of the backup; empty: all. */
  readonly folders: readonly string[];
  /** Only messages whose INTERNALDATE is not before this, milliseconds since 1970, and folders that have some. */
  readonly since?: number | undefined;
}

export interface Selected {
  readonly folders: readonly StoredFolder[];
  /** Of every folder of the backup, so that a selection never changes what another one is called. */
  readonly all: ReadonlyMap<Path, FolderName>;
}

/** What of a backup is to be restored. @throws BackupError NOTHING_SELECTED */
export async function selectFolders(
  request: RestoreRequest,
  { folders: globs, since }: Selection,
  ledger: RestoreLedger,
): Promise<Selected> {
  const all = new Map<Path, FolderName>();
  const folders: StoredFolder[] = [];
  const isWanted = folderMatcher({ include: globs, exclude: [] });
  const collections: CollectionFiles[] = [];
  for await (const files of backupFiles({ ...request, layout: maildirLayout })) collections.push(files);
  for (const folder of await storedFolders(collections, request)) {
    all.set(folder.path, folder.parts);
    const messages = folder.messages.filter(({ seconds }) => since === undefined || seconds * 1000 >= since);
    if (isWanted(folder.parts) && (since === undefined || messages.length > 0)) folders.push({ ...folder, messages });
  }
  for (const glob of globs) {
    const matches = folderMatcher({ include: [glob], exclude: [] });
    if ([...all.values()].some(matches)) continue;
    const names = [...all.values()].map((parts) => parts.join("/"));
    const message = `no folder matches --folder '${glob}'; the backup has ${names.slice(0, 12).join(", ")}${names.length > 12 ? " and more" : ""}`;
    const error = new BackupError("NOTHING_SELECTED", message);
    if (folders.length === 0) throw error;
    ledger.unavailable(glob, error);
  }
  return { folders, all };
}
