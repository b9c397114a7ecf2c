import {
  BackupError,
  type Content,
  type Inventory,
  type Known,
  type Path,
  type Store,
  backupFiles,
  dumpLayout,
  readDumpName,
} from "@backup/core";
import { type Compression, compressionOf } from "./compression.js";
import { KINDS, SERVER_PLACE, databaseAt } from "./places.js";

export type Kind = keyof typeof KINDS;

/** A file of a backup. */
export interface StoredDump {
  readonly path: Path;
  readonly content: Content;
  readonly kind: Kind;
  readonly compression: Compression;
}

/** What a backup has of a server. */
export interface StoredDumps {
  /** Files by database, in the order in which they are restored. */
  readonly databases: ReadonlyMap<string, readonly StoredDump[]>;
  readonly users: StoredDump | undefined;
}

const ORDER: readonly Kind[] = ["whole", "made", "table", "rest"];
const EXTENSION = /^(\.[a-z]+)?\.sql(?:\.gz|\.zst)?$/;

/** Of several dumps of the same thing the newest counts. @throws BackupError NOT_FOUND where there are none */
export async function storedDumps(looked: {
  readonly store: Store;
  readonly inventory: Inventory | undefined;
  readonly signal: AbortSignal;
}): Promise<StoredDumps> {
  const databases = new Map<string, readonly StoredDump[]>();
  let users: StoredDump | undefined;
  for await (const { path, known } of backupFiles({ ...looked, layout: dumpLayout })) {
    const newest = known.toSorted((a, b) => b.file.mtime - a.file.mtime);
    const database = databaseAt(path);
    if (path === SERVER_PLACE)
      users = newest.map((file) => storedDump(file, "users")).find((dump) => dump !== undefined);
    else if (database !== undefined) {
      const dumps = ofOneKind(newest);
      if (dumps.length > 0) databases.set(database, dumps);
    }
  }
  if (databases.size > 0 || users) return { databases, users };
  throw new BackupError(
    "NOT_FOUND",
    `${looked.store.name} holds no dump of a database; name the directory of a backup mysql`,
  );
}

/** A database is restored from one file or from one for each table, whichever is newer. @param newest the newest first */
function ofOneKind(newest: readonly Known[]): readonly StoredDump[] {
  const seen = new Set<string>();
  const dumps = newest.flatMap((known) => {
    const dump = seen.has(known.identity.id) ? undefined : storedDump(known, undefined);
    seen.add(known.identity.id);
    return dump ? [dump] : [];
  });
  const isWhole = dumps[0]?.kind === "whole";
  return dumps
    .filter(({ kind }) => (kind === "whole") === isWhole)
    .toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.path < b.path ? -1 : 1));
}

function storedDump({ file, content }: Known, only: Kind | undefined): StoredDump | undefined {
  const extension = readDumpName(file.path)?.extension ?? "";
  const [isDump, between = ""] = EXTENSION.exec(extension) ?? [];
  const kind = only ?? ORDER.find((one) => KINDS[one] === between);
  if (isDump === undefined || kind === undefined || !content) return undefined;
  return { path: file.path, content, kind, compression: compressionOf(extension) };
}
