import { createHash } from "node:crypto";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Draft, openAppender } from "./support/appender.js";
import { makeCertificate } from "./support/certificate.js";
import { startCyrus } from "./support/cyrus.js";
import { startDovecot } from "./support/dovecot.js";
import type { MailServer } from "./support/mail-server.js";
import { makeMessages } from "./support/messages.js";
import { type OracleLogin, folderOf, readAccount } from "./support/oracle.js";
import { temporaryDirectory } from "./support/temporary-directory.js";

function login(server: MailServer, user = "alice"): OracleLogin {
  return {
    host: "localhost",
    port: server.tlsPort,
    caFile: server.caFile,
    user,
    password: server.users[user] ?? "",
  };
}

function expected(draft: Draft, uid: number | undefined): object {
  return {
    uid,
    sha256: createHash("sha256").update(draft.bytes).digest("hex"),
    size: draft.bytes.length,
    flags: [...(draft.flags ?? [])].toSorted(),
    date: (draft.date?.getTime() ?? 0) / 1000,
  };
}

describe.each([
  { name: "Dovecot", start: startDovecot },
  { name: "Cyrus", start: startCyrus },
])("$name", ({ start }) => {
  let server: MailServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.stop());

  test("the oracle reads what was appended: bytes, flags, keywords, date", async () => {
    const drafts = makeMessages({ count: 210 });
    await using appender = await openAppender(login(server));
    await appender.createFolder("Archiv/Grüße & Co");
    const uids = await appender.append("Archiv/Grüße & Co", drafts);

    const account = await readAccount(login(server));
    const folder = folderOf(account, "Archiv/Grüße & Co");
    expect(folder.delimiter).toBe("/");
    expect(folder.raw).toBe("Archiv/Gr&APwA3w-e &- Co");
    expect(folder.messages).toEqual(drafts.map((draft, index) => expected(draft, uids[index])));
    expect(folderOf(account, "INBOX").messages).toEqual([]);
  });

  test("the appender changes what is there", async () => {
    const drafts = makeMessages({ count: 4, seed: 2, maxBytes: 1000 });
    await using appender = await openAppender(login(server, "bob"));
    const [first = 0, second = 0, third = 0] = await appender.append("INBOX", drafts);
    await appender.createFolder("Old");
    await appender.setFlags("INBOX", [first], ["\\Deleted", "$Forwarded"]);
    await appender.expunge("INBOX", [second]);
    await appender.move("INBOX", [third], "Old");
    await appender.renameFolder("Old", "New");
    await appender.copy("INBOX", [first], "New");
    await appender.createFolder("Gone");
    await appender.deleteFolder("Gone");

    const account = await readAccount(login(server, "bob"));
    expect(account.folders.map(({ name }) => name).toSorted()).toEqual(["INBOX", "New", "Sent"]);
    const inbox = folderOf(account, "INBOX").messages;
    expect(inbox.map(({ uid }) => uid)).not.toContain(second);
    expect(inbox.find(({ uid }) => uid === first)?.flags).toEqual(["$Forwarded", "\\Deleted"]);
    expect(inbox).toHaveLength(2);
    expect(folderOf(account, "New").messages).toHaveLength(2);
  });
});

test("Dovecot with other users, another separator and few connections", async () => {
  const users = { carol: 'pa:ss"wörd\\ ' };
  await using server = await startDovecot({ users, separator: ".", connectionLimit: 1 });
  await using appender = await openAppender(login(server, "carol"));
  await appender.createFolder("A.B");
  const refused = { responseText: expect.stringContaining("Maximum number of connections") as string };
  await expect(openAppender(login(server, "carol"))).rejects.toMatchObject(refused);
  await appender.client.logout();
  const account = await readAccount(login(server, "carol"));
  expect(folderOf(account, "A.B").delimiter).toBe(".");
  expect(await server.log()).toContain("carol");
});

test("Dovecot serves a finished tree", async () => {
  await using directory = await temporaryDirectory();
  const [draft] = makeMessages({ count: 1 });
  const folder = join(directory.path, "Größe", "2024.01");
  for (const name of ["cur", "new", "tmp"]) {
    await mkdir(join(directory.path, "INBOX", name), { recursive: true });
    await mkdir(join(folder, name), { recursive: true });
  }
  const file = join(folder, "cur", `1.M1.host,S=${draft?.bytes.length}:2,S`);
  await writeFile(file, draft?.bytes ?? "");
  await utimes(file, 1_700_000_000, 1_700_000_000);

  await using server = await startDovecot({ tree: directory.path });
  const [message] = folderOf(await readAccount(login(server)), "Größe/2024.01").messages;
  expect(message).toMatchObject({ size: draft?.bytes.length, flags: ["\\Seen"], date: 1_700_000_000 });
});

test("a certificate that has ended is refused", async () => {
  await using server = await startDovecot({ certificate: await makeCertificate({ expired: true }) });
  await expect(readAccount(login(server))).rejects.toThrow(/certificate has expired/);
});
