import { BackupError, throwIfAborted } from "@backup/core";
import type { ImapFlow, MailboxObject } from "imapflow";
import type { Folder } from "./list-folders.js";
import type { ImapSession } from "./session.js";

/** Connections tried for one EXAMINE before its folder, or the run, is given up. */
const ATTEMPTS = 3;

export interface OpenFolder {
  readonly client: ImapFlow;
  readonly mailbox: MailboxObject;
}

export interface OpenOptions {
  /** What the server tells of it is of now. */
  readonly fresh: boolean;
  /** It can tell what changed since another time, where the server can. */
  readonly changes?: boolean;
  /** SELECT instead of EXAMINE: the server tells then which flags may be stored. Such a folder is never closed by CLOSE. */
  readonly write?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Opens a folder, read-only unless it is to be written, on a new connection if need be.
 * @throws BackupError COLLECTION_UNAVAILABLE when the server refuses this folder; anything else concerns the server
 */
export async function openFolder(
  session: ImapSession,
  folder: Folder,
  { fresh, changes = false, write = false, signal }: OpenOptions,
): Promise<OpenFolder> {
  for (let attempt = 1; ; attempt++) {
    const client = await session.client(signal);
    try {
      const { mailbox } = client;
      if (!fresh && mailbox && mailbox.path === folder.mailbox) return { client, mailbox };
      if (changes) await session.enableChanges(client);
      const opened = await openNow(client, folder, { write });
      if (!hasUidValidity(opened))
        throw new BackupError("PROTOCOL", "the server tells no UIDVALIDITY for it", { transient: true });
      if (!changes) silenceModseq(opened);
      return { client, mailbox: opened };
    } catch (error) {
      throwIfAborted(signal);
      const problem = session.error(error);
      if (problem.code === "THROTTLED") throw problem;
      if (client.usable || problem.code === "PROTOCOL") throw unavailable(folder, problem);
      session.drop();
      if (attempt >= ATTEMPTS) throw problem;
    }
  }
}

/** EXAMINE, or SELECT, which is sent before this returns. Errors are imapflow's. */
export async function openNow(client: ImapFlow, { mailbox }: Folder, { write = false } = {}): Promise<MailboxObject> {
  // Imapflow asks for a folder that it has not listed on this connection by a LIST of its own.
  (client as unknown as Listing).folders.set(mailbox, { path: mailbox });
  return await client.mailboxOpen(mailbox, { readOnly: !write });
}

/** Whether it is of this very folder what a row brings. */
export function isOpenAs(
  { mailbox }: ImapFlow,
  folder: Folder,
  { uidValidity }: { readonly uidValidity: bigint },
): boolean {
  return mailbox !== false && mailbox.path === folder.mailbox && mailbox.uidValidity === uidValidity;
}

/**
 * The same for one that sends a FETCH at once. When it fails the FETCH does: a server has no folder open then (RFC 9051,
 * section 6.3.2).
 */
export function openBefore(client: ImapFlow, folder: Folder): void {
  openNow(client, folder).then(silenceModseq, () => {});
}

/** Imapflow's type does not say so, but a server may leave it out; without it no UID means anything. */
export function hasUidValidity({ uidValidity }: MailboxObject): boolean {
  return /^\d{1,20}$/.test(String(uidValidity));
}

/** What imapflow's types do not have. */
interface Listing {
  readonly folders: Map<string, { readonly path: string }>;
}

/** From now on rows come without MODSEQ, which imapflow else asks for with each message. */
export function silenceModseq(mailbox: MailboxObject): void {
  mailbox.noModseq = true;
}

function unavailable(folder: Folder, problem: BackupError): BackupError {
  return new BackupError("COLLECTION_UNAVAILABLE", `folder ${folder.name} cannot be opened: ${problem.message}`, {
    transient: true,
    cause: problem,
  });
}
