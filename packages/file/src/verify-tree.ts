import { type Damage, type VerifyMirrorOptions, type Verified, digestOf } from "@backup/core";
import { localDigest, localEntry } from "./local-entry.js";
import type { Entry } from "./manifest.js";
import { MANIFEST, readManifest } from "./manifest-file.js";
import { type RawPath, shown, textOf } from "./raw-path.js";

/** Files that are handed to the store in one go. */
const BATCH = 4096;

/** Bytes that are read between two events of progress. */
const TOLD = 8 * 1024 * 1024;

/**
 * Reads the files of a tree, and holds them against the manifest: bytes, sizes, what is missing, and, where the tree is on
 * this machine, kinds of entries and targets of links.
 */
export async function verifyTree(options: VerifyMirrorOptions): Promise<Verified> {
  const { store, inventory, signal, share, onEvent } = options;
  const damaged: Damage[] = [];
  const tell = (damage: Damage): void => {
    damaged.push(damage);
    onEvent({ type: "damage", ...damage });
  };
  const count = { collections: 1, files: 0, bytes: 0, readFiles: 0, readBytes: 0 };
  const others: string[] = [];
  const manifest = await readManifest(store, signal);
  if (!manifest) {
    const message = `${store.name} has no manifest: nothing says what its files are to be; the next run makes one`;
    tell({ kind: "unreported", path: MANIFEST, message });
    return { ...count, damaged, others };
  }
  const expected = inventory?.collections[0];
  const reach = await store.reach?.(signal);
  const local = reach && !reach.shell ? reach.directory : undefined;
  let told = 0;
  const say = (): void => {
    told = count.readBytes;
    const totalItems = Math.max(count.readFiles, Math.round((expected?.files ?? count.files) * share));
    const totalBytes = Math.max(count.readBytes, Math.round((expected?.bytes ?? count.bytes) * share));
    onEvent({ type: "progress", items: count.readFiles, bytes: count.readBytes, totalItems, totalBytes });
  };
  let batch: Entry[] = [];
  const readAll = async (): Promise<void> => {
    const digests =
      local === undefined ? await storeDigests(batch, options) : await localDigests(local, batch, options);
    for (const entry of batch) {
      const found = digests.get(entry.path);
      const damage = damageOf(entry, found);
      if (damage) tell(damage);
      count.readFiles++;
      count.readBytes += entry.size;
      if (count.readBytes - told >= TOLD) say();
    }
    batch = [];
    say();
  };
  say();
  for await (const entry of manifest.entries()) {
    if (entry.type !== "dir") count.files++;
    count.bytes += entry.size;
    const wrong = local === undefined ? undefined : wrongKind(local, entry);
    if (wrong) {
      tell(wrong);
      continue;
    }
    const isRead = entry.type === "file" && entry.sha256 !== undefined && (share >= 1 || Math.random() < share);
    if (!isRead) continue;
    if (local === undefined && textOf(entry.path) === undefined) {
      others.push(shown(entry.path));
      continue;
    }
    batch.push(entry);
    if (batch.length >= BATCH) await readAll();
  }
  await readAll();
  return { ...count, damaged, others: others.toSorted() };
}

/** What the bytes of files are: their digest, or why they cannot be had. */
type Found = { readonly digest: string } | { readonly missing: "gone" | "unreadable" };

async function storeDigests(
  entries: readonly Entry[],
  { store, signal }: VerifyMirrorOptions,
): Promise<ReadonlyMap<RawPath, Found>> {
  const paths = new Map(entries.map(({ path }) => [textOf(path) ?? "", path]));
  const found = new Map<RawPath, Found>();
  for await (const digested of store.digests([...paths.keys()], signal)) {
    const path = paths.get(digested.path);
    if (path === undefined) continue;
    if ("digest" in digested) found.set(path, { digest: digested.digest });
    else found.set(path, { missing: digested.error.code === "NOT_FOUND" ? "gone" : "unreadable" });
  }
  return found;
}

async function localDigests(
  directory: string,
  entries: readonly Entry[],
  { signal }: VerifyMirrorOptions,
): Promise<ReadonlyMap<RawPath, Found>> {
  const found = new Map<RawPath, Found>();
  for (const { path } of entries) {
    const digest = await localDigest(directory, path, signal);
    found.set(
      path,
      digest === undefined ? { missing: "unreadable" } : { digest: digestOf(Buffer.from(digest, "hex")) },
    );
  }
  return found;
}

function damageOf({ path, sha256 = "" }: Entry, found: Found | undefined): Damage | undefined {
  const name = shown(path);
  if (!found || "missing" in found) {
    const kind = found?.missing === "gone" ? "gone" : "unreadable";
    return { kind, path: name, message: `${name} ${kind === "gone" ? "is not there" : "cannot be read"}` };
  }
  if (found.digest === digestOf(Buffer.from(sha256, "hex"))) return undefined;
  return { kind: "content", path: name, message: `${name} holds other bytes than when it was backed up` };
}

/** What an entry is instead; undefined: what it should be, as far as that shows without reading it. */
function wrongKind(directory: string, entry: Entry): Damage | undefined {
  const name = shown(entry.path);
  const now = localEntry(directory, entry.path);
  if (!now) return { kind: "gone", path: name, message: `${name} is not there` };
  if (now.type !== entry.type) return { kind: "content", path: name, message: `${name} is something else now` };
  if (now.target !== entry.target)
    return { kind: "content", path: name, message: `${name} is a link to something else now` };
  if (now.size === entry.size) return undefined;
  return { kind: "size", path: name, message: `${name} has ${now.size} bytes, and had ${entry.size}` };
}
