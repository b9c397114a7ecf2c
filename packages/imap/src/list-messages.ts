import { BackupError, type Known, type Path, type View, isBackupError, throwIfAborted } from "@backup/core";
import type { FetchMessageObject, ImapFlow } from "imapflow";
import { flagLetters } from "./flags.js";
import { KEYWORDS_FILE, KeywordTable, MORE_KEYWORDS_FILE, moreKeywordsLine } from "./keywords.js";
import type { Folder } from "./list-folders.js";
import type { MailItem, MessageItem, MissingItem, SidecarItem } from "./mail-item.js";
import { MESSAGE_REV, type MessageName, messageId, readMessageName } from "./message-names.js";
import { openFolder } from "./open-folder.js";
import { searchUids } from "./search-uids.js";
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
  const answered = exists > 0 ? await fetchRows(client, "1:*", rows) : 0;
  const stored = new Map(view.known.map((known) => [known.identity.id, readMessageName(known.file.path)]));
  const gone = [...stored.values()].some((name) => name?.uidValidity === uidValidity && !rows.has(name.uid));
  // What is going to count as deleted is asked for by itself.
  if (answered < exists || (gone && exists > 0)) await addMissing({ session, folder, client, rows });
  const table = new KeywordTable(await readSidecar(view, folder.path, KEYWORDS_FILE));
  const items: MailItem[] = [];
  let more = "";
  for (const row of [...rows.values()].toSorted((a, b) => a.uid - b.uid)) {
    const name = stored.get(messageId(uidValidity, row.uid));
    const { letters, rest } = flagLetters(row.flags ?? [], table);
    const item = messageItem({ collection: folder.path, uidValidity, row, letters, name });
    items.push(item);
    if (rest.length > 0) more += moreKeywordsLine(item.id, rest);
    if (row.flags) continue;
    items.push(missingFlags(folder, item));
    const before = await readSidecar(view, folder.path, MORE_KEYWORDS_FILE);
    more += before.split(/(?<=\n)/).find((line) => line.startsWith(`${item.id} `)) ?? "";
  }
  for (const [file, text] of [
    [KEYWORDS_FILE, table.toString()],
    [MORE_KEYWORDS_FILE, more],
  ] as const) {
    if (text !== "") items.push(await sidecar(view, folder.path, file, text));
  }
  return items;
}

/** Adds the rows, and counts the messages that they are of: by sequence number, since a row may be of a UID that is not there. */
async function fetchRows(client: ImapFlow, range: string, rows: Map<number, Row>): Promise<number> {
  const query = { uid: true, flags: true, internalDate: true, size: true } as const;
  const sequence = new Set<number>();
  for await (const row of client.fetch(range, query, { uid: true })) {
    if (!isUid(row.uid)) continue;
    sequence.add(row.seq);
    rows.set(row.uid, merge(rows.get(row.uid), row));
  }
  return sequence.size;
}

/** RFC 3501, section 9: nz-number of 32 bits. */
function isUid(uid: unknown): uid is number {
  return typeof uid === "number" && Number.isInteger(uid) && uid >= 1 && uid <= 0xffffffff;
}

/** A server may tell of changed flags by rows of its own, which have nothing else. */
function merge(earlier: Row | undefined, { uid, flags, internalDate, size }: FetchMessageObject): Row {
  return {
    uid,
    flags: flags ?? earlier?.flags,
    internalDate: internalDate ?? earlier?.internalDate,
    size: size ?? earlier?.size,
  };
}

/**
 * A row that cannot be read never reaches us, and a message that is not listed would count as deleted. So where there
 * are fewer rows than messages the UIDs are asked for, and what was missing is fetched one by one; a message of which
 * even that tells nothing is listed by its UID alone.
 */
async function addMissing({ session, folder, client, rows }: MissingInput): Promise<void> {
  for (const uid of await allUids({ session, folder, client })) {
    if (rows.has(uid) || !isUid(uid)) continue;
    await fetchRows(client, uidSet([uid]), rows);
    if (!rows.has(uid)) rows.set(uid, { uid });
  }
}

interface MissingInput {
  readonly session: ImapSession;
  readonly folder: Folder;
  readonly client: ImapFlow;
  readonly rows: Map<number, Row>;
}

/** A SEARCH that names none is no answer: the folder is not empty. */
async function allUids({ session, folder, client }: Omit<MissingInput, "rows">): Promise<ReadonlySet<number>> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const all = await searchUids(session, client, { all: true });
    if (all && all.size > 0) return all;
  }
  const message = `folder ${folder.name} cannot be listed: the server tells of fewer messages than it has`;
  throw new BackupError("COLLECTION_UNAVAILABLE", message, { transient: true });
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
  };
}

function missingFlags(folder: Folder, { id, uid, collection }: MessageItem): MissingItem {
  const message = `flags and date of message UID ${uid} of folder ${folder.name} cannot be had from the server; it will be asked again by the next run`;
  const error = new BackupError("ITEM_UNREADABLE", message, { transient: true });
  return { id: `${id} flags`, rev: "missing", sidecar: true, collection, size: 0, mtime: 0, error };
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
