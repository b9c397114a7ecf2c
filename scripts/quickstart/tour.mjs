import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ROOT } from "../support/run.mjs";
import { PASSWORD, USER, makeAccount, makeNewMail } from "./account.mjs";
import { makeCertificate } from "./certificate.mjs";
import { changeAccount } from "./change.mjs";
import { commandLine, runBackup } from "./command.mjs";
import { differences, prepareDestination, readTree } from "./destination.mjs";
import { startServer } from "./server.mjs";

/**
 * Three backups of an account made up for it. Writes the destination and a temporary directory, which it removes.
 * @param {string} destination  relative to the project's directory
 */
export async function tour(destination) {
  await prepareDestination(resolve(ROOT, destination));
  const interrupt = new AbortController();
  const stop = (name) => interrupt.abort(new Error(`stopped by ${name}`));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const work = await mkdtemp(resolve(tmpdir(), "backup-quickstart-"));
  try {
    await withServer(work, (server) => threeBackups({ server, work, destination, signal: interrupt.signal }));
  } finally {
    await rm(work, { recursive: true, force: true });
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
  sayWhatNext(destination);
}

/** Writes `ca.pem` and `password` into `work`, and runs the server while `task` does. */
async function withServer(work, task) {
  const certificate = await makeCertificate();
  await writeFile(join(work, "ca.pem"), certificate.cert);
  await writeFile(join(work, "password"), `${PASSWORD}\n`, { mode: 0o600 });
  const folders = makeAccount();
  const server = await startServer({ user: USER, password: PASSWORD, certificate, folders });
  try {
    say("A mail account to play with");
    const messages = folders.reduce((sum, { mails }) => sum + mails.length, 0);
    const count = folders.filter(({ parent }) => !parent).length;
    console.log(`IMAP server in memory: imaps://localhost:${server.port}, ${messages} messages in ${count} folders`);
    await task({ ...server, ca: certificate.cert });
  } finally {
    await server.stop();
  }
}

async function threeBackups({ server, work, destination, signal }) {
  const { port, ca, takeSent } = server;
  const target = resolve(ROOT, destination);
  const files = ["--srcsecret", join(work, "password"), "--tls-ca", join(work, "ca.pem")];
  const args = ["imap", USER, destination, `imaps://localhost:${port}`, ...files];
  const backup = async () => {
    await runBackup(args, signal);
    console.log(`(bodies of messages that the server sent: ${takeSent()})`);
  };

  say("First backup: everything");
  await backup();
  const first = await readTree(target);
  showTree(destination, first);

  say("Something happens on the server");
  for (const line of await changeAccount({ port, ca, user: USER, password: PASSWORD, mail: makeNewMail() }))
    console.log(`- ${line}`);

  say("Second backup, by the same command: only the change travels");
  await backup();
  for (const line of differences(first, await readTree(target))) console.log(`  ${line}`);

  say("Third backup: nothing to do");
  await backup();
}

/** The folders, and the first and last file of INBOX. */
function showTree(destination, tree) {
  console.log(`\n${destination} holds a Maildir for each folder:`);
  for (const [folder, names] of tree)
    console.log(
      `  ${folder.padEnd(20)} ${String(names.length).padStart(3)} ${names.length === 1 ? "message" : "messages"}`,
    );
  console.log("A message is a file, byte for byte; its flags stand at the end of its name:");
  const names = tree.get("INBOX");
  for (const name of [names.at(0), names.at(-1)]) console.log(`  INBOX/cur/${name}`);
}

function sayWhatNext(destination) {
  say("Next: your own account");
  console.log("Write its password into a file that only you can read (chmod 600), then:");
  const args = ["imap", "you@example.com", "./mail", "imap.example.com", "--srcsecret", "/home/you/mail.password"];
  console.log(`$ ${commandLine(args)}`);
  console.log("Run it again whenever you like, from cron say; --dry-run shows first what it would do.");
  console.log(`The example stays in ${destination}: look around (mutt -f ${destination}/INBOX), delete it when done.`);
}

function say(heading) {
  console.log(`\n== ${heading}`);
}
