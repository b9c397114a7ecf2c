import { BackupError, type PluginOptions } from "@backup/core";
import { ACCOUNT_OPTIONS, SERVER } from "./account-options.js";

/** Words of `backup restore imap DEST USER SERVER`. */
export const RESTORE_WORDS = [
  { name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" },
  { name: "user", describe: "Logon name of the account that gets it" },
  SERVER,
] as const;

export const RESTORE_OPTIONS = {
  ...ACCOUNT_OPTIONS,
  srcsecret: {
    ...ACCOUNT_OPTIONS.srcsecret,
    describe:
      "File with the account's password or OAuth2 login, as of backup imap, an absolute path; default /backup/USER.oauth2, /backup/USER.password",
  },
  since: { type: "string", describe: "Only messages of this day (UTC) or later: YYYY-MM-DD" },
  "to-folder": { type: "string", describe: "Put every folder below this one, as Restored/2024" },
} as const satisfies PluginOptions;

/** @throws BackupError USAGE */
export function sinceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // Of a day that is not in the calendar, Date may make another one.
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== text)
    throw new BackupError("USAGE", `--since takes a day as 2024-12-31, not '${text}'`);
  return time;
}

/** @throws BackupError USAGE */
export function belowOf(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  const parts = text.split("/");
  if (parts.includes(""))
    throw new BackupError("USAGE", `--to-folder takes a folder's name, with / between its parts, not '${text}'`);
  return parts;
}
