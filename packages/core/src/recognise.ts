import { likeness } from "./likeness.js";
import type { Candidate, Copy, Item, Path, Proof } from "./model.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";
import type { Survey } from "./survey.js";

/** Files with distinct bytes of one size and time: of more than these none is looked at. */
const MOST_FILES = 8;

/**
 * What was moved or copied at the source: added items of which the source proves that the destination holds their bytes.
 * Nothing is written.
 */
export async function recognise<I extends Item>(
  { source, store, signal }: { readonly source: Source<I>; readonly store: Store; readonly signal: AbortSignal },
  survey: Survey<I>,
): Promise<readonly Proof<I>[]> {
  const candidates = source.prove ? candidatesOf(survey) : [];
  const proven: Proof<I>[] = [];
  if (!source.prove || candidates.length === 0) return proven;
  const heads = (paths: readonly Path[], bytes: number) => store.heads(paths, bytes, signal);
  for await (const batch of source.prove(candidates, heads, signal)) proven.push(...batch);
  return proven;
}

/** Added items, and the files of their size and time in the collections that were compared. */
function candidatesOf<I extends Item>({ compared }: Survey<I>): readonly Candidate<I>[] {
  const items = compared.flatMap(({ delta }) => delta.added).filter(({ size, sidecar }) => !sidecar && size > 0);
  const alike = new Map<string, Map<string, Copy>>();
  for (const { size, mtime } of items) alike.set(likeness(size, mtime), new Map());
  const add = (file: Copy): void => {
    const files = alike.get(likeness(file.size, file.mtime));
    // The first of equal ones: those that vanished come before those that stay.
    if (files && !files.has(file.digest)) files.set(file.digest, file);
  };
  for (const { delta } of compared)
    for (const { file, content } of delta.vanished)
      if (content?.size === file.size) add({ ...file, digest: content.digest });
  for (const { delta } of compared) {
    // What is about to be renamed is not at its path yet.
    const renamed = new Set(delta.renames.map(({ to }) => to));
    for (const file of delta.stays) if (!renamed.has(file.path)) add(file);
  }
  return items.flatMap((item) => {
    const files = [...(alike.get(likeness(item.size, item.mtime))?.values() ?? [])];
    return files.length > 0 && files.length <= MOST_FILES ? [{ item, files }] : [];
  });
}
