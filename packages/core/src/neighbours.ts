import { basename } from "node:path/posix";
import { BackupError } from "./errors.js";
import type { EventSink } from "./events.js";
import type { Collection, Path } from "./model.js";
import { PRIVATE, parentOf } from "./paths.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";

/** Names in a warning. */
const SHOWN = 3;

interface Listed {
  readonly store: Store;
  /** Of every directory that the store lists. */
  readonly stamps: ReadonlyMap<Path, string>;
  readonly signal: AbortSignal;
}

/**
 * The backups that are in the place of these collections, or of directories that those are in, by the path of the
 * collection. The store lists nothing of them, so that each run would send all of such a collection again.
 */
export async function backupsInPlaceOf(
  collections: Iterable<Path>,
  { store, stamps, signal }: Listed,
): Promise<ReadonlyMap<Path, Path>> {
  const missing = Array.from(collections).filter((path) => !stamps.has(path));
  const unlisted = new Set(missing.flatMap(upwards).filter((path) => !stamps.has(path)));
  if (unlisted.size === 0) return new Map();
  const files = await store.list(
    Array.from(unlisted, (path) => `${path}/${PRIVATE}`),
    signal,
  );
  const backups = new Set(files.map(({ path }) => parentOf(parentOf(path))));
  return new Map(
    missing.flatMap((path): [Path, Path][] => {
      const backup = upwards(path).find((at) => backups.has(at));
      return backup === undefined ? [] : [[path, backup]];
    }),
  );
}

export function inPlaceError({ name }: Collection, store: Store, at: Path): BackupError {
  const message =
    `${name} was left out: ${store.name} has another backup at ${at}, in the place of that folder; ` +
    "move that backup to a directory beside this one";
  return new BackupError("COLLECTION_UNAVAILABLE", message);
}

/** Somebody may have named a directory that is for other things, by mistake. */
export function warnOfStrangers(
  { source, store, stamps, onEvent }: Omit<Listed, "signal"> & { readonly source: Source; readonly onEvent: EventSink },
  collections: Iterable<Path>,
): void {
  const found = strangers(source, stamps.keys(), collections);
  if (found.length === 0) return;
  const names = `${found.slice(0, SHOWN).join(", ")}${found.length > SHOWN ? ", …" : ""}`;
  const message =
    `${store.name} was not empty: ${found.length} of its directories (${names}) hold nothing of this backup, and are ` +
    "left alone; if that is not the place that you meant, name another";
  onEvent({ type: "warning", code: "DESTINATION_NOT_EMPTY", message });
}

/** Directories at the top of a destination that hold nothing which this source, with any options, could have there. */
function strangers(source: Source, directories: Iterable<Path>, collections: Iterable<Path>): readonly Path[] {
  const top = new Set<Path>();
  const known = new Set<Path>(["lost+found", ...Array.from(collections, topOf)]);
  for (const path of directories) {
    top.add(topOf(path));
    if (source.leaves.includes(basename(path)) || source.collectionAt(path) !== undefined) known.add(topOf(path));
  }
  return [...top].filter((path) => !known.has(path)).toSorted();
}

function topOf(path: Path): Path {
  return path.split("/", 1)[0] ?? path;
}

/** The path and those of the directories that it is in. */
function upwards(path: Path): readonly Path[] {
  const paths: Path[] = [];
  for (let at = path; at !== ""; at = parentOf(at)) paths.push(at);
  return paths;
}
