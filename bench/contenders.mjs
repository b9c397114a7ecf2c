/** What is compared: how each program is configured and started, and how to tell that its mirror is complete. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Our command line with everything but the account: `--ours` replaces it. */
export const OURS =
  "node packages/cli/bin/backup.js imap {user} {dest} imaps://localhost:{port} --srcsecret {secret} --tls-ca {ca} -q";

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} label     in the table
 * @property {boolean} mirrors  false: it keeps nothing, and has no re-run
 * @property {boolean} slow     measured once, not in every round
 * @property {(job: Job) => string[]} prepare writes its configuration and gives the command
 * @property {(job: Job, log: string) => { messages: number, bytes?: number }} count what it got; bytes where they must match
 */

/**
 * @typedef {object} Job
 * @property {string} dest   an empty directory of the contender's; its mirror and its state go there
 * @property {string} config a directory for its configuration
 * @property {import("./dovecot.mjs").Server} server
 */

/**
 * @param {{ ours: string, mixed: boolean }} options ours: our command line, with placeholders; mixed: what moves on the server is to go
 * @returns {Contender[]} in the order of a round
 */
export const contenders = ({ ours, mixed }) => [
  {
    name: "ours",
    label: "**backup**",
    mirrors: true,
    slow: false,
    prepare: ({ dest, server }) => {
      const values = { user: server.user, dest, port: server.port, secret: server.secretFile, ca: server.caFile };
      const words = ours.split(/\s+/).map((word) => word.replaceAll(/\{(\w+)\}/g, (all, key) => values[key] ?? all));
      return words[0] === "node" ? [process.execPath, ...words.slice(1)] : words;
    },
    count: ({ dest }) => countMaildir(dest, { bytes: true }),
  },
  {
    name: "mbsync",
    label: "mbsync",
    mirrors: true,
    slow: false,
    prepare: ({ dest, config, server }) => {
      const file = join(config, "mbsyncrc");
      writeFileSync(file, mbsyncrc(dest, server, mixed ? "Near" : "None"), { mode: 0o600 });
      return ["mbsync", "-q", "-c", file, "-a"];
    },
    count: ({ dest }) => countMaildir(dest),
  },
  {
    name: "raw",
    label: "raw fetch, nothing kept (the limit)",
    mirrors: false,
    slow: false,
    prepare: ({ server }) => {
      const program = fileURLToPath(new URL("raw.mjs", import.meta.url));
      return [process.execPath, program, String(server.port), server.caFile, server.user, server.secretFile];
    },
    count: (_job, log) => JSON.parse(readFileSync(`${log}.out`, "utf8")),
  },
  {
    name: "offlineimap3",
    label: "offlineimap3",
    mirrors: true,
    slow: true,
    prepare: ({ dest, config, server }) => {
      const file = join(config, "offlineimaprc");
      writeFileSync(file, offlineimaprc(dest, server), { mode: 0o600 });
      return ["offlineimap", "-o", "-u", "quiet", "-c", file];
    },
    count: ({ dest }) => countMaildir(dest),
  },
];

/**
 * Messages below a directory: files in any `cur` or `new`, whatever the nesting.
 *
 * @param {string} dir
 * @param {{ bytes?: boolean }} [options] bytes: sum up their sizes too
 */
const countMaildir = (dir, { bytes = false } = {}) => {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && ["cur", "new"].includes(basename(entry.parentPath)),
  );
  if (!bytes) return { messages: files.length };
  const sizes = files.map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  return { messages: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
};

/**
 * @param {string} dest
 * @param {import("./dovecot.mjs").Server} server
 * @param {"Near" | "None"} expunge
 */
const mbsyncrc = (dest, server, expunge) => `
IMAPStore remote
Host localhost
Port ${server.port}
User ${server.user}
PassCmd "cat ${server.secretFile}"
SSLType IMAPS
CertificateFile ${server.caFile}

MaildirStore local
Path ${dest}/
Inbox ${dest}/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Sync Pull
Create Near
Expunge ${expunge}
SyncState *
`;

/**
 * @param {string} dest
 * @param {import("./dovecot.mjs").Server} server
 */
const offlineimaprc = (dest, server) => `
[general]
metadata = ${dest}/.offlineimap
accounts = bench

[Account bench]
localrepository = local
remoterepository = remote

[Repository local]
type = Maildir
localfolders = ${dest}/mail

[Repository remote]
type = IMAP
remotehost = localhost
remoteport = ${server.port}
remoteuser = ${server.user}
remotepassfile = ${server.secretFile}
ssl = yes
sslcacertfile = ${server.caFile}
readonly = True
`;
