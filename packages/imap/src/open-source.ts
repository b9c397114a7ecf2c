import type { FolderFilter } from "./list-folders.js";
import { ImapSource, type WatchedFolders } from "./imap-source.js";
import { type ImapAccountOptions, type LoginContext, sessionFor } from "./session-for.js";

export interface ImapReadOptions extends ImapAccountOptions {
  readonly filter?: Partial<FolderFilter> | undefined;
  /** At the same time, at most. Default 4. */
  readonly connections?: number | undefined;
  readonly watch?: WatchedFolders | undefined;
}

/** The account that `backup imap` names. Connects to nothing yet. @throws BackupError USAGE, SECRET_MISSING */
export async function openImapSource(
  { filter, connections, watch, ...account }: ImapReadOptions,
  context: LoginContext,
): Promise<ImapSource> {
  return new ImapSource({ ...(await sessionFor(account, context)), filter, connections, watch });
}
