import { join } from "node:path";
import { fillAccount, loginOf, readServer } from "./account.js";
import { openAppender } from "./appender.js";
import { runBackup, writeSecret } from "./command.js";
import { startDovecot } from "./dovecot.js";
import type { Account } from "./oracle.js";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.js";

/** A real backup of an account whose server is gone. */
export interface MailBackup extends AsyncDisposable {
  readonly directory: TemporaryDirectory;
  /** Its destination. */
  readonly path: string;
  /** What the server had. */
  readonly account: Account;
}

const lines = (...all: readonly string[]): Buffer => Buffer.from(`${all.join("\r\n")}\r\n`);

/** Messages that are looked for in tests, in the folder `Looking`. Their UIDs are 1, 2, …. */
export const LETTERS = [
  {
    date: new Date("2024-01-31T12:00:00Z"),
    flags: ["\\Seen", "\\Flagged"],
    bytes: lines(
      "From: =?utf-8?Q?J=C3=BCrgen_M=C3=BCller?= <juergen@example.org>",
      "To: Alice <alice@example.net>",
      "Cc: bob@example.net",
      "Date: Wed, 31 Jan 2024 13:00:00 +0100",
      "Subject: =?iso-8859-1?Q?Caf=E9_und_Gru=DF?=",
      "MIME-Version: 1.0",
      'Content-Type: multipart/mixed; boundary="x"',
      "",
      "--x",
      "Content-Type: text/plain; charset=iso-8859-1",
      "Content-Transfer-Encoding: quoted-printable",
      "",
      "Liebe Alice, der Entw=FCrf ist dabei.",
      "From here on a classic.",
      "--x",
      "Content-Type: application/pdf",
      'Content-Disposition: attachment; filename="../../etc/bill.pdf"',
      "Content-Transfer-Encoding: base64",
      "",
      Buffer.from("%PDF not really").toString("base64"),
      "--x",
      "Content-Type: application/pdf",
      'Content-Disposition: attachment; filename="bill.pdf"',
      "",
      "another",
      "--x--",
    ),
  },
  {
    date: new Date("2024-02-29T12:00:00Z"),
    flags: ["\\Answered"],
    bytes: lines(
      "From: <news@example.org>",
      "To: alice@example.net",
      "Subject: \u001b[31mred\u202e txt.exe",
      "Content-Type: text/html; charset=utf-8",
      "",
      "<p>Only <b>HTML</b> here \u001b]0;title\u0007 &amp; nothing else</p>",
    ),
  },
  {
    date: new Date("2025-03-01T00:00:00Z"),
    bytes: lines("From: Shop <shop@example.com>", "Subject: 会議の議事録", "", "plain body with a needle"),
  },
] as const;

/** Makes one from Dovecot, once for all that looks into it. */
export async function makeMailBackup(): Promise<MailBackup> {
  const server = await startDovecot();
  const directory = await temporaryDirectory();
  try {
    await fillAccount(server);
    {
      await using appender = await openAppender(loginOf(server));
      await appender.createFolder("Looking");
      await appender.append("Looking", LETTERS);
    }
    const path = join(directory.path, "mail");
    const secret = await writeSecret(directory.path, "alice.password", "secret");
    const args = ["imap", "alice", path, `imaps://localhost:${server.tlsPort}`, "--srcsecret", secret];
    const result = await runBackup([...args, "--tls-ca", server.caFile]);
    if (result.code !== 0) throw new Error(`no backup: ${result.stderr}${result.stdout}`);
    const account = await readServer(server);
    return { directory, path, account, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  } finally {
    await server.stop();
  }
}
