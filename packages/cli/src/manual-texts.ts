/** What the manual page says besides the descriptions of commands. */
export const DESCRIPTION: readonly string[] = [
  "backup reads an account and keeps an exact copy of it in a directory: every folder, every message byte for byte, with flags, keywords and dates. The first run copies everything, each further run only what changed. What it leaves behind are plain files, a Maildir tree that other programs open without this one.",
  "The server is opened read-only. Killed at any moment, the next run goes on from there. More than half of a folder, or of the account, of 100 messages or more is not deleted without --allow-deletes.",
  "Secrets are read from files, and never printed, logged or passed on.",
];

export interface FileText {
  readonly path: string;
  readonly text: string;
}

export const FILES: readonly FileText[] = [
  {
    path: "/backup/USER.oauth2",
    text: "OAuth2 login of that account, as backup login imap writes it; before its password.",
  },
  { path: "/backup/USER.password", text: "Password of that account, where --srcsecret names no other file." },
  { path: "/backup/HOST.id_ed25519", text: "Key for a destination on that host; id_rsa and id_ecdsa likewise." },
  { path: "/backup/HOST.passphrase", text: "Passphrase of that key." },
  {
    path: "/backup/known_hosts",
    text: "Keys of hosts, pinned at the first contact. Without /backup: ~/.ssh/known_hosts.",
  },
  { path: "/backup/backup", text: "Script that backup run runs when it is given no other." },
  { path: "/backup/plan.yaml", text: "Plan that is run where there is no such script." },
  {
    path: "DEST/.backup/",
    text: "Whose the destination is, who writes to it, what the last run saw, its report, and temporary files.",
  },
];

/** Macros of mdoc(7). */
export const SEE_ALSO: readonly string[] = [".Xr rsync 1 ,", ".Xr ssh 1 ,", ".Xr crontab 5 ,", ".Xr maildir 5"];
