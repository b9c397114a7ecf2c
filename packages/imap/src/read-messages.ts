import { BackupError, type Body, isBackupError, throwIfAborted } from "@backup/core";
import type { ImapFlow } from "imapflow";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { openFolder } from "./open-folder.js";
import { type PartReader, readInParts } from "./read-in-parts.js";
import { searchUids } from "./search-uids.js";
import type { ImapSession } from "./session.js";
import { cutBatches, uidSet } from "./uid-batches.js";

/** Messages above this are fetched in parts, bytes. */
const LARGE = 4 * 1024 * 1024;
/** Times that a part is asked for. */
const ATTEMPTS = 3;

interface Reading {
  readonly session: ImapSession;
  readonly folder: Folder;
  readonly signal: AbortSignal;
}

/**
 * Bodies of messages of one folder. Asked UIDs are held against received ones after every FETCH: what is missing is
 * asked again in halves until the one message that cannot be had stands alone; that one yields its error.
 * A message that was deleted meanwhile yields nothing. If the folder itself is gone, each message left yields its error.
 */
export async function* readMessages(
  reading: Reading,
  items: readonly MessageItem[],
): AsyncGenerator<Body<MessageItem>> {
  const waiting = new Set(items);
  try {
    for await (const body of readAll(reading, items)) {
      waiting.delete(body.item);
      yield body;
    }
  } catch (error) {
    if (!isBackupError(error, "COLLECTION_UNAVAILABLE")) throw error;
    for (const item of waiting) yield { item, error };
  }
}

async function* readAll(reading: Reading, items: readonly MessageItem[]): AsyncGenerator<Body<MessageItem>> {
  const queue: (readonly MessageItem[])[] = cutBatches(items.filter(({ size }) => size <= LARGE));
  for (let batch = queue.shift(); batch; batch = queue.shift()) {
    const left = new Map(batch.map((item) => [item.uid, item]));
    const client = await open(reading, batch);
    let failed = false;
    try {
      for await (const { uid, source } of client.fetch(
        uidSet(left.keys()),
        { uid: true, source: true },
        { uid: true },
      )) {
        const item = left.get(uid);
        if (!item || !Buffer.isBuffer(source)) continue;
        left.delete(uid);
        yield { item, bytes: source };
      }
    } catch (error) {
      lost(reading, error, client);
      failed = true;
    }
    if (left.size === 0) continue;
    const missing = failed ? [...left.values()] : await stillThere(reading, [...left.values()]);
    if (missing.length === 1 && missing[0]) yield* alone(reading, missing[0]);
    else if (failed && missing.length < batch.length) queue.unshift(missing);
    else queue.unshift(...halves(missing));
  }
  for (const item of items) if (item.size > LARGE) yield* alone(reading, item);
}

/** One message by itself, in parts: what no answer to a larger question brought, and what is large. */
async function* alone(reading: Reading, item: MessageItem): AsyncGenerator<Body<MessageItem>> {
  const readPart: PartReader = (start, length) => part(reading, item, start, length);
  let first: Buffer | undefined;
  try {
    first = await readPart(0, LARGE);
  } catch (error) {
    if (!isBackupError(error, "ITEM_UNREADABLE")) throw error;
    yield { item, error };
    return;
  }
  if (first) yield { item, bytes: readInParts(first, item.size, LARGE, readPart) };
}

/**
 * Bytes of a message from `start`, fewer than `length` at its end; undefined: the message does not exist any more.
 * Asked again when the connection is lost, and when the row does not come.
 * @throws BackupError ITEM_UNREADABLE
 */
async function part(reading: Reading, item: MessageItem, start: number, length: number): Promise<Buffer | undefined> {
  let problem: BackupError | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const client = await open(reading, [item]);
    try {
      const query = { uid: true, source: { start, maxLength: length } } as const;
      let found: Buffer | undefined;
      for await (const { uid, source } of client.fetch(String(item.uid), query, { uid: true }))
        if (uid === item.uid && Buffer.isBuffer(source)) found ??= source;
      if (found) return found.subarray(0, length);
      // Beyond the end some servers answer NIL instead of an empty string.
      if (start > 0 && start >= item.size) return Buffer.alloc(0);
      if ((await stillThere(reading, [item])).length === 0) return undefined;
      problem = undefined;
    } catch (error) {
      problem = lost(reading, error, client);
    }
  }
  throw new BackupError(
    "ITEM_UNREADABLE",
    `message UID ${item.uid} of folder ${reading.folder.name} cannot be had from the server: ` +
      `${problem?.message ?? "it answers without the message"}. It will be tried again by the next run`,
    { transient: true, cause: problem },
  );
}

/** The folder, open, and still the one that was listed. */
async function open({ session, folder, signal }: Reading, [first]: readonly MessageItem[]): Promise<ImapFlow> {
  const { client, mailbox } = await openFolder(session, folder, { fresh: false, signal });
  if (first && mailbox.uidValidity !== first.uidValidity)
    throw new BackupError("COLLECTION_UNAVAILABLE", `folder ${folder.name} was replaced while it was read; run again`, {
      transient: true,
    });
  return client;
}

/** Those that the server still has; all, if it does not say. */
async function stillThere(reading: Reading, items: readonly MessageItem[]): Promise<readonly MessageItem[]> {
  const client = await open(reading, items);
  try {
    const uids = await searchUids(reading.session, client, { uid: uidSet(items.map(({ uid }) => uid)) });
    return uids ? items.filter(({ uid }) => uids.has(uid)) : items;
  } catch (error) {
    lost(reading, error, client);
    return items;
  }
}

/**
 * What to make of a command that failed: a refusal (NO, BAD) leaves the connection as it is; after anything else it is
 * closed, and the next command has a new one. Throws what trying again cannot help.
 */
function lost({ session, signal }: Reading, error: unknown, client: ImapFlow): BackupError {
  throwIfAborted(signal);
  const problem = session.error(error);
  const refused = error instanceof Error && "responseStatus" in error && client.usable;
  if (!refused) session.drop();
  if (!problem.transient) throw problem;
  return problem;
}

function halves<T>(list: readonly T[]): T[][] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)].filter((half) => half.length > 0);
}
