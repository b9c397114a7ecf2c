/** What changes between two runs: flags of thousands of messages, set straight on the server by another client. */
import { readFileSync } from "node:fs";
import { folders } from "./folders.mjs";
import { connect } from "./imap-client.mjs";

/** How many messages change: half of them in a small account. */
export const flagChanges = (messages) => Math.min(10_000, Math.floor(messages / 2));

/** Folders with a smaller share of the messages keep their flags. */
const BIG_SHARE = 0.01;
/** UIDs in one command: Dovecot takes lines of up to 64 KiB. */
const UIDS_A_COMMAND = 2000;

/**
 * Adds `\Flagged` to `flagChanges(messages)` messages that lack it, evenly spread over the big folders, calls `then`, and
 * takes it away again whatever happened.
 *
 * @template T
 * @param {{ server: import("./dovecot.mjs").Server, messages: number }} options messages: of the account
 * @param {() => Promise<T>} then
 * @returns {Promise<T>}
 * @throws when too few messages lack it
 */
export const withFlags = async ({ server, messages }, then) => {
  const chosen = await session(server, (client) => choose(client, messages));
  const store = (sign) =>
    session(server, async (client) => {
      for (const { name, uids } of chosen) {
        await client.command(`SELECT ${name}`);
        for (let at = 0; at < uids.length; at += UIDS_A_COMMAND) {
          const some = uids.slice(at, at + UIDS_A_COMMAND).join(",");
          await client.command(`UID STORE ${some} ${sign}FLAGS.SILENT (\\Flagged)`);
        }
        await client.command("UNSELECT");
      }
    });
  try {
    await store("+");
    return await then();
  } finally {
    await store("-");
  }
};

/** @returns {Promise<{ name: string, uids: string[] }[]>} name: as IMAP writes it, quoted */
const choose = async (client, messages) => {
  const big = folders(messages).filter((folder) => folder.messages >= BIG_SHARE * messages);
  const found = [];
  for (const { dir } of big) {
    const name = dir === "." ? "INBOX" : `"${dir.slice(1).replaceAll(".", "/")}"`;
    await client.command(`EXAMINE ${name}`);
    const lines = await client.command("UID SEARCH UNFLAGGED", { keep: true });
    const uids = lines.flatMap((line) => /^\* SEARCH (.+)$/.exec(line)?.[1].split(" ") ?? []);
    found.push(...uids.map((uid) => ({ name, uid })));
  }
  const take = flagChanges(messages);
  if (found.length < take) {
    throw new Error(
      `${found.length} messages lack \\Flagged, ${take} are to change: a run was ended before it took the flags away again. Delete the mailbox from the cache.`,
    );
  }
  const chosen = Array.from({ length: take }, (_, index) => found[Math.floor((index * found.length) / take)]);
  const names = [...new Set(chosen.map(({ name }) => name))];
  return names.map((name) => ({ name, uids: chosen.filter((row) => row.name === name).map(({ uid }) => uid) }));
};

/**
 * @template T
 * @param {import("./dovecot.mjs").Server} server
 * @param {(client: Awaited<ReturnType<typeof connect>>) => Promise<T>} then
 */
const session = async (server, then) => {
  const client = await connect({ ...server, ca: readFileSync(server.caFile, "utf8") });
  try {
    return await then(client);
  } finally {
    await client.logout();
  }
};
