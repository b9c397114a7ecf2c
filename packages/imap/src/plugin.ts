import { definePlugin } from "@backup/core";
import type { FolderFilter } from "./list-folders.js";
import { ImapSource, type WatchedFolders } from "./imap-source.js";
import { maildirLayout } from "./maildir-layout.js";
import type { MailItem } from "./mail-item.js";
import { type ImapAccountOptions, sessionFor } from "./session-for.js";

export interface ImapPluginOptions extends ImapAccountOptions {
  readonly filter?: Partial<FolderFilter> | undefined;
  /** At the same time, at most. Default 4. */
  readonly connections?: number | undefined;
  readonly watch?: WatchedFolders | undefined;
}

/** `backup imap`. The secret is an OAuth2 login, in a file `<user>.oauth2`, or the password, in `<user>.password`. */
export const imapPlugin = definePlugin<ImapPluginOptions, MailItem>({
  name: "imap",
  summary: "an IMAP account, into a Maildir tree",
  layout: maildirLayout,
  async create({ filter, connections, watch, ...account }, context) {
    return new ImapSource({ ...(await sessionFor(account, context)), filter, connections, watch });
  },
});
