import { openAppender } from "./appender.js";
import type { MailServer } from "./mail-server.js";
import { makeMessages } from "./messages.js";
import { type Account, readAccount } from "./oracle.js";

/** An account of a server of ours, for its owner and for the oracle. */
export function loginOf(server: MailServer, user = "alice") {
  const password = server.users[user] ?? "";
  return { host: "localhost", port: server.tlsPort, caFile: server.caFile, user, password };
}

export function readServer(server: MailServer, user = "alice"): Promise<Account> {
  return readAccount(loginOf(server, user));
}

/**
 * An account as people have them: nested, empty and unsubscribed folders, names that are not ASCII, all flags, keywords,
 * attachments. `separator` is the server's.
 */
export async function fillAccount(
  server: MailServer,
  { separator = "/", messages = 60, user = "alice" } = {},
): Promise<void> {
  await using appender = await openAppender(loginOf(server, user));
  const folders = ["Archive", "Archive/2023", "Archive/2024/Q1", "Entwürfe & Co", "日本語", "Empty", "Sent Items"];
  const names = folders.map((name) => name.split("/").join(separator));
  for (const name of names) await appender.createFolder(name);
  await appender.client.mailboxUnsubscribe(names[1] ?? "");
  const targets = ["INBOX", ...names.filter((name) => name !== "Empty")];
  const drafts = makeMessages({ count: messages });
  for (const [index, name] of targets.entries())
    await appender.append(
      name,
      drafts.filter((_, number) => number % targets.length === index),
    );
  await appender.append("INBOX", [
    {
      bytes: Buffer.from("Subject: all\r\n\r\nflags\r\n"),
      flags: ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Forwarded", "Junk"],
    },
    { bytes: Buffer.from("Subject: no newline at the end\r\n\r\nend") },
    { bytes: Buffer.from("Subject: 8 bit\r\n\r\n\xff\xfe\x80 \xe4\r\n", "latin1") },
    {
      bytes: Buffer.concat([
        Buffer.from("Subject: a long line\r\n\r\n"),
        Buffer.alloc(300_000, "x"),
        Buffer.from("\r\n"),
      ]),
    },
  ]);
}
