import { type Looked, backupFiles } from "./backup-files.js";
import { CHECKPOINT_FILE } from "./checkpoint.js";
import type { Damage } from "./damage.js";
import { SPENT_FILE } from "./day-budget.js";
import type { EventSink } from "./events.js";
import { ofCollection, ofReport, ofSidecars } from "./find-damage.js";
import { INVENTORY_FILE } from "./inventory.js";
import { LEASE_FILE } from "./lease.js";
import type { Content, Known, Path } from "./model.js";
import { PRIVATE } from "./paths.js";

export interface VerifyOptions extends Looked {
  /** Whether the bytes of a file are read. Default: of each; everything else is looked at anyway. */
  readonly reads?: ((known: Known) => boolean) | undefined;
  /** How much of all that is, about: for `progress`. Default 1. */
  readonly share?: number | undefined;
  /** Says `damage` as it is found, and `progress`. */
  readonly onEvent?: EventSink | undefined;
}

/** What was found. Counts are of items, sidecars left out. */
export interface Verified {
  readonly collections: number;
  readonly files: number;
  readonly bytes: number;
  /** Those of them whose bytes were read. */
  readonly readFiles: number;
  readonly readBytes: number;
  readonly damaged: readonly Damage[];
  /** Files that are not ours, or left by a run: no damage. Sorted. */
  readonly others: readonly Path[];
}

/** A file that is to be read. */
interface Named {
  readonly collection: string;
  readonly known: Known;
  readonly content: Content;
}

/** Files that are handed to the store in one go: all that is kept of a backup at a time, besides a collection. */
const BATCH = 4096;

/** Bytes that are read between two events of progress. */
const TOLD = 8 * 1024 * 1024;

/** What of `.backup` is no leftover. */
const OURS: ReadonlySet<Path> = new Set([CHECKPOINT_FILE, INVENTORY_FILE, LEASE_FILE, SPENT_FILE]);

/**
 * Holds all of a backup against what its names and its report say: the bytes of every file, sizes, sidecars, directories.
 * The source is not asked; writes nothing.
 */
export async function verify(options: VerifyOptions): Promise<Verified> {
  const { store, signal, reads = () => true, share = 1, onEvent = () => {} } = options;
  const damaged: Damage[] = [];
  const tell = (damage: Damage): void => {
    damaged.push(damage);
    onEvent({ type: "damage", ...damage });
  };
  const others: Path[] = [];
  const count = { collections: 0, files: 0, bytes: 0, readFiles: 0, readBytes: 0 };
  const expected = totalsOf(options);
  let named: Named[] = [];
  let told = 0;
  const say = ({ readFiles: items, readBytes: bytes }: typeof count): void => {
    told = bytes;
    // Without a report there is only what was listed so far.
    const totalItems = Math.max(items, Math.round(Math.max(expected.files, count.files) * share));
    const totalBytes = Math.max(bytes, Math.round(Math.max(expected.bytes, count.bytes) * share));
    onEvent({ type: "progress", items, bytes, totalItems, totalBytes });
  };
  const readAll = async (): Promise<void> => {
    for await (const one of digested(options, named)) {
      if (one.damage) tell(one.damage);
      count.readFiles++;
      count.readBytes += one.bytes;
      if (count.readBytes - told >= TOLD) say(count);
    }
    named = [];
    say(count);
  };

  for (const damage of ofReport(options)) tell(damage);
  // Shown, and the time taken, from the beginning.
  say(count);
  for await (const found of backupFiles(options)) {
    count.collections++;
    others.push(...found.others);
    for (const damage of ofCollection(found)) tell(damage);
    for (const damage of await ofSidecars(options, found)) tell(damage);
    for (const known of found.known) {
      if (known.identity.sidecar) continue;
      count.files++;
      count.bytes += known.file.size;
      const { content } = known;
      if (content?.size !== known.file.size || !reads(known)) continue;
      named.push({ collection: found.name, known, content });
      if (named.length >= BATCH) await readAll();
    }
  }
  await readAll();
  const left = await store.list([PRIVATE, `${PRIVATE}/tmp`], signal);
  others.push(...left.map(({ path }) => path).filter((path) => !OURS.has(path)));
  return { ...count, damaged, others: others.toSorted() };
}

function totalsOf({ inventory }: VerifyOptions): { readonly files: number; readonly bytes: number } {
  const totals = { files: 0, bytes: 0 };
  for (const { files, bytes } of inventory?.collections ?? []) {
    totals.files += files;
    totals.bytes += bytes;
  }
  return totals;
}

/** Reads files, and says what is wrong with each, and how large it is. */
async function* digested(
  { store, signal }: VerifyOptions,
  named: readonly Named[],
): AsyncGenerator<{ readonly bytes: number; readonly damage: Damage | undefined }> {
  const byPath = new Map(named.map((one) => [one.known.file.path, one]));
  for await (const result of store.digests([...byPath.keys()], signal)) {
    const one = byPath.get(result.path);
    if (!one) continue;
    const { collection, content, known } = one;
    const about = { collection, path: result.path, item: known.identity.id };
    if ("error" in result) {
      const kind = result.error.code === "NOT_FOUND" ? "gone" : "unreadable";
      const message = `${result.error.message}${kind === "gone" ? " any more; if a run is under way, verify when it has ended" : ""}`;
      yield { bytes: 0, damage: { kind, ...about, message } };
    } else if (result.digest === content.digest) yield { bytes: content.size, damage: undefined };
    else {
      const message = `${result.path} holds other bytes than its name says`;
      yield { bytes: content.size, damage: { kind: "content", ...about, message } };
    }
  }
}
