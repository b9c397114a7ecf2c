import { link } from "node:fs/promises";
import { dirname } from "node:path";
import { ignoring } from "./disk-error.js";
import { throwIfAborted } from "./errors.js";
import type { Move } from "./store.js";
import { syncDirectory } from "./sync-directory.js";

/** What link(2) says where there cannot be another name, which is no fault. */
export const NO_LINK = ["EEXIST", "ENOENT", "EMLINK", "EPERM", "EXDEV", "ENOTSUP", "ENOSYS"];

/** Makes hard links, and says of each whether it is made; durable when this has returned. */
export async function linkFiles(links: readonly Move[], signal: AbortSignal): Promise<readonly boolean[]> {
  const made: boolean[] = [];
  const changed = new Set<string>();
  for (const { from, to } of links) {
    throwIfAborted(signal);
    const linked = link(from, to).then(() => true as const);
    const isMade = (await ignoring(NO_LINK, linked)) ?? false;
    made.push(isMade);
    if (isMade) changed.add(dirname(to));
  }
  for (const directory of changed) await syncDirectory(directory);
  return made;
}
