import { definePlugin, readCertificates } from "@backup/core";
import type { FolderFilter } from "./list-folders.js";
import { ImapSource, type WatchedFolders } from "./imap-source.js";
import { loginWith } from "./login-with.js";
import { maildirLayout } from "./maildir-layout.js";
import type { MailItem } from "./mail-item.js";
import { parseServer } from "./server.js";

export interface ImapPluginOptions {
  /** The logon name, usually the mail address. */
  readonly user: string;
  /** See parseServer. */
  readonly server: string;
  /** File of certificates (PEM) that are trusted besides the system's. */
  readonly tlsCa?: string | undefined;
  readonly filter?: Partial<FolderFilter> | undefined;
  /** Longest silence of the server, milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** At the same time, at most. Default 4. */
  readonly connections?: number | undefined;
  readonly watch?: WatchedFolders | undefined;
}

/** `backup imap`. The secret is an OAuth2 login, in a file `<user>.oauth2`, or the password, in `<user>.password`. */
export const imapPlugin = definePlugin<ImapPluginOptions, MailItem>({
  name: "imap",
  summary: "an IMAP account, into a Maildir tree",
  layout: maildirLayout,
  async create({ user, server: text, tlsCa, filter, timeoutMs, connections, watch }, { onEvent, trace, secret }) {
    const server = parseServer(text);
    const ca = tlsCa === undefined ? undefined : (await readCertificates(tlsCa, "--tls-ca")).join("");
    // Whoever has both has made the first one because the second one is not enough any more.
    const found = await secret({ partner: user, extensions: [".oauth2", ".password"] });
    return new ImapSource({
      server,
      login: loginWith(found, { user, onEvent }),
      ca,
      filter,
      timeoutMs,
      connections,
      watch,
      onEvent,
      trace,
    });
  },
});
