import type { ImapFlow } from "imapflow";
import { parser } from "imapflow/lib/handler/imap-handler.js";
import { formatMessageResponse } from "imapflow/lib/tools.js";
import { describe, expect, it } from "vitest";
import { UsualRows } from "../src/usual-row.js";

const DATE = '"02-Nov-2026 10:00:00 +0100"';

/** What imapflow makes of the same answer. */
async function byImapflow(payload: Buffer, literals: readonly Buffer[]): Promise<object> {
  const client = { enabled: new Set() } as unknown as ImapFlow;
  const parsed = await parser(payload, { literals: [...literals] });
  const mailbox = { path: "INBOX", uidValidity: 1n };
  const { seq, uid, flags, internalDate, size, emailId, source } = await formatMessageResponse(
    parsed,
    mailbox as never,
    "md5",
    client,
  );
  return { seq, uid, flags, internalDate, size, emailId, source };
}

describe("rows of the usual form", () => {
  it.each([
    [`* 1 FETCH (UID 7 FLAGS (\\Seen $Forwarded) INTERNALDATE ${DATE} RFC822.SIZE 1234)`],
    [`* 12 FETCH (FLAGS () UID 4294967295 RFC822.SIZE 0 INTERNALDATE ${DATE} EMAILID (M6d99ac3275bb4e))`],
    [`* 3 FETCH (X-GM-MSGID 1278455344230334865 UID 3 FLAGS (\\Flagged NonJunk [x]))`],
    ['* 3 FETCH (UID 3 INTERNALDATE "never" FLAGS (a))'],
    ["* 4 FETCH (FLAGS (\\Seen))"],
    ["* 5 FETCH (UID 9 BODY[] {5}\r\n)", "a\r\nb\n"],
    ["* 5 FETCH (BODY[] {0}\r\n UID 9)", ""],
  ])("are read as imapflow reads them: %s", async (line, ...literals) => {
    const payload = Buffer.from(line, "latin1");
    const buffers = literals.map((text) => Buffer.from(text));
    const row = new UsualRows().read({ payload, literals: buffers });
    expect(row).toBeDefined();
    expect({
      emailId: undefined,
      flags: undefined,
      internalDate: undefined,
      size: undefined,
      source: undefined,
      uid: undefined,
      ...row,
    }).toEqual(await byImapflow(payload, buffers));
  });

  it.each([
    ["* 1 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (12))"],
    ["* 1 FETCH (UID 0 FLAGS ())"],
    ["* 1 FETCH (UID 7 FLAGS (\\Seen)"],
    ["* 1 FETCH (UID 7 FLAGS (\\Seen)) "],
    ["* 1 FETCH (UID 7  FLAGS (\\Seen))"],
    ['* 1 FETCH (UID 7 FLAGS ("\\\\Seen"))'],
    ["* 1 FETCH (UID 7 FLAGS (\u00e9))"],
    ["* 1 FETCH (UID 7 BODY[] NIL)"],
    ['* 1 FETCH (UID 7 BODY[] "text")'],
    ["* 1 FETCH (UID 7 BODY[]<0> {1}\r\n)", "a"],
    ["* 1 FETCH (UID 7 BODY[] {1}\r\n)"],
    ["* 1 FETCH (UID 7 BODY[] {1}\r\n)", "a", "b"],
    ["* 1 FETCH ()"],
    ["* 1 EXPUNGE"],
    ["A1 OK FETCH (UID 7)"],
    [`* 1 FETCH (UID 7 FLAGS (${"a ".repeat(2000)}a))`],
  ])("are no others: %s", (line, ...literals) => {
    const buffers = literals.map((text) => Buffer.from(text));
    expect(new UsualRows().read({ payload: Buffer.from(line), literals: buffers })).toBeUndefined();
  });
});
