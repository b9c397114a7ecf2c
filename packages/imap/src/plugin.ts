import { BackupError, definePlugin, parseSize } from "@backup/core";
import { SERVER, checkAccount } from "./account-options.js";
import { userOf } from "./backup-account.js";
import {
  ACCOUNTS,
  DRILL_BY,
  DRILL_OPTIONS,
  REMOVAL_MS,
  VERIFY_BY,
  VERIFY_OPTIONS,
  checkDrill,
  checkVerify,
} from "./counterparts.js";
import { LOGIN_EXAMPLES, LOGIN_OPTIONS, LOGIN_WORDS, checkLogin } from "./login-description.js";
import { RESTORE_OPTIONS, RESTORE_WORDS, belowOf, sinceOf } from "./restore-description.js";
import { parseServer } from "./server.js";
import { SOURCE_OPTIONS, type SourceArguments, checkSource, foreignOf } from "./source-options.js";

// What does the work is loaded when it is used: a list of all types needs none of it.

/** `backup imap`. The secret is an OAuth2 login, in a file `<user>.oauth2`, or the password, in `<user>.password`. */
export const imapPlugin = definePlugin({
  kind: "source",
  name: "imap",
  summary: "mirror an IMAP account into a Maildir tree",
  positionals: [
    { name: "user", describe: "Logon name, mostly the mail address" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
    SERVER,
  ],
  options: {
    ...SOURCE_OPTIONS,
    "max-bytes-per-day": {
      type: "string",
      describe: "Bytes of messages to read in a day (UTC) at most, as 2G; what is left comes with later runs",
    },
    full: { type: "boolean", describe: "Compare every message, not only what the server says has changed" },
  },
  commandOptions: {
    watch: {
      type: "boolean",
      describe: "Go on for ever: mirror again when the server tells that something changed, and each hour",
    },
    "watch-folder": {
      type: "string",
      array: true,
      describe: "With --watch: be told of changes in folders that match this glob; repeatable; default INBOX",
    },
  },
  examples: [
    ["backup imap alice@example.org /backup/alice mail.example.org", "the whole account, by TLS"],
    ["backup imap alice@example.org ./alice mail.example.org:143 --folder 'Archive/**'", "some folders, by STARTTLS"],
    ["backup imap alice@example.org nas:mail/alice mail.example.org", "to another host, by ssh"],
    ["backup imap alice@example.org /backup/alice mail.example.org --watch", "for ever, seconds after each change"],
  ],
  check(args) {
    checkSource(args);
    budgetOf(args.maxBytesPerDay);
    if (args.watchFolder.length > 0 && !args.watch)
      throw new BackupError("USAGE", "--watch-folder says what --watch watches; give that too");
  },
  host: ({ server }) => parseServer(server).host,
  run: ({ full, maxBytesPerDay }) => ({ full, bytesPerDay: budgetOf(maxBytesPerDay) }),
  follows: ({ watch }) => watch,
  layout: async () => (await import("./maildir-layout.js")).maildirLayout,
  async create(args, context) {
    const { openImapSource } = await import("./open-source.js");
    return await openImapSource(readOptions(args), context);
  },
  verifyAgainst: {
    by: VERIFY_BY,
    options: VERIFY_OPTIONS,
    of: ACCOUNTS,
    examples: [
      ["backup verify nas:mail/alice --server mail.example.org", "and is that all that the server has?"],
      ["backup verify nas:mail/alice --server mail.example.org --repair", "get what is damaged anew"],
    ],
    check: checkVerify,
    async open(args, backup, context) {
      const { openImapSource } = await import("./open-source.js");
      const account = { ...args, user: userOf(args, backup), watch: false, watchFolder: [] };
      return await openImapSource(readOptions(account), context);
    },
  },
  drill: {
    by: DRILL_BY,
    options: DRILL_OPTIONS,
    of: ACCOUNTS,
    examples: [
      [
        "backup drill nas:mail/alice --messages 50 --server mail.example.org",
        "and does the server take them, with flags and dates?",
      ],
    ],
    check: checkDrill,
    async open(args, backup, context) {
      const { openImapDrill } = await import("./open-target.js");
      const { server, tlsCa, timeout } = args;
      const user = userOf(args, backup);
      const place = await openImapDrill({ user, server, tlsCa, timeoutMs: timeout * 1000 }, context);
      const name = `${user} at ${server}`;
      return { place, name, told: `with flags and dates, from a folder of ${name}`, removalMs: REMOVAL_MS };
    },
  },
  login: {
    summary: "log on by OAuth2, for mail servers that take no password, and keep the login in a file",
    positionals: LOGIN_WORDS,
    options: LOGIN_OPTIONS,
    examples: LOGIN_EXAMPLES,
    check: checkLogin,
    async run(args, context) {
      const { oauth2Login } = await import("./oauth2-login.js");
      return await oauth2Login(args, context);
    },
  },
  restore: {
    summary: "bring a backup back to an IMAP account, the same or another: adds what is missing there",
    positionals: RESTORE_WORDS,
    options: RESTORE_OPTIONS,
    examples: [
      ["backup restore imap /backup/alice alice@example.org mail.example.org", "all that the account does not have"],
      [
        "backup restore imap nas:mail/alice alice@example.com imap.example.com --dry-run",
        "what a move to another server would bring there",
      ],
      [
        "backup restore imap /backup/alice alice@example.org mail.example.org --folder 'Archive/**' --to-folder Restored",
        "some folders, beside what is there",
      ],
    ],
    check(args) {
      checkAccount(args);
      sinceOf(args.since);
      belowOf(args.toFolder);
    },
    async open(args, context) {
      const { user, server, tlsCa, folder: folders, timeout, connections } = args;
      const { openImapTarget } = await import("./open-target.js");
      const scope = { folders, since: sinceOf(args.since), below: belowOf(args.toFolder) };
      return openImapTarget({ user, server, tlsCa, ...scope, timeoutMs: timeout * 1000, connections }, context);
    },
  },
});

interface WatchArguments {
  readonly watch: boolean;
  readonly watchFolder: readonly string[];
}

/** Whoever watches has so many connections that do, and what is left for the run beside them; one for each at least. */
function readOptions(args: SourceArguments & WatchArguments) {
  const { user, server, tlsCa, timeout, connections, watch, watchFolder } = args;
  const filter = { include: args.folder, exclude: args.excludeFolder, namespaces: foreignOf(args.namespace) };
  const account = { user, server, tlsCa, filter, timeoutMs: timeout * 1000 };
  if (!watch) return { ...account, connections };
  const half = Math.max(1, Math.floor(connections / 2));
  const folders = watchFolder.length > 0 ? watchFolder : undefined;
  return { ...account, connections: Math.max(1, connections - half), watch: { folders, connections: half } };
}

/** @throws BackupError USAGE */
function budgetOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes === undefined)
    throw new BackupError("USAGE", `--max-bytes-per-day takes a size as 2G, 500M or 2GiB, not '${text}'`);
  return bytes;
}
