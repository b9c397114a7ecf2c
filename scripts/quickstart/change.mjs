import { ImapFlow } from "imapflow";

/**
 * What a day does to an account: a message arrives, one is read, one is deleted.
 * @param {object} options
 * @param {number} options.port
 * @param {string} options.ca
 * @param {string} options.user
 * @param {string} options.password
 * @param {import("./account.mjs").Mail} options.mail  the new one
 * @returns {Promise<string[]>} what was done, for a person
 */
export async function changeAccount({ port, ca, user, password, mail }) {
  const auth = { user, pass: password };
  const client = new ImapFlow({ host: "localhost", port, secure: true, tls: { ca }, auth, logger: false });
  // Without a listener an error would end the process; the command that waits fails anyway.
  client.on("error", () => {});
  await client.connect();
  try {
    await client.append("INBOX", mail.bytes, mail.flags, mail.date);

    await client.mailboxOpen("INBOX");
    const [unread] = await client.search({ seen: false }, { uid: true });
    await client.messageFlagsAdd(String(unread), ["\\Seen"], { uid: true });

    await client.mailboxOpen("Archive/2023");
    const [oldest] = await client.search({ all: true }, { uid: true });
    await client.messageDelete(String(oldest), { uid: true });

    await client.logout();
    return [
      `a message of ${mail.bytes.byteLength} bytes arrives in INBOX`,
      `message ${unread} of INBOX is read: \\Seen`,
      `message ${oldest} of Archive/2023 is deleted`,
    ];
  } finally {
    client.close();
  }
}
