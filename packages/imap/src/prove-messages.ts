import { type Candidate, type Path, type Proof, isBackupError, throwIfAborted } from "@backup/core";
import type { Connections } from "./connections.js";
import { HEAD, MOST_HEADS, addHeads } from "./fetch-heads.js";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { openFolder } from "./open-folder.js";
import type { ImapSession } from "./session.js";
import { cutBatches } from "./uid-batches.js";

/** First bytes of files at the destination. */
export type Heads = (paths: readonly Path[], bytes: number) => Promise<ReadonlyMap<Path, Uint8Array>>;

interface Proving {
  readonly connections: Connections;
  readonly folderAt: (path: Path) => Folder;
  readonly heads: Heads;
  readonly signal: AbortSignal;
}

type MessageCandidate = Candidate<MessageItem>;

/**
 * Which files hold the bytes of which messages: those that begin like the message, if all such files have the same bytes,
 * and no other message of that size and time begins so. What cannot be asked is not proven.
 */
export async function proveMessages(
  candidates: readonly MessageCandidate[],
  proving: Proving,
): Promise<readonly Proof<MessageItem>[]> {
  const found = await Promise.all(batchesOf(candidates).map((batch) => proveBatch(batch, proving)));
  const all = found.flat();
  const alike = new Map<string, number>();
  for (const { key } of all) alike.set(key, (alike.get(key) ?? 0) + 1);
  return all.filter(({ key }) => alike.get(key) === 1).map(({ proof }) => proof);
}

interface Likely {
  readonly proof: Proof<MessageItem>;
  /** Equal for two messages that may be the same. */
  readonly key: string;
}

async function proveBatch(
  batch: readonly MessageCandidate[],
  { connections, folderAt, heads, signal }: Proving,
): Promise<readonly Likely[]> {
  const [first] = batch;
  if (!first) return [];
  const folder = folderAt(first.item.collection);
  const items = batch.map(({ item }) => item);
  const [asked, there] = await Promise.all([
    connections.use(signal, (session) => fetchHeads({ session, folder, signal }, items)),
    heads(
      batch.flatMap(({ files }) => files.map(({ path }) => path)),
      HEAD,
    ),
  ]);
  return batch.flatMap(({ item, files }): Likely[] => {
    const head = asked.get(item.uid);
    if (!head || head.byteLength < Math.min(HEAD, item.size)) return [];
    const [file, ...others] = files.filter(({ path }) => isEqual(there.get(path), head));
    const key = `${item.size} ${item.mtime} ${head.toString("latin1")}`;
    return file && others.length === 0 ? [{ proof: { item, file }, key }] : [];
  });
}

/** The first bytes of messages, by UID. A server that refuses, or a lost connection, gives those that came. */
async function fetchHeads(
  { session, folder, signal }: { readonly session: ImapSession; readonly folder: Folder; readonly signal: AbortSignal },
  items: readonly MessageItem[],
): Promise<ReadonlyMap<number, Buffer>> {
  const heads = new Map<number, Buffer>();
  try {
    const { client, mailbox } = await openFolder(session, folder, { fresh: false, signal });
    if (mailbox.uidValidity !== items[0]?.uidValidity) return heads;
    await addHeads(
      client,
      items.map(({ uid }) => uid),
      heads,
    );
  } catch (error) {
    throwIfAborted(signal);
    const problem = session.error(error);
    const isUnproven = problem.transient && problem.code !== "THROTTLED";
    if (!isUnproven && !isBackupError(error, "COLLECTION_UNAVAILABLE")) throw problem;
    session.drop();
  }
  return heads;
}

/** Of one folder each. */
function batchesOf(candidates: readonly MessageCandidate[]): readonly (readonly MessageCandidate[])[] {
  const byFolder = new Map<Path, MessageCandidate[]>();
  for (const candidate of candidates) {
    const group = byFolder.get(candidate.item.collection);
    if (group) group.push(candidate);
    else byFolder.set(candidate.item.collection, [candidate]);
  }
  return [...byFolder.values()].flatMap((group) => {
    const sized = group.map((candidate) => ({ candidate, uid: candidate.item.uid, size: 1 }));
    const batches = cutBatches(sized, { bytes: MOST_HEADS, setLength: 4000 });
    return batches.map((batch) => batch.map(({ candidate }) => candidate));
  });
}

function isEqual(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0;
}
