import { likeness } from "./likeness.js";
import type { Candidate, Copy, Item, Known, Naming, Path, Proof } from "./model.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";
import { knownAt } from "./collection-files.js";
import type { Survey } from "./survey.js";

/** Files with distinct bytes of one size and time: of more than these none is looked at. */
const MOST_FILES = 8;

/** What a file in a listing costs, as bytes that come in the same time. */
const FILE_COST = 256;

export interface Recognising<I extends Item> {
  readonly source: Source<I>;
  readonly store: Store;
  readonly naming: Naming<I>;
  readonly signal: AbortSignal;
}

/**
 * What was moved or copied at the source: added items of which the source proves that the destination holds their bytes.
 * Nothing is written.
 */
export async function recognise<I extends Item>(
  input: Recognising<I>,
  survey: Survey<I>,
): Promise<readonly Proof<I>[]> {
  const { source, store, signal } = input;
  const candidates = source.prove ? await candidatesOf(input, survey) : [];
  const proven: Proof<I>[] = [];
  if (!source.prove || candidates.length === 0) return proven;
  const heads = (paths: readonly Path[], bytes: number) => store.heads(paths, bytes, signal);
  for await (const batch of source.prove(candidates, heads, signal)) proven.push(...batch);
  return proven;
}

/**
 * Added items, and the files of their size and time: in the collections that were compared, and in the others too where
 * what is left to come is worth their listings.
 */
async function candidatesOf<I extends Item>(
  input: Recognising<I>,
  { compared, unchanged, stamps }: Survey<I>,
): Promise<readonly Candidate<I>[]> {
  const isAnythingThere = compared.some(({ delta }) => delta.vanished.length + delta.stays.length > 0);
  if (!isAnythingThere && unchanged.size === 0) return [];
  const items = compared.flatMap(({ delta }) => delta.added).filter(({ size, sidecar }) => !sidecar && size > 0);
  const alike = new Map<string, Map<string, Copy>>();
  for (const { size, mtime } of items) alike.set(likeness(size, mtime), new Map());
  const add = (file: Copy): void => {
    const files = alike.get(likeness(file.size, file.mtime));
    // The first of equal ones: those that vanished come before those that stay.
    if (files && !files.has(file.digest)) files.set(file.digest, file);
  };
  const addKnown = ({ file, content }: Known): void => {
    if (content?.size === file.size) add({ ...file, digest: content.digest });
  };
  const filesFor = ({ size, mtime }: Item): readonly Copy[] => [...(alike.get(likeness(size, mtime))?.values() ?? [])];

  for (const { delta } of compared) delta.vanished.forEach(addKnown);
  for (const { delta } of compared) {
    // What is about to be renamed is not at its path yet.
    const renamed = new Set(delta.renames.map(({ to }) => to));
    for (const file of delta.stays) if (!renamed.has(file.path)) add(file);
  }
  const left = items.filter((item) => filesFor(item).length === 0).reduce((sum, { size }) => sum + size, 0);
  const others = Array.from(unchanged.values()).reduce((sum, seen) => sum + seen.items, 0);
  if (left > others * FILE_COST)
    for (const path of unchanged.keys()) (await knownAt(input, path, stamps)).forEach(addKnown);
  return items.flatMap((item) => {
    const files = filesFor(item);
    return files.length > 0 && files.length <= MOST_FILES ? [{ item, files }] : [];
  });
}
