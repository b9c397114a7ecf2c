import { type Day, formatDay, parseDay } from "./day.js";
import type { Path } from "./model.js";
import { PRIVATE } from "./paths.js";
import type { Store } from "./store.js";

/** Where directories are that are no snapshots: not yet, or not any more. */
const CLONES: Path = `${PRIVATE}/clone`;
const REPLACED: Path = `${PRIVATE}/replaced`;
const REMOVING: Path = `${PRIVATE}/removing`;

/** Where the newest snapshot is cloned to; one that is whole leaves it. */
export const CLONE: Path = `${CLONES}/next`;

/** Where the snapshot of a day is until another has taken its place. */
export function replacedAt(day: Day): Path {
  return `${REPLACED}/${formatDay(day)}`;
}

/** Where the snapshot of a day is while it is being removed. */
export function removingAt(day: Day): Path {
  return `${REMOVING}/${formatDay(day)}`;
}

/** Clears what interrupted runs left: a snapshot whose place nobody has taken goes back there. The lease is held. */
export async function clearLeftovers(store: Store, signal: AbortSignal): Promise<void> {
  const left = await store.subdirectories([CLONES, REPLACED, REMOVING], signal);
  for (const path of left) {
    const day = path.startsWith(`${REPLACED}/`) ? parseDay(path.slice(REPLACED.length + 1)) : undefined;
    if (day !== undefined && !(await isThere(store, day, signal))) await store.moveTree(path, day, signal);
    else await store.removeTree(path, signal);
  }
}

async function isThere(store: Store, day: Day, signal: AbortSignal): Promise<boolean> {
  const month = day.slice(0, day.lastIndexOf("/"));
  return (await store.subdirectories([month], signal)).includes(day);
}
