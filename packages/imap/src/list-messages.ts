import {
  BackupError,
  type Known,
  type Path,
  type Unavailable,
  type View,
  isBackupError,
  throwIfAborted,
} from "@backup/core";
import { type Row, fetchRows, isAllOf } from "./fetch-rows.js";
import { fetchChanges } from "./fetch-changes.js";
import { flagLetters } from "./flags.js";
import { KEYWORDS_FILE, KeywordTable, MORE_KEYWORDS_FILE, moreKeywordsLine } from "./keywords.js";
import type { Folder } from "./list-folders.js";
import type { MailItem, MessageItem, SidecarItem } from "./mail-item.js";
import { MESSAGE_REV, type MessageName, messageId, readMessageName } from "./message-names.js";
import { openFolder } from "./open-folder.js";
import type { OpenedWithRows } from "./open-with-rows.js";
import type { ImapSession } from "./session.js";

/** Times that a folder is listed when answers fail. */
const ATTEMPTS = 3;

/** What is to be listed of an account. */
export interface Listing {
  readonly folder: Folder;
  readonly view: View;
  readonly signal: AbortSignal;
}

/** Every message of a folder and the folder's sidecars. */
type Listed = readonly (MailItem | Unavailable)[];

/** Lists a folder from what was told of it at once. Undefined: that is not all, or it is not sure that it is. */
export async function listFrom(opened: OpenedWithRows, listing: Listing): Promise<Listed | undefined> {
  const { mailbox, rows } = opened;
  const { uidValidity, exists } = mailbox;
  const stored = storedMessages(listing.view.known, uidValidity);
  const all = exists === 0 ? new Map<number, Row>() : rows;
  const isAll = exists === 0 || (exists !== undefined && isAllOf(opened, exists, stored.keys()));
  return isAll ? await itemsOf(listing, { uidValidity, stored, rows: all, uids: all.keys() }) : undefined;
}

/**
 * Lists a folder. A connection that is lost is made again.
 * @param first what was told of it at once, if anything
 */
export async function listMessages(session: ImapSession, listing: Listing, first?: OpenedWithRows): Promise<Listed> {
  const { folder, signal } = listing;
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(session, listing, attempt === 1 ? first : undefined);
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

async function listOnce(session: ImapSession, listing: Listing, told: OpenedWithRows | undefined): Promise<Listed> {
  const { folder, view, signal } = listing;
  const { since } = view;
  // Opened anew: the number of messages is held against the rows.
  const opened = await openFolder(session, folder, { fresh: true, changes: since !== undefined, signal });
  const { client, mailbox } = opened;
  const { uidValidity } = mailbox;
  const first = told?.mailbox.uidValidity === uidValidity ? told : undefined;
  const stored = storedMessages(view.known, uidValidity);
  const uids = new Set(stored.keys());
  const changes =
    since === undefined ? undefined : await fetchChanges({ session, client, mailbox, since, stored: uids });
  const rows =
    changes?.rows ?? (await fetchRows({ session, folder, client, exists: mailbox.exists, expected: [...uids], first }));
  return await itemsOf(listing, { uidValidity, stored, rows, uids: changes?.uids ?? rows.keys() });
}

interface Told {
  readonly uidValidity: bigint;
  readonly stored: ReadonlyMap<number, StoredMessage>;
  readonly rows: ReadonlyMap<number, Row>;
  /** Of all messages. */
  readonly uids: Iterable<number>;
}

async function itemsOf({ folder, view }: Listing, { uidValidity, stored, rows, uids }: Told): Promise<Listed> {
  const table = new KeywordTable(await readSidecar(view, folder.path, KEYWORDS_FILE));
  const before = linesById(await readSidecar(view, folder.path, MORE_KEYWORDS_FILE));
  const items: (MailItem | Unavailable)[] = [];
  let more = "";
  for (const uid of [...uids].toSorted((a, b) => a - b)) {
    const name = stored.get(uid);
    const row = rows.get(uid) ?? { uid, size: name?.size };
    const { letters, rest } = flagLetters(row.flags ?? [], table);
    const item = messageItem({ collection: folder.path, uidValidity, row, letters, name });
    items.push(item);
    if (rest.length > 0) more += moreKeywordsLine(item.id, rest);
    if (row.flags) continue;
    more += before.get(item.id) ?? "";
    if (rows.has(uid)) items.push(withoutFlags(folder, item));
  }
  for (const [file, text] of [
    [KEYWORDS_FILE, table.toString()],
    [MORE_KEYWORDS_FILE, more],
  ] as const) {
    if (text !== "") items.push(await sidecar(view, folder.path, file, text));
  }
  return items;
}

interface StoredMessage extends MessageName {
  /** Bytes. */
  readonly size: number | undefined;
}

/** Those of this UIDVALIDITY, by UID. */
function storedMessages(known: readonly Known[], uidValidity: bigint): ReadonlyMap<number, StoredMessage> {
  const stored = new Map<number, StoredMessage>();
  for (const { file, content } of known) {
    const name = readMessageName(file.path);
    if (name?.uidValidity === uidValidity) stored.set(name.uid, { ...name, size: content?.size });
  }
  return stored;
}

/** The lines of a file of keywords, with their ends, by what they begin with. */
function linesById(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(/(?<=\n)/).map((line) => [line.slice(0, Math.max(0, line.indexOf(" "))), line]));
}

/** What the server does not tell of a message that is stored stays as it is there. */
function messageItem(input: {
  readonly collection: Path;
  readonly uidValidity: bigint;
  readonly row: Row;
  readonly letters: string;
  /** Of the file that is stored. */
  readonly name: MessageName | undefined;
}): MessageItem {
  const { collection, uidValidity, row, letters, name } = input;
  const time = row.internalDate === undefined ? Number.NaN : new Date(row.internalDate).getTime();
  // A date that cannot be read is no reason to lose the message.
  const epoch = Number.isNaN(time) ? (name?.epoch ?? 0) : Math.floor(time / 1000);
  return {
    id: messageId(uidValidity, row.uid),
    // Stored while its date could not be read: stored again, since a rename does not give a file its time.
    rev: name?.epoch === 0 && epoch !== 0 ? "dated" : MESSAGE_REV,
    collection,
    size: row.size ?? 0,
    mtime: epoch * 1000,
    uidValidity,
    uid: row.uid,
    letters: row.flags || !name ? letters : name.letters,
    ...(row.emailId === undefined ? {} : { twin: row.emailId }),
  };
}

function withoutFlags(folder: Folder, { id, uid }: MessageItem): Unavailable {
  const message = `flags and date of message UID ${uid} of folder ${folder.name} cannot be had from the server; it will be asked again by the next run`;
  return { name: id, error: new BackupError("ITEM_UNREADABLE", message, { transient: true }) };
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
