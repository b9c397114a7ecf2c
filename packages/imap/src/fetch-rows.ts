import { BackupError } from "@backup/core";
import type { FetchOptions, ImapFlow } from "imapflow";
import { LISTED, fetchUsual } from "./fetch-usual.js";
import type { Folder } from "./list-folders.js";
import { searchUids } from "./search-uids.js";
import type { ImapSession } from "./session.js";
import type { FetchedRow } from "./usual-row.js";
import { cutBatches, uidSet } from "./uid-batches.js";

/** What a FETCH row says of a message; what the server left out is undefined. */
export interface Row {
  readonly uid: number;
  readonly flags?: ReadonlySet<string> | undefined;
  readonly internalDate?: Date | string | undefined;
  readonly size?: number | undefined;
  /** EMAILID (RFC 8474), or Gmail's X-GM-MSGID: the same for all copies of a message. */
  readonly emailId?: string | undefined;
}

/** Times that a SEARCH is sent whose answer cannot be. */
const ATTEMPTS = 3;
/** UIDs without a row that are asked for one by one, where twice the messages that there are is less. */
const MOST_MISSING = 1000;

/** What a FETCH of all messages has told. */
export interface AllRows {
  readonly rows: Map<number, Row>;
  /** Messages that they are of, as addRows counts them. */
  readonly answered: number;
}

export interface FetchRowsInput {
  readonly session: ImapSession;
  readonly folder: Folder;
  /** With the folder open. */
  readonly client: ImapFlow;
  /** Messages that the folder has, as EXAMINE said; undefined: it did not, or not so that it could be read. */
  readonly exists: number | undefined;
  /** UIDs that are stored. */
  readonly expected: readonly number[];
  /** What a FETCH of all messages has told already. */
  readonly first?: AllRows | undefined;
}

/**
 * A row for every message of the folder, by UID.
 *
 * A row that cannot be read never reaches us, and a message that is not listed would count as deleted. So where there
 * are fewer rows than messages, or one that is stored has none, the UIDs are asked for, and what was missing is fetched
 * again, in the end one by one; a message of which even that tells nothing is listed by its UID alone.
 * @throws BackupError COLLECTION_UNAVAILABLE
 */
export async function fetchRows(input: FetchRowsInput): Promise<ReadonlyMap<number, Row>> {
  const { client, exists, expected, first } = input;
  if (exists === 0) return new Map();
  const rows = first?.rows ?? new Map<number, Row>();
  const answered = first?.answered ?? (await addRows(client, "1:*", rows));
  if (exists !== undefined && isAllOf({ rows, answered }, exists, expected)) return rows;
  const missing = [...(await allUids(input))].filter((uid) => isUid(uid) && !rows.has(uid));
  // A SEARCH may name any number, and each costs a command.
  if (exists !== undefined && missing.length > Math.max(MOST_MISSING, 2 * exists))
    throw cannotList(
      input.folder,
      `the server names ${missing.length} messages that it does not show, and counts ${exists}`,
    );
  for (const batch of cutBatches(missing.map((uid) => ({ uid, size: 0 }))))
    await addRows(client, uidSet(batch.map(({ uid }) => uid)), rows);
  for (const uid of missing) {
    if (!rows.has(uid)) await addRows(client, uidSet([uid]), rows);
    if (!rows.has(uid)) rows.set(uid, { uid });
  }
  return rows;
}

/** Whether it is all of a folder that has so many messages, and these stored ones among them. */
export function isAllOf({ rows, answered }: AllRows, exists: number, expected: Iterable<number>): boolean {
  return answered >= exists && [...expected].every((uid) => rows.has(uid));
}

/**
 * Adds what rows tell, and counts the messages that they are of: by sequence number, since a row may be of a UID that
 * is not there.
 */
export async function addRows(
  client: ImapFlow,
  range: string,
  rows: Map<number, Row>,
  options: Pick<FetchOptions, "changedSince"> = {},
): Promise<number> {
  const sequence = new Set<number>();
  const add = (row: FetchedRow): undefined => {
    const { uid } = row;
    if (!isUid(uid)) return undefined;
    sequence.add(row.seq);
    rows.set(uid, merge(rows.get(uid), uid, row));
    return undefined;
  };
  if (options.changedSince === undefined) await fetchUsual(client, range, LISTED, add);
  else {
    const query = { uid: true, flags: true, internalDate: true, size: true } as const;
    for await (const row of client.fetch(range, query, { ...options, uid: true })) add({ ...row, source: undefined });
  }
  return sequence.size;
}

/** RFC 3501, section 9: nz-number of 32 bits. */
function isUid(uid: unknown): uid is number {
  return typeof uid === "number" && Number.isInteger(uid) && uid >= 1 && uid <= 0xffffffff;
}

/** A server may tell of changed flags by rows of its own, which have nothing else. */
function merge(
  earlier: Row | undefined,
  uid: number,
  { flags, internalDate, size, emailId }: Omit<FetchedRow, "seq">,
): Row {
  return {
    uid,
    flags: flags ?? earlier?.flags,
    internalDate: internalDate ?? earlier?.internalDate,
    size: size ?? earlier?.size,
    emailId: emailId ?? earlier?.emailId,
  };
}

/** A SEARCH that names none is no answer: the folder is not empty. */
async function allUids({ session, folder, client }: FetchRowsInput): Promise<ReadonlySet<number>> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const all = await searchUids(session, client, { all: true });
    if (all && all.size > 0) return all;
  }
  throw cannotList(folder, "the server tells of fewer messages than it has");
}

function cannotList(folder: Folder, why: string): BackupError {
  return new BackupError("COLLECTION_UNAVAILABLE", `folder ${folder.name} cannot be listed: ${why}`, {
    transient: true,
  });
}
