/** What an ordinary day does to an account: mail arrives, is read, is filed. Made on the server by another client. */
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { connect } from "./imap-client.mjs";

/** Messages of each kind of change: half of INBOX at most. */
export const changesOf = (messages) => Math.min(100, Math.floor(messages / 20));

const WORDS = "Meeting tomorrow at ten in the usual room, please bring the figures of last month. ".repeat(60);

/** A copy of a mailbox that may be changed. Files are linked: whoever serves it renames them and never writes to one. */
export const copyMailbox = (from, to) => {
  execFileSync("cp", ["-al", from, to]);
  // These are written in place.
  const own = ["-name", "dovecot*", "-type", "f"];
  execFileSync("find", [to, ...own, "-exec", "sh", "-c", 'cp -p "$1" "$1.own" && mv "$1.own" "$1"', "_", "{}", ";"]);
};

/**
 * New messages in INBOX, others of INBOX marked as read or unread, and others moved from INBOX to Trash.
 *
 * @param {import("./dovecot.mjs").Server} server
 * @param {{ messages: number, round: string }} options messages: of the account; round: makes the new messages unlike any others
 * @returns {Promise<{ messages: number, bytes: number }>} what the account has more than before
 */
export const changeMailbox = async (server, { messages, round }) => {
  const count = changesOf(messages);
  const client = await connect({ ...server, ca: readFileSync(server.caFile, "utf8") });
  try {
    await client.command("SELECT INBOX");
    const lines = await client.command("UID SEARCH ALL", { keep: true });
    const uids = lines.flatMap((line) => /^\* SEARCH (.+)$/.exec(line)?.[1].split(" ") ?? []);
    const every = Math.floor(uids.length / (2 * count));
    const chosen = Array.from({ length: 2 * count }, (_, index) => uids[index * every]);
    const flagged = chosen.filter((_, index) => index % 2 === 0);
    const moved = chosen.filter((_, index) => index % 2 === 1);
    const unseen = await client.command(`UID SEARCH UID ${flagged.join(",")} UNFLAGGED`, { keep: true });
    const toSet = unseen.flatMap((line) => /^\* SEARCH (.+)$/.exec(line)?.[1].split(" ") ?? []);
    const toClear = flagged.filter((uid) => !toSet.includes(uid));
    if (toSet.length > 0) await client.command(`UID STORE ${toSet.join(",")} +FLAGS.SILENT (\\Flagged)`);
    if (toClear.length > 0) await client.command(`UID STORE ${toClear.join(",")} -FLAGS.SILENT (\\Flagged)`);
    await client.command(`UID MOVE ${moved.join(",")} Trash`);
    const fresh = Array.from({ length: count }, (_, index) => newMessage(`${round}-${index}`));
    await client.command(`APPEND INBOX ${fresh.map((text) => `{${text.length}+}\r\n${text}`).join(" ")}`);
    return { messages: count, bytes: fresh.reduce((sum, text) => sum + text.length, 0) };
  } finally {
    await client.logout();
  }
};

/**
 * Takes `\\Deleted` from every message: what has it, a mirror that is told to expunge does not keep.
 *
 * @param {import("./dovecot.mjs").Server} server
 */
export const undelete = async (server) => {
  const client = await connect({ ...server, ca: readFileSync(server.caFile, "utf8") });
  try {
    for (const folder of await client.folders()) {
      await client.command(`SELECT ${folder}`);
      await client.command("STORE 1:* -FLAGS.SILENT (\\Deleted)").catch(emptyFolder);
    }
  } finally {
    await client.logout();
  }
};

/** @param {Error} error */
const emptyFolder = (error) => {
  if (!/Invalid messageset|No messages/i.test(error.message)) throw error;
};

/** @param {string} id */
const newMessage = (id) =>
  [
    "From: Bob <bob@example.org>",
    "To: Alice <alice@example.org>",
    `Subject: News ${id}`,
    `Message-ID: <${id}@bench.example.org>`,
    "Date: Mon, 02 Nov 2026 10:00:00 +0000",
    "",
    `${id} ${WORDS}`,
    "",
  ].join("\r\n");
