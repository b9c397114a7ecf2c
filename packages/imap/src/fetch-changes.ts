import type { ImapFlow, MailboxObject } from "imapflow";
import { type Row, addRows } from "./fetch-rows.js";
import { type FolderState, stateOf } from "./fingerprint.js";
import { silenceModseq } from "./open-folder.js";
import { searchUids } from "./search-uids.js";
import type { ImapSession } from "./session.js";

/** The messages of a folder, and what is new of them. */
export interface Changes {
  /** Of all messages. */
  readonly uids: ReadonlySet<number>;
  /** Of those that are new, or whose flags changed. */
  readonly rows: ReadonlyMap<number, Row>;
}

export interface FetchChangesInput {
  readonly session: ImapSession;
  /** With the folder open, and CONDSTORE enabled. */
  readonly client: ImapFlow;
  /** As it was when it was opened. */
  readonly mailbox: MailboxObject;
  /** The folder's fingerprint when `stored` was all that it had. */
  readonly since: string;
  /** UIDs that are stored. */
  readonly stored: ReadonlySet<number>;
}

/**
 * What changed in a folder since then: one UID FETCH with CHANGEDSINCE, which with QRESYNC names the UIDs that vanished
 * too (RFC 7162, section 3.2.6); without it they are asked for where the count is wrong.
 * @returns undefined where that cannot be told, or does not add up: then all has to be listed
 */
export async function fetchChanges(input: FetchChangesInput): Promise<Changes | undefined> {
  const { session, client, mailbox, stored } = input;
  const before = stateOf(input.since);
  if (!before || !isLater(mailbox, before) || stored.size !== before.messages) return undefined;
  const unreadable = session.unreadable;
  const uids = new Set(stored);
  const rows = new Map<number, Row>();
  session.onVanished = (uid) => void uids.delete(uid);
  try {
    await addRows(client, "1:*", rows, { changedSince: before.highestModseq });
  } finally {
    session.onVanished = undefined;
    silenceModseq(mailbox);
  }
  for (const uid of rows.keys()) uids.add(uid);
  const isNewShown = mailbox.uidNext === before.uidNext || [...rows.keys()].some((uid) => uid >= before.uidNext);
  const isWhole = (isNewShown && uids.size === existsNow(client)) || (await dropVanished(input, uids));
  return isWhole && session.unreadable === unreadable ? { uids, rows } : undefined;
}

/** Whether what the server keeps of changes goes back to then. */
function isLater(mailbox: MailboxObject, before: FolderState): boolean {
  const { uidValidity, uidNext, highestModseq, noModseq } = mailbox;
  return (
    uidValidity === before.uidValidity &&
    uidNext >= before.uidNext &&
    !noModseq &&
    highestModseq !== undefined &&
    highestModseq >= before.highestModseq
  );
}

/** Messages that the open folder has now, as far as the server told. */
function existsNow({ mailbox }: ImapFlow): number | undefined {
  return mailbox ? mailbox.exists : undefined;
}

/** Leaves the UIDs that the server has. Returns whether it has no other. */
async function dropVanished({ session, client }: FetchChangesInput, uids: Set<number>): Promise<boolean> {
  const all = await searchUids(session, client, { all: true });
  if (!all) return false;
  for (const uid of uids) if (!all.has(uid)) uids.delete(uid);
  return uids.size === all.size;
}
