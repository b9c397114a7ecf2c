import { BackupError, type EventSink, type Unavailable, throwIfAborted } from "@backup/core";
import type { Folder } from "./list-folders.js";
import type { StoredFolder } from "./restore-messages.js";
import { tamerName } from "./restore-names.js";
import type { ImapSession } from "./session.js";

/** A folder of a backup, and the folder of the target that it goes to. */
export interface Destination {
  readonly stored: StoredFolder;
  readonly folder: Folder;
  /** The target has it; a dry run makes none. */
  readonly isThere: boolean;
}

export interface MakeOptions {
  readonly delimiter: string | null;
  /** Names that are given to folders; another one that is chosen is added. */
  readonly taken: Set<string>;
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
}

/** Connections tried for one folder. */
const ATTEMPTS = 3;

/** Makes a folder that the target lacks, and subscribes it; under a tamer name where the server refuses the one it has. */
export async function makeFolder(
  session: ImapSession,
  { stored, folder }: Destination,
  { delimiter, taken, signal, onEvent }: MakeOptions,
): Promise<Destination | Unavailable> {
  const refused = await tryToMake(session, folder.mailbox, signal);
  if (!refused) return { stored, folder, isThere: true };
  let tame = tamerName(folder.mailbox, delimiter);
  while (tame !== undefined && taken.has(tame)) tame += "_";
  if (tame !== undefined) taken.add(tame);
  if (tame === undefined || (await tryToMake(session, tame, signal)))
    return {
      name: stored.name,
      error: new BackupError(
        "COLLECTION_UNAVAILABLE",
        `folder ${stored.name} cannot be made at the server: ${refused}; its ${stored.messages.length} messages are left out`,
      ),
    };
  const message = `folder ${stored.name} is called ${tame} at the server, which refused its name: ${refused}`;
  onEvent({ type: "warning", code: "FOLDER_RENAMED", message });
  return { stored, folder: { ...folder, mailbox: tame }, isThere: true };
}

/** What the server says against it; undefined: the folder is there. */
async function tryToMake(session: ImapSession, mailbox: string, signal: AbortSignal): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const client = await session.client(signal);
    try {
      // Subscribes it too; one that is there is no error (RFC 5530, ALREADYEXISTS).
      await client.mailboxCreate(mailbox);
      return undefined;
    } catch (error) {
      throwIfAborted(signal);
      const { responseStatus, responseText }: Refusal & Error =
        error instanceof Error ? error : new Error(String(error));
      if (responseStatus === "NO" || responseStatus === "BAD") return session.said(responseText);
      const problem = session.error(error);
      if (!problem.transient || attempt >= ATTEMPTS) throw problem;
      session.drop();
    }
  }
}

interface Refusal {
  readonly responseStatus?: unknown;
  readonly responseText?: unknown;
}
