import { BackupError, type PluginOptions } from "@backup/core";
import { ACCOUNT_OPTIONS, checkAccount } from "./account-options.js";
import { SOURCE_OPTIONS, type SourceArguments, checkSource } from "./source-options.js";

// What `backup verify` and `backup drill` take of an account beside their own.

/** What such backups are called, for whoever asks for a server of something else. */
export const ACCOUNTS = "mail accounts";

export const VERIFY_BY = {
  name: "server",
  describe: "Compare with this server too: host, host:143, imaps://host:port; logs on as the user of the backup",
} as const;

export const VERIFY_OPTIONS = {
  user: { type: "string", describe: "Logon name at that server, where the backup does not say which" },
  ...SOURCE_OPTIONS,
} as const satisfies PluginOptions;

export const DRILL_BY = {
  name: "server",
  describe:
    "Restore to a new folder of the account at this server, compare flags and dates too, delete the folder: host, host:143, imaps://host:port; default: to a directory of this machine",
} as const;

const { srcsecret, "tls-ca": tlsCa, timeout } = ACCOUNT_OPTIONS;

export const DRILL_OPTIONS = {
  user: { type: "string", describe: "Logon name at that server, where it is another than the backup's" },
  srcsecret,
  "tls-ca": tlsCa,
  timeout,
} as const satisfies PluginOptions;

/** For the folder of the drill to be deleted, after a signal too, milliseconds. */
export const REMOVAL_MS = 12_000;

interface MaybeAsked {
  readonly server?: string | undefined;
  readonly user?: string | undefined;
}

/** @throws BackupError USAGE */
export function checkVerify({ server, user, ...args }: MaybeAsked & Omit<SourceArguments, "user" | "server">): void {
  if (server !== undefined) checkSource({ ...args, server, user: user ?? "of the backup" });
  else checkUser(user);
}

interface DrillArguments extends MaybeAsked {
  readonly srcsecret?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly timeout: number;
}

/** @throws BackupError USAGE */
export function checkDrill({ server, user, ...args }: DrillArguments): void {
  if (server !== undefined) checkAccount({ ...args, server, user: user ?? "of the backup", connections: 1 });
  else checkUser(user);
}

function checkUser(user: string | undefined): void {
  if (user !== undefined) throw new BackupError("USAGE", "--user needs --server, where that user logs on");
}
