import type { MirrorPlace, Path } from "@backup/core";

/** Where at the destination is what is not whole yet. */
export const TEMPORARY: Path = ".backup/tmp";

/** Where at the destination is what is not whole yet. The lease has cleared that of a mirror; a snapshot gets one of its own. */
export async function makeScratch({ store, snapshot }: MirrorPlace, signal: AbortSignal): Promise<Path | undefined> {
  // An account that is restricted to rsync names it otherwise.
  if (store.can.rename === false) return undefined;
  if (snapshot) {
    await store.removeTree(TEMPORARY, signal);
    await store.makeDirectories([TEMPORARY], signal);
  }
  return TEMPORARY;
}

/** A snapshot that has its name has none. */
export async function removeScratch({ store, snapshot }: MirrorPlace, signal: AbortSignal): Promise<void> {
  if (snapshot) await store.removeTree(TEMPORARY, signal);
}
