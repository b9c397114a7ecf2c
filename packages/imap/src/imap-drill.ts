import {
  type BackupEvent,
  ContentHash,
  type DrillPlace,
  type DrillRequest,
  isBackupError,
  throwIfAborted,
} from "@backup/core";
import { appendAll } from "./append-all.js";
import { keywordsFor } from "./append-portion.js";
import { Connections } from "./connections.js";
import { makeDrillFolder, nameDrillFolder, removeDrillFolder } from "./drill-folder.js";
import { type Traits, secondsOf, wrongIn } from "./drill-match.js";
import { type Row, fetchRows } from "./fetch-rows.js";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { MESSAGE_REV, messageId } from "./message-names.js";
import { openFolder } from "./open-folder.js";
import { readMessages } from "./read-messages.js";
import { compareFolder } from "./restore-compare.js";
import { RestoreLedger } from "./restore-ledger.js";
import { type StoredMessage, storedFolders } from "./restore-messages.js";
import type { ImapSession, SessionOptions } from "./session.js";

interface Drilling {
  readonly request: DrillRequest;
  readonly connections: Connections;
  /** Made for this drill. */
  readonly folder: Folder;
  readonly messages: readonly StoredMessage[];
}

/** A drill that restores messages to a new folder of an account, as a restore does, and deletes that folder. */
export function imapDrill(options: SessionOptions): DrillPlace {
  return async (request) => {
    const { sample, signal, onEvent } = request;
    await using connections = new Connections(options, 1);
    const messages = (await storedFolders(sample, request)).flatMap((stored) => stored.messages);
    const folder = await connections.use(signal, (session) => nameDrillFolder(session, signal));
    let isOurs = true;
    let good = 0;
    let left: string | undefined;
    try {
      await connections
        .use(signal, (session) => makeDrillFolder(session, folder, signal))
        .catch((error: unknown) => {
          isOurs = !isBackupError(error, "COLLECTION_UNAVAILABLE");
          throw error;
        });
      good = await bringBack({ request, connections, folder, messages });
    } finally {
      left = isOurs ? await removeDrillFolder(connections, folder, messages) : undefined;
      if (left !== undefined) onEvent(leftWarning(folder, left));
    }
    return { good, isLeft: left !== undefined };
  };
}

function leftWarning({ mailbox }: Folder, why: string): BackupEvent {
  const message = `the folder ${mailbox} of the drill may still be at the server: ${why}; look at it, and delete it there`;
  return { type: "warning", code: "DRILL_LEFT", message };
}

/** @returns how many came back as they are in the backup */
async function bringBack({ request, connections, folder, messages }: Drilling): Promise<number> {
  const { store, signal, onEvent } = request;
  const failed = new Set<string>();
  const ledger = new RestoreLedger((event) => {
    if (event.type === "failed" && event.item !== undefined) failed.add(event.item);
    if (event.type !== "progress") onEvent(event);
  });
  const stored = { path: folder.path, name: folder.name, parts: [folder.name], messages };
  const { missing, takes } = await connections.use(signal, (session) =>
    compareFolder(session, folder, messages, { store, write: true, signal }),
  );
  const portion = { destination: { stored, folder, isThere: true }, messages: missing, takes };
  ledger.plan(portion);
  await appendAll([portion], { connections, ledger, store, signal, onEvent });
  const sent = messages.filter(({ file }) => !failed.has(file.path));
  const expected = sent.map((message) => ({
    ...message,
    flags: [...message.flags, ...keywordsFor(message, takes).taken],
  }));
  const returned = await connections.use(signal, (session) => readBack(session, folder, request));
  const wrong = wrongIn(expected, returned);
  for (const [index, text] of wrong.entries()) {
    const item = sent[index]?.file.path ?? "";
    if (text !== undefined)
      onEvent({ type: "failed", collection: folder.name, item, code: "ITEM_UNREADABLE", message: `${item} ${text}` });
  }
  return wrong.filter((text) => text === undefined).length;
}

/** All that is in the folder now. */
async function readBack(
  session: ImapSession,
  folder: Folder,
  { signal, onEvent }: DrillRequest,
): Promise<readonly Traits[]> {
  try {
    const { client, mailbox } = await openFolder(session, folder, { fresh: true, signal });
    const rows = await fetchRows({ session, folder, client, exists: mailbox.exists, expected: [] });
    const items = Array.from(rows.values(), (row) => itemOf(row, mailbox.uidValidity));
    const returned: Traits[] = [];
    for await (const body of readMessages({ session, folder, signal, refusals: { inARow: 0 } }, items)) {
      if ("error" in body) {
        onEvent({ type: "warning", code: "ITEM_UNREADABLE", message: body.error.message });
        continue;
      }
      const hash = new ContentHash();
      for await (const part of body.bytes instanceof Uint8Array ? [body.bytes] : body.bytes) hash.update(part);
      const { flags = new Set<string>(), internalDate } = rows.get(body.item.uid) ?? {};
      returned.push({ digest: hash.content().digest, seconds: secondsOf(internalDate), flags: [...flags] });
    }
    return returned;
  } catch (error) {
    throwIfAborted(signal);
    throw session.error(error);
  }
}

function itemOf({ uid, size = 0, internalDate }: Row, uidValidity: bigint): MessageItem {
  const [id, mtime] = [messageId(uidValidity, uid), secondsOf(internalDate) * 1000];
  return { id, rev: MESSAGE_REV, collection: "", size, mtime, uidValidity, uid, letters: "" };
}
