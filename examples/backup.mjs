// A program of your own that backs up an IMAP account with the libraries; what `backup imap` does, in 60 lines.
//
//   PASSWORD_FILE=/etc/backup/alice.password node examples/backup.mjs alice@example.org /srv/backup/alice mail.example.org
//
// Arguments: the logon name, a directory, a server as `backup imap` takes it (host, host:143, imaps://host:port).
// Environment: PASSWORD_FILE, an absolute path (without it: /backup/USER.password);
//              CA_FILE, certificates (PEM) to trust besides the usual ones, if the server has one of its own.
import { readFile } from "node:fs/promises";
import { LocalStore, backup, findSecret, isBackupError } from "@backup/core";
import { ImapSource, parseServer } from "@backup/imap";

const [user, destination, server] = process.argv.slice(2);
if (!user || !destination || !server) {
  console.error("usage: node backup.mjs USER DEST SERVER");
  process.exit(2);
}

// Files that are written are for their owner alone whatever the umask; so are those that you write yourself.
process.umask(0o077);

// Ctrl-C ends the run in good order: what was copied stays, and the next run goes on from there.
const controller = new AbortController();
process.once("SIGINT", () => controller.abort());

/** What happens, while it happens: see BackupEvent. Warnings and failures are worth a mail to somebody. */
function onEvent(event) {
  if (event.type === "warning") console.error(`warning: ${event.message}`);
  if (event.type === "failed") console.error(`missing: ${event.message}`);
  if (event.type === "collection" && event.state === "compared") console.log(`${event.name}: ${event.items} messages`);
}

try {
  // A Secret cannot be printed by accident. Nothing but the login ever sees what is in it.
  const password = await findSecret({
    parameter: process.env.PASSWORD_FILE,
    option: "PASSWORD_FILE",
    partner: user,
    extensions: [".password"],
    onEvent,
  });

  // Both are closed at the end of this block, whatever happens in it. `await using` does the same in TypeScript.
  const source = new ImapSource({
    server: parseServer(server),
    login: { user, password },
    ca: process.env.CA_FILE && (await readFile(process.env.CA_FILE, "utf8")),
    // filter: { exclude: ["Spam", "Trash/**"] },
    onEvent,
  });
  const store = new LocalStore(destination);
  try {
    const report = await backup({ source, store, signal: controller.signal, onEvent });
    console.log(`${report.result}: ${report.added} new, ${report.removed} deleted, ${report.items} in all`);
    // `partial`: something is missing from the backup. Each was a `failed` event; nothing was deleted.
    process.exitCode = report.result === "done" ? 0 : 3;
  } finally {
    await source[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  }
} catch (error) {
  // Its message says what happened and what to do; its code is for programs.
  if (!isBackupError(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
