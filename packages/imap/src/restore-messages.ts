import type { CollectionFiles, Known, Path, Store, Stored } from "@backup/core";
import { type FolderName, folderOf } from "./folder-names.js";
import { flagsOf } from "./flags.js";
import { KEYWORDS_FILE, KeywordTable, MORE_KEYWORDS_FILE, readMoreKeywords } from "./keywords.js";
import { readMessageName } from "./message-names.js";

/** A message of a backup, by its file's name. */
export interface StoredMessage {
  readonly file: Stored;
  readonly digest: string;
  /** Bytes, as the name says. */
  readonly size: number;
  /** INTERNALDATE, seconds since 1970; an earlier one is that of 1970, since servers refuse it. */
  readonly seconds: number;
  readonly flags: readonly string[];
  readonly keywords: readonly string[];
}

/** A folder of a backup. */
export interface StoredFolder {
  readonly path: Path;
  /** What a person calls it: its parts with `/` between them. */
  readonly name: string;
  readonly parts: FolderName;
  /** In the order of their UIDs. */
  readonly messages: readonly StoredMessage[];
}

/** What a backup has, folder by folder. A message that two files are of is one. @throws BackupError NOT_FOUND */
export async function storedFolders(
  collections: readonly CollectionFiles[],
  { store, signal }: { readonly store: Store; readonly signal: AbortSignal },
): Promise<readonly StoredFolder[]> {
  // All at once: each by itself would cost round trips for every folder.
  const sidecars = collections.flatMap(({ known }) => known.filter(({ identity }) => identity.sidecar));
  const texts = new Map<Path, string>();
  for await (const content of store.contents(
    sidecars.map(({ file }) => file),
    signal,
  )) {
    if ("error" in content) throw content.error;
    texts.set(content.path, Buffer.from(content.bytes).toString());
  }
  return collections.flatMap((collection) => storedFolder(collection, texts) ?? []);
}

/** Undefined: it is no folder's directory. */
function storedFolder({ path, known }: CollectionFiles, texts: ReadonlyMap<Path, string>): StoredFolder | undefined {
  const parts = folderOf(path);
  if (!parts) return undefined;
  const table = new KeywordTable(texts.get(`${path}/${KEYWORDS_FILE}`));
  const more = readMoreKeywords(texts.get(`${path}/${MORE_KEYWORDS_FILE}`) ?? "");
  const messages = new Map(known.flatMap((each) => entryOf(each, { table, more })));
  const sorted = [...messages.values()].toSorted((a, b) => a.order.localeCompare(b.order));
  return { path, name: parts.join("/"), parts, messages: sorted.map(({ message }) => message) };
}

interface Ordered {
  readonly message: StoredMessage;
  readonly order: string;
}

function entryOf(
  { file, identity, content }: Known,
  { table, more }: { readonly table: KeywordTable; readonly more: ReadonlyMap<string, readonly string[]> },
): readonly (readonly [string, Ordered])[] {
  const name = readMessageName(file.path);
  if (!name || !content) return [];
  const { flags, keywords } = flagsOf(name.letters, table);
  const message = {
    file,
    ...content,
    seconds: Math.max(0, name.epoch),
    flags,
    keywords: [...keywords, ...(more.get(identity.id) ?? [])],
  };
  const order = [name.uidValidity, name.uid].map((part) => String(part).padStart(20, "0")).join(" ");
  return [[identity.id, { message, order }]];
}
