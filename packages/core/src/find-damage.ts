import { ahead } from "./ahead.js";
import type { CollectionFiles, Looked } from "./backup-files.js";
import type { Damage } from "./damage.js";
import { isBackupError } from "./errors.js";
import { INVENTORY_FILE } from "./inventory.js";
import type { Path } from "./model.js";
import { isSameStock, stockOf } from "./stock.js";
import type { Store } from "./store.js";

/** Sidecars that are read at the same time. */
const LANES = 8;

/** What the last run says of itself. */
export function* ofReport({ store, inventory }: Looked): Generator<Damage> {
  if (!inventory) {
    const message = `${store.name} has no report of a run, or none that can be read: nothing says whether this is all`;
    yield { kind: "unreported", path: INVENTORY_FILE, message };
  }
  for (const name of inventory?.unlisted ?? [])
    yield { kind: "unlisted", collection: name, message: `${name} could not be listed by the last run` };
}

/** What shows without reading a file. */
export function* ofCollection({
  path: at,
  name: collection,
  holding,
  known,
  missing,
}: CollectionFiles): Generator<Damage> {
  for (const path of missing)
    yield { kind: "directory", collection, path, message: `the directory ${path} is missing` };
  let hasSizes = true;
  for (const { file, identity, content } of known) {
    if (!content || content.size === file.size) continue;
    hasSizes = false;
    const message = `${file.path} has ${file.size} bytes, and its name says ${content.size}`;
    yield { kind: "size", collection, path: file.path, item: identity.id, message };
  }
  for (const item of holding?.gaps ?? [])
    yield { kind: "gap", collection, item, message: `${item} of ${collection} is missing since the last run` };
  if (!holding) return;
  const now = stockOf(known);
  // A size that is wrong was told by itself.
  if (isSameStock(hasSizes ? now : { ...now, bytes: holding.bytes }, holding)) return;
  const counts = `${now.files} files here, ${holding.files} in the report`;
  const message = `${collection} does not hold what the last run left (${counts}): files were lost, added or exchanged, or a run is under way`;
  yield { kind: "changed", collection, path: at, message };
}

/** Reads the tables of a collection. */
export async function ofSidecars(
  { store, layout, signal }: Looked,
  { path: at, name: collection, known }: CollectionFiles,
): Promise<readonly Damage[]> {
  const damaged: Damage[] = [];
  const bytes = new Map<Path, Uint8Array>();
  const paths = known.flatMap(({ identity, file }) => (identity.sidecar ? [file.path] : []));
  const unreadable = new Set(paths);
  for await (const { item: path, result } of ahead(paths, LANES, (file) => readSidecar(store, file, signal))) {
    if (!result) continue;
    bytes.set(path, result);
    unreadable.delete(path);
  }
  for (const path of unreadable)
    damaged.push({ kind: "unreadable", collection, path, message: `${path} cannot be read` });
  for (const { path, text } of layout.flawsOf?.({ path: at, known, bytes }) ?? [])
    if (!unreadable.has(path)) damaged.push({ kind: "sidecar", collection, path, message: `${path} ${text}` });
  return damaged;
}

/** Undefined: the disk refuses it. What ends the connection or the run ends this too. */
async function readSidecar(store: Store, path: Path, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return await store.read(path, signal);
  } catch (error) {
    if (isBackupError(error, "DESTINATION_UNWRITABLE") || isBackupError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}
