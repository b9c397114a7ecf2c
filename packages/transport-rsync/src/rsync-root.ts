import { randomUUID } from "node:crypto";
import { PRIVATE, isBackupError } from "@backup/core";
import type { RsyncTree } from "./rsync-tree.js";
import type { Outgoing, Sender } from "./sender.js";

const TEMPORARY = `${PRIVATE}/tmp`;

/** Makes the destination if it is missing, 0700, with its private directory. */
export async function makeRoot(tree: RsyncTree, signal: AbortSignal): Promise<void> {
  try {
    await tree.list([TEMPORARY], signal);
    return;
  } catch (error) {
    if (!isBackupError(error, "NOT_FOUND")) throw error;
  }
  try {
    await tree.makeDirectories([PRIVATE], signal);
  } catch (error) {
    // Its parents are missing too; an rsync before 3.2.3 does not know how to make those.
    if (!isBackupError(error, "NOT_FOUND")) throw error;
    await tree.makeDirectories([PRIVATE], signal, ["--mkpath"]);
  }
  // rsync makes the directory that it is given as the umask there says.
  await tree.makeDirectories(["."], signal, ["--perms"]);
}

/** Whether names there may hold a colon: not on exFAT, FAT or some SMB shares. */
export async function holdsColon(tree: RsyncTree, sender: Sender, signal: AbortSignal): Promise<boolean> {
  const probe = `${TEMPORARY}/probe-${randomUUID()}:2,`;
  const file: Outgoing = { path: probe, mtime: Date.now(), size: 0, content: new Uint8Array() };
  try {
    await sender.send([file], signal);
  } catch (error) {
    // FAT says EINVAL, which rsync reports as any other failure; if it is more than that, the next write says so.
    if (isBackupError(error, "DESTINATION_UNWRITABLE")) return false;
    throw error;
  }
  const found = await tree.list([probe], signal);
  await tree.remove(
    found.map(({ path }) => path),
    signal,
  );
  return found.length > 0;
}
