import type { ImapFlow } from "imapflow";
import type { Folder } from "./list-folders.js";
import { toModifiedUtf7 } from "./modified-utf7.js";

/** What imapflow's types do not have. */
interface CommandSender {
  exec(command: string, attributes: readonly unknown[]): Promise<{ next(): void }>;
}

/**
 * Has the server tell of changes in these folders, and of folders that are made, renamed or deleted: by STATUS and LIST
 * that nobody asked for (NOTIFY, RFC 5465). False: it cannot, or does not want to.
 */
export async function notify(client: ImapFlow, folders: readonly Folder[]): Promise<boolean> {
  if (!client.capabilities.has("NOTIFY")) return false;
  const names = folders.flatMap(({ mailbox }) => namesOf(mailbox));
  const ofThese = [atom("MAILBOXES"), names, [atom("MessageNew"), atom("MessageExpunge"), atom("FlagChange")]];
  const ofAll = [atom("PERSONAL"), [atom("MailboxName")]];
  try {
    const answer = await (client as unknown as CommandSender).exec("NOTIFY", [atom("SET"), ofThese, ofAll]);
    answer.next();
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

interface Token {
  readonly type: "ATOM" | "STRING" | "LITERAL";
  readonly value: string | Buffer;
}

/** Dovecot 2.3 knows it by UTF-8 here, and by that alone; a name that does not exist harms nothing (RFC 5465, section 6). */
function namesOf(mailbox: string): readonly Token[] {
  const name = toModifiedUtf7(mailbox);
  const known: Token = { type: "STRING", value: name };
  return name === mailbox ? [known] : [known, { type: "LITERAL", value: Buffer.from(mailbox) }];
}

function atom(value: string): Token {
  return { type: "ATOM", value };
}

function isRefusal(error: unknown): boolean {
  const status = error instanceof Error && "responseStatus" in error ? error.responseStatus : undefined;
  return status === "NO" || status === "BAD";
}
