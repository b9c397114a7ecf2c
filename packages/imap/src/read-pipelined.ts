import { type Body, throwIfAborted } from "@backup/core";
import type { ImapFlow } from "imapflow";
import { WHOLE, fetchUsualRows } from "./fetch-usual.js";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { isOpenAs, openBefore } from "./open-folder.js";
import { sendAtOnce } from "./pipeline.js";
import { isRefusal } from "./read-messages.js";
import type { ImapSession } from "./session.js";
import type { FetchedRow } from "./usual-row.js";
import { cutBatches, uidSet } from "./uid-batches.js";

/** Messages of one folder. */
export interface FolderItems {
  readonly folder: Folder;
  /** All of them are, or none. */
  readonly isLarge: boolean;
  readonly items: readonly MessageItem[];
}

interface Reading {
  readonly session: ImapSession;
  /** What is to be read next, asked for while what came before is read; undefined: nothing. */
  readonly next: () => FolderItems | undefined;
  readonly signal: AbortSignal;
}

/** A FETCH that the server has. */
interface Asked {
  readonly folder: Folder;
  readonly batch: readonly MessageItem[];
  readonly rows: AsyncGenerator<FetchedRow>;
}

/**
 * Bodies of messages, by commands of which one is always under way while the answer to another is read: what the server
 * needs a round trip for (EXAMINE, FETCH) costs none. It ends when all was asked for, a command has failed,
 * or something large was met.
 *
 * Only what came as it should is told: what is large, or did not come, for whatever reason, is left to `readMessages`.
 * @throws BackupError when the connection is lost
 */
export async function* readPipelined({ session, next, signal }: Reading): AsyncGenerator<Body<MessageItem>> {
  const client = await session.client(signal);
  const batches = allBatches(next);
  let open = client.mailbox ? client.mailbox.path : undefined;
  const ask = (): Asked | undefined => {
    const batch = batches.next();
    if (batch.done) return undefined;
    const { folder, items } = batch.value;
    const isOpen = open === folder.mailbox;
    open = folder.mailbox;
    return { folder, batch: items, rows: fetchOf(client, { folder, items, isOpen }) };
  };
  let failure: { readonly error: unknown } | undefined;
  let isOver = false;
  try {
    for (let asked = ask(); asked; ) {
      const following = failure ? undefined : ask();
      const wanted = new Map(asked.batch.map((item) => [item.uid, item]));
      try {
        for await (const { uid, source } of asked.rows) {
          const item = uid === undefined ? undefined : wanted.get(uid);
          if (!item || !source || !isOpenAs(client, asked.folder, item)) continue;
          wanted.delete(item.uid);
          yield { item, bytes: source };
        }
      } catch (error) {
        throwIfAborted(signal);
        failure ??= { error };
      }
      asked = following;
    }
    isOver = !failure || isRefusal(failure.error, client);
    if (failure && !isOver) throw session.error(failure.error);
    if (failure) await session.heed(failure.error, signal);
  } finally {
    // With rows on the way that nobody takes it is good for nothing.
    if (!isOver) session.drop();
  }
}

/** Sends what it takes to have these messages. */
function fetchOf(
  client: ImapFlow,
  { folder, items, isOpen }: Pick<FolderItems, "folder" | "items"> & { readonly isOpen: boolean },
): AsyncGenerator<FetchedRow> {
  return sendAtOnce(client, () => {
    if (!isOpen) openBefore(client, folder);
    return fetchUsualRows(client, uidSet(items.map(({ uid }) => uid)), WHOLE);
  });
}

/** Until it comes to what is large: that is to be read before more is taken. */
function* allBatches(next: Reading["next"]): Generator<Pick<FolderItems, "folder" | "items">> {
  for (let portion = next(); portion && !portion.isLarge; portion = next())
    for (const items of cutBatches(portion.items)) yield { folder: portion.folder, items };
}
