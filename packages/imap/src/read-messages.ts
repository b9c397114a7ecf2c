import { BackupError, type Body, isBackupError, throwIfAborted } from "@backup/core";
import type { ImapFlow } from "imapflow";
import { WHOLE, fetchUsual, fetchUsualRows, partOf } from "./fetch-usual.js";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { openFolder } from "./open-folder.js";
import { partsAhead } from "./parts-ahead.js";
import { type PartReader, readInParts } from "./read-in-parts.js";
import { LARGE } from "./read-queue.js";
import { searchUids } from "./search-uids.js";
import { type ImapSession, mayPass } from "./session.js";
import { cutBatches, uidSet } from "./uid-batches.js";

/** Times that a part is asked for. */
const ATTEMPTS = 3;
/** Messages refused in a row after which a server is not asked for each of thousands (it has a quota, say). */
const MOST_REFUSED = 10;

/** Of one folder, whoever reads it. */
export interface Refusals {
  /** Messages in a row that were asked for alone, and refused. */
  inARow: number;
}

interface Reading {
  readonly session: ImapSession;
  readonly folder: Folder;
  readonly signal: AbortSignal;
  readonly refusals: Refusals;
}

/**
 * Bodies of messages of one folder. Asked UIDs are held against received ones after every FETCH: what is missing is
 * asked again in halves until the one message that cannot be had stands alone; that one yields its error.
 * A message that was deleted meanwhile yields nothing. If the folder itself is gone, or the server refuses one message
 * after the other, each message left yields its error.
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
  for (const item of items) if (item.size > LARGE) queue.push([item]);
  for (
    let batch = queue.shift();
    batch;
    batch = reading.refusals.inARow < MOST_REFUSED ? queue.shift() : takeLast(queue)
  ) {
    if (reading.refusals.inARow > MOST_REFUSED) throw refusesAll(reading);
    const [single] = batch;
    if (single && single.size > LARGE) {
      yield* alone(reading, single);
      continue;
    }
    const left = new Map(batch.map((item) => [item.uid, item]));
    const client = await open(reading, batch);
    let failed = false;
    try {
      for await (const { uid, source } of fetchUsualRows(client, uidSet(left.keys()), WHOLE)) {
        const item = uid === undefined ? undefined : left.get(uid);
        if (!item || !source) continue;
        left.delete(item.uid);
        reading.refusals.inARow = 0;
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
}

/**
 * The last message of all, by itself: where many are refused in a row, it tells whether only those are broken. Were it
 * not asked, what comes behind them would never be had.
 */
function takeLast(queue: (readonly MessageItem[])[]): readonly MessageItem[] | undefined {
  const batch = queue.pop();
  if (batch && batch.length > 1) queue.push(batch.slice(0, -1));
  return batch?.slice(-1);
}

function refusesAll({ folder }: Reading): BackupError {
  const message = `the server refuses one message of folder ${folder.name} after the other; those left will be tried again by the next run`;
  return new BackupError("COLLECTION_UNAVAILABLE", message, { transient: true });
}

/** One message by itself, in parts: what no answer to a larger question brought, and what is large. */
async function* alone(reading: Reading, item: MessageItem): AsyncGenerator<Body<MessageItem>> {
  const careful: PartReader = (start, length) => part(reading, item, start, length);
  const readPart = item.size > LARGE ? partsAhead(reading, item, careful) : careful;
  let first: Buffer | undefined;
  try {
    first = await readPart(0, LARGE);
  } catch (error) {
    if (!isBackupError(error, "ITEM_UNREADABLE")) throw error;
    yield { item, error };
    return;
  }
  if (!first) return;
  reading.refusals.inARow = 0;
  yield { item, bytes: readInParts(first, item.size, LARGE, readPart) };
}

/**
 * Bytes of a message from `start`, as a PartReader; undefined: the message does not exist any more.
 * Asked again when the connection is lost, and when the row does not come.
 * @throws BackupError ITEM_UNREADABLE
 */
async function part(reading: Reading, item: MessageItem, start: number, length: number): Promise<Buffer | undefined> {
  let problem: BackupError | undefined;
  let refusals = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const client = await open(reading, [item]);
    try {
      let found: Buffer | undefined;
      let origin: number | undefined;
      await fetchUsual(client, String(item.uid), partOf(start, length), (row) => {
        if (!found && row.uid === item.uid) ({ source: found, origin } = row);
        return undefined;
      });
      if (found) {
        reading.refusals.inARow = 0;
        const whole = start === 0 && origin === undefined;
        if (!whole && found.byteLength > 0 && origin !== start) {
          // Its beginning again, perhaps for ever.
          problem = new BackupError("PROTOCOL", "it does not send the part that is asked for", { transient: true });
          break;
        }
        return whole ? found : found.subarray(0, length);
      }
      // Beyond the end some servers answer NIL instead of an empty string.
      if (start > 0 && start >= item.size) return Buffer.alloc(0);
      if ((await stillThere(reading, [item])).length === 0) return undefined;
      problem = undefined;
    } catch (error) {
      problem = lost(reading, error, client);
      if (isRefusal(error, client)) refusals++;
    }
  }
  reading.refusals.inARow = refusals === ATTEMPTS ? reading.refusals.inARow + 1 : 0;
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
  if (!isRefusal(error, client)) session.drop();
  if (!mayPass(problem)) throw problem;
  return problem;
}

export function isRefusal(error: unknown, client: ImapFlow): boolean {
  return error instanceof Error && "responseStatus" in error && client.usable;
}

function halves<T>(list: readonly T[]): T[][] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)].filter((half) => half.length > 0);
}
