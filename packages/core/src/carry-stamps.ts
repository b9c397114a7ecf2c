import { OPEN, type Seen, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { readInventory, writeInventory } from "./inventory.js";
import type { Layout } from "./layout.js";
import type { Path } from "./model.js";
import type { Store } from "./store.js";
import { stampOf, stampsOf } from "./collection-files.js";

/**
 * Makes the checkpoint and the report of a clone speak of its own directories. Only of collections that were as the
 * checkpoint says when the clone was complete: what anybody changed in between is compared again.
 * @param from what was cloned
 * @param to the clone
 */
export async function carryStamps(
  source: Pick<Layout, "leaves">,
  { from, to }: { readonly from: Store; readonly to: Store },
  signal: AbortSignal,
): Promise<void> {
  const checkpoint = await readCheckpoint(to, signal);
  if (!checkpoint) return;
  const there = await stampsOf(source, from, signal);
  const here = await stampsOf(source, to, signal);
  const carried = new Map<Path, Seen>();
  for (const [path, seen] of Object.entries(checkpoint.collections)) {
    const stamp = stampOf(path, source, there) === seen.stamp ? stampOf(path, source, here) : undefined;
    // A clone's directories may have the times of what they were cloned from: the old stamp must not hold by that.
    carried.set(path, stamp === undefined ? OPEN : { ...seen, stamp });
  }
  const inventory = await readInventory(to, signal);
  if (inventory) {
    const collections = inventory.collections.map((holding) => {
      const isSame = checkpoint.collections[holding.path]?.stamp === holding.stamp;
      const { stamp } = (isSame && carried.get(holding.path)) || OPEN;
      return { ...holding, stamp };
    });
    await writeInventory(to, { ...inventory, collections }, signal);
  }
  const collections = Object.fromEntries(carried);
  await writeCheckpoint(to, { ...checkpoint, collections }, checkpoint, signal);
}
