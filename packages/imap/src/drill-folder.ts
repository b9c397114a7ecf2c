import { randomBytes } from "node:crypto";
import { BackupError, isBackupError, throwIfAborted } from "@backup/core";
import type { Connections } from "./connections.js";
import { strangersAmong } from "./drill-match.js";
import { fetchRows } from "./fetch-rows.js";
import type { Folder } from "./list-folders.js";
import { namespacesOf } from "./namespaces.js";
import { openFolder } from "./open-folder.js";
import type { StoredMessage } from "./restore-messages.js";
import type { ImapSession } from "./session.js";

/** Time that the removal of the folder may take, milliseconds: also when a signal ended the drill. */
const REMOVAL_MS = 10_000;

/** A name that no folder has. */
export async function nameDrillFolder(session: ImapSession, signal: AbortSignal): Promise<Folder> {
  const [personal] = namespacesOf(await session.client(signal));
  const name = `backup-drill-${randomBytes(8).toString("hex")}`;
  return { path: name, name, mailbox: `${personal?.prefix ?? ""}${name}` };
}

/** @throws BackupError COLLECTION_UNAVAILABLE where the server refuses it, or has one of that name; after any other it may be there */
export async function makeDrillFolder(session: ImapSession, folder: Folder, signal: AbortSignal): Promise<void> {
  const client = await session.client(signal);
  try {
    if ((await client.mailboxCreate(folder.mailbox)).created) return;
    throw new BackupError("COLLECTION_UNAVAILABLE", `there is a folder ${folder.mailbox} already; run again`);
  } catch (error) {
    throwIfAborted(signal);
    const { responseStatus, responseText }: Refusal & Error = error instanceof Error ? error : new Error(String(error));
    if (responseStatus !== "NO" && responseStatus !== "BAD") throw session.error(error);
    throw new BackupError(
      "COLLECTION_UNAVAILABLE",
      `the server makes no folder ${folder.mailbox} for the drill: ${session.said(responseText)}; ` +
        "give the account the right to make folders, or leave --server out: then the messages are restored to this machine",
    );
  }
}

interface Refusal {
  readonly responseStatus?: unknown;
  readonly responseText?: unknown;
}

/**
 * Deletes the folder, unless it holds a message that is none of these. It has time of its own: the drill may have been ended
 * by a signal.
 * @returns why it is still there
 */
export async function removeDrillFolder(
  connections: Connections,
  folder: Folder,
  messages: readonly StoredMessage[],
): Promise<string | undefined> {
  const stop = new AbortController();
  const timer = setTimeout(() => {
    const message = `the server did not answer within ${REMOVAL_MS / 1000} s`;
    stop.abort(new BackupError("TIMEOUT", message, { transient: true }));
  }, REMOVAL_MS);
  try {
    return await connections.use(stop.signal, (session) => remove(session, folder, messages, stop.signal));
  } catch (error) {
    if (isBackupError(error)) return error.message;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function remove(
  session: ImapSession,
  folder: Folder,
  messages: readonly StoredMessage[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    // By EXAMINE: whatever imapflow does to leave the folder, it expunges nothing.
    const { client, mailbox } = await openFolder(session, folder, { fresh: true, signal });
    const rows = await fetchRows({ session, folder, client, exists: mailbox.exists, expected: [] });
    const strangers = strangersAmong([...rows.values()], messages);
    if (strangers.length > 0) return `it holds messages that the drill did not put there (UID ${strangers.join(", ")})`;
    await client.mailboxDelete(folder.mailbox);
    await client.mailboxUnsubscribe(folder.mailbox);
    return undefined;
  } catch (error) {
    throwIfAborted(signal);
    throw session.error(error);
  }
}
