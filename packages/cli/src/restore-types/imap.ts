import { BackupError, type Target } from "@backup/core";
import type { ActionContext } from "../action.js";
import { ACCOUNT_OPTIONS, type AccountArguments, SERVER, accountContext, checkAccount } from "../types/imap-account.js";
import type { RestoreArguments, RestoreType } from "./restore-type.js";

export interface RestoreImapArguments extends RestoreArguments, AccountArguments {
  readonly since?: string | undefined;
  readonly toFolder?: string | undefined;
  readonly timeout: number;
}

/** `backup restore imap DEST USER SERVER` */
export const imapRestore: RestoreType<RestoreImapArguments> = {
  name: "imap",
  summary: "bring a backup back to an IMAP account, the same or another: adds what is missing there",
  positionals: [
    { name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" },
    { name: "user", describe: "Logon name of the account that gets it" },
    SERVER,
  ],
  options: {
    ...ACCOUNT_OPTIONS,
    srcsecret: {
      ...ACCOUNT_OPTIONS.srcsecret,
      describe:
        "File with the account's password or OAuth2 login, as of backup imap, an absolute path; default /backup/USER.oauth2, /backup/USER.password",
    },
    since: { type: "string", requiresArg: true, describe: "Only messages of this day (UTC) or later: YYYY-MM-DD" },
    "to-folder": { type: "string", requiresArg: true, describe: "Put every folder below this one, as Restored/2024" },
  },
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
  open: openTarget,
};

async function openTarget(args: RestoreImapArguments, context: ActionContext): Promise<Target> {
  const { user, server, tlsCa, folder: folders, timeout, connections } = args;
  const scope = { folders, since: sinceOf(args.since), below: belowOf(args.toFolder) };
  // Loaded when used: it costs start-up time.
  const { openImapTarget } = await import("@backup/imap");
  return openImapTarget(
    { user, server, tlsCa, ...scope, timeoutMs: timeout * 1000, connections },
    accountContext(args, context),
  );
}

/** @throws BackupError USAGE */
function sinceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // Of a day that is not in the calendar, Date may make another one.
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== text)
    throw new BackupError("USAGE", `--since takes a day as 2024-12-31, not '${text}'`);
  return time;
}

/** @throws BackupError USAGE */
function belowOf(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  const parts = text.split("/");
  if (parts.includes(""))
    throw new BackupError("USAGE", `--to-folder takes a folder's name, with / between its parts, not '${text}'`);
  return parts;
}
