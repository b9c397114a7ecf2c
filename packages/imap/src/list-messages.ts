import { BackupError, type Known, type Path, type View, isBackupError, throwIfAborted } from "@backup/core";
import type { FetchMessageObject, ImapFlow } from "imapflow";
import { flagLetters } from "./flags.js";
import { KEYWORDS_FILE, KeywordTable, MORE_KEYWORDS_FILE, moreKeywordsLine } from "./keywords.js";
import type { Folder } from "./list-folders.js";
import type { MailItem, MessageItem, SidecarItem } from "./mail-item.js";
import { MESSAGE_REV, messageId } from "./message-names.js";
import { openFolder } from "./open-folder.js";
import type { ImapSession } from "./session.js";
import { uidSet } from "./uid-batches.js";

/** What a FETCH row says of a message; what the server left out is undefined. */
interface Row {
  readonly uid: number;
  readonly flags?: Set<string> | undefined;
  readonly internalDate?: Date | string | undefined;
  readonly size?: number | undefined;
}

/** Times that a folder is listed when answers fail. */
const ATTEMPTS = 3;

/** Every message of a folder and the folder's sidecars. A connection that is lost is made again. */
export async function listMessages(
  session: ImapSession,
  folder: Folder,
  view: View,
  signal: AbortSignal,
): Promise<readonly MailItem[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(session, folder, view, signal);
    } catch (error) {
      throwIfAborted(signal);
      const problem = session.error(error);
      if (isBackupError(error) || !problem.transient) throw problem;
      session.drop();
      if (attempt < ATTEMPTS) continue;
      throw new BackupError("COLLECTION_UNAVAILABLE", `folder ${folder.name} cannot be listed: ${problem.message}`, {
        transient: true,
        cause: problem,
      });
    }
  }
}

async function listOnce(
  session: ImapSession,
  folder: Folder,
  view: View,
  signal: AbortSignal,
): Promise<readonly MailItem[]> {
  // Opened anew: the number of messages is held against the rows.
  const { client, mailbox } = await openFolder(session, folder, { fresh: true, signal });
  const { uidValidity, exists } = mailbox;
  const rows = new Map<number, Row>();
  if (exists > 0) await fetchRows(client, "1:*", rows);
  if (rows.size < exists) await addMissing(client, rows);

  const table = new KeywordTable(await readSidecar(view, folder.path, KEYWORDS_FILE));
  const items: MailItem[] = [];
  let more = "";
  for (const row of [...rows.values()].toSorted((a, b) => a.uid - b.uid)) {
    const { letters, rest } = flagLetters(row.flags ?? [], table);
    const item = messageItem(folder.path, uidValidity, row, letters);
    items.push(item);
    if (rest.length > 0) more += moreKeywordsLine(item.id, rest);
  }
  for (const [file, text] of [
    [KEYWORDS_FILE, table.toString()],
    [MORE_KEYWORDS_FILE, more],
  ] as const) {
    if (text !== "") items.push(await sidecar(view, folder.path, file, text));
  }
  return items;
}

async function fetchRows(client: ImapFlow, range: string, rows: Map<number, Row>): Promise<void> {
  const query = { uid: true, flags: true, internalDate: true, size: true } as const;
  for await (const row of client.fetch(range, query, { uid: true })) if (row.uid) rows.set(row.uid, pick(row));
}

function pick({ uid, flags, internalDate, size }: FetchMessageObject): Row {
  return { uid, flags, internalDate, size };
}

/**
 * A row that cannot be read never reaches us, and a message that is not listed would count as deleted. So where there
 * are fewer rows than messages the UIDs are asked for, and what was missing is fetched one by one; a message of which
 * even that tells nothing is listed by its UID alone.
 */
async function addMissing(client: ImapFlow, rows: Map<number, Row>): Promise<void> {
  const all = await client.search({ all: true }, { uid: true });
  if (!all) throw new BackupError("PROTOCOL", "the server lists fewer messages than it has and does not answer SEARCH");
  for (const uid of all.filter((candidate) => !rows.has(candidate))) {
    await fetchRows(client, uidSet([uid]), rows);
    if (!rows.has(uid)) rows.set(uid, { uid });
  }
}

function messageItem(collection: Path, uidValidity: bigint, row: Row, letters: string): MessageItem {
  const time = row.internalDate === undefined ? Number.NaN : new Date(row.internalDate).getTime();
  return {
    id: messageId(uidValidity, row.uid),
    rev: MESSAGE_REV,
    collection,
    size: row.size ?? 0,
    // A date that cannot be read is no reason to lose the message.
    mtime: Number.isNaN(time) ? 0 : Math.floor(time / 1000) * 1000,
    uidValidity,
    uid: row.uid,
    letters,
  };
}

async function readSidecar(view: View, collection: Path, file: string): Promise<string> {
  const known = knownSidecar(view.known, collection, file);
  return known ? Buffer.from(await view.read(known.file.path)).toString() : "";
}

/** The file as an item: of the revision that is stored if that has the same content, else of a new one. */
async function sidecar(view: View, collection: Path, file: string, text: string): Promise<SidecarItem> {
  const known = knownSidecar(view.known, collection, file);
  const same = known !== undefined && (await readSidecar(view, collection, file)) === text;
  const bytes = Buffer.from(text);
  const rev = same ? known.identity.rev : "new";
  return { id: file, rev, sidecar: true, collection, size: bytes.byteLength, mtime: Date.now(), bytes };
}

function knownSidecar(known: readonly Known[], collection: Path, file: string): Known | undefined {
  return known.find((entry) => entry.file.path === `${collection}/${file}`);
}
