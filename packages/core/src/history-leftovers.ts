import { type Day, formatDay, parseDay } from "./day.js";
import { listDays } from "./history.js";
import type { Path } from "./model.js";
import { PRIVATE, parentOf } from "./paths.js";
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
  for (const path of await store.subdirectories([CLONES, REPLACED, REMOVING], signal)) {
    const place = parentOf(path);
    const day = parseDay(path.slice(place.length + 1));
    if (day !== undefined && place === REPLACED && !(await listDays(store, signal)).days.includes(day))
      await store.moveTree(path, day, signal);
    else {
      // That of the month may have been left, empty.
      if (day !== undefined && place === REMOVING) await store.removeDirectories([parentOf(day)], signal);
      await store.removeTree(path, signal);
    }
  }
}
