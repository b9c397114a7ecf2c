import { once } from "node:events";
import hoodiecrow from "hoodiecrow-imap";

/** Fixed: a folder that is the same has the same UIDVALIDITY. */
const UIDVALIDITY = 1_741_944_413;

/**
 * An IMAP server in this process and in memory, by TLS on a free port of 127.0.0.1.
 * @param {object} options
 * @param {string} options.user
 * @param {string} options.password
 * @param {{ cert: string, key: string }} options.certificate
 * @param {import("./account.mjs").Folder[]} options.folders
 */
export async function startServer({ user, password, certificate, folders }) {
  let sent = 0;
  const imap = hoodiecrow({
    secureConnection: true,
    // It writes an answer in pieces: with Nagle's algorithm each command takes 40 ms.
    credentials: { ...certificate, noDelay: true },
    users: { [user]: { password } },
    storage: storageOf(folders),
    plugins: ["ENABLE", "CONDSTORE", "UIDPLUS", "SPECIAL-USE", "UNSELECT", "ID", countBodies],
  });

  function countBodies(server) {
    server.outputHandlers.push((_connection, { attributes }) => {
      const values = Array.isArray(attributes?.[2]) ? attributes[2] : [];
      sent += values.filter((value) => value?.type === "LITERAL").length;
    });
  }

  const { server } = imap;
  const sockets = new Set();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  imap.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: server.address().port,
    /** Bodies of messages that it has sent since it was asked last. */
    takeSent() {
      const count = sent;
      sent = 0;
      return count;
    },
    async stop() {
      const closed = once(server, "close");
      imap.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The tree of folders as hoodiecrow takes it: INBOX beside the rest, bytes as strings of one character each. */
function storageOf(folders) {
  const root = { folders: {}, separator: "/" };
  const storage = { INBOX: {}, "": root };
  for (const { name, parent, use, mails } of folders) {
    const mailbox = {
      uidvalidity: UIDVALIDITY,
      // Else an empty folder's STATUS says NIL, which is no number.
      HIGHESTMODSEQ: 1,
      ...(parent ? { flags: ["\\Noselect"] } : {}),
      ...(use ? { "special-use": use } : {}),
      messages: mails.map(({ bytes, flags, date }) => ({
        raw: bytes.toString("latin1"),
        flags: [...flags],
        internaldate: internalDate(date),
      })),
    };
    if (name === "INBOX") {
      storage.INBOX = mailbox;
      continue;
    }
    const parts = name.split("/").map(utf7);
    const last = parts.pop();
    const above = parts.reduce((at, part) => at.folders[part], root);
    above.folders ??= {};
    above.folders[last] = mailbox;
  }
  return storage;
}

/** In UTC: hoodiecrow's own way writes a zone such as +05:30 wrongly. */
function internalDate(date) {
  const [, day, month, year, time] = date.toUTCString().split(" ");
  return `${day}-${month}-${year} ${time} +0000`;
}

/** Modified UTF-7 of RFC 3501, section 5.1.3. */
function utf7(name) {
  return name.replaceAll("&", "&-").replace(/[^\x20-\x7e]+/g, (text) => {
    const base64 = Buffer.from(text, "utf16le").swap16().toString("base64");
    return `&${base64.replaceAll("/", ",").replace(/=+$/, "")}-`;
  });
}
