import { randomInt } from "node:crypto";
import { type CollectionFiles, type Looked, backupFiles } from "./backup-files.js";
import type { Known } from "./model.js";

interface Picked {
  readonly from: CollectionFiles;
  readonly known: Known;
}

/**
 * So many items of a backup, or all if it has fewer, each as likely as any other: the collections that they are in, each
 * with the files of those items and its sidecars. Writes nothing.
 */
export async function sampleFiles(looked: Looked, count: number): Promise<readonly CollectionFiles[]> {
  const picked: Picked[] = [];
  let seen = 0;
  for await (const collection of backupFiles(looked)) {
    const { known } = collection;
    const from = { ...collection, known: known.filter(({ identity }) => identity.sidecar) };
    // An item that two files are of is one.
    const items = new Map(known.filter(({ identity }) => !identity.sidecar).map((each) => [each.identity.id, each]));
    for (const each of items.values()) {
      // Algorithm R: how many there are is known only in the end.
      const at = seen < count ? seen : randomInt(seen + 1);
      if (at < count) picked[at] = { from, known: each };
      seen++;
    }
  }
  const groups = new Map<CollectionFiles, Known[]>();
  for (const { from, known } of picked) groups.set(from, [...(groups.get(from) ?? []), known]);
  return Array.from(groups, ([from, known]) => ({ ...from, known: [...from.known, ...known] }));
}
