import { type BackupEvent, type Store, ahead, isBackupError, throwIfAborted } from "@backup/core";
import { type Header, missingWords, parseMail } from "@backup/mail";
import { describeError } from "../result.js";
import { oneAtATime } from "./one-at-a-time.js";
import type { Query } from "./query.js";
import { readHeader, readWhole, withHeaders } from "./read-message.js";
import type { OpenMail } from "./open-mail.js";
import { type StoredMessage, labelOf } from "./stored-message.js";

/** A message that was looked for. */
export interface Found {
  readonly message: StoredMessage;
  readonly header: Header;
}

export interface Search {
  readonly query: Query;
  readonly store: Store;
  readonly signal: AbortSignal;
  /** A message that could not be looked at. */
  readonly onFailure: (message: StoredMessage, error: Error) => void;
}

/** Messages that are read and taken apart at the same time. */
const LANES = 8;
/** Bytes; bigger ones are one at a time, since each is in memory as a whole. */
const BIG = 8 * 1024 * 1024;

/** The messages whose files' names say what is asked for, by folder. */
export async function* namedSo(mail: OpenMail, { folders, facts }: Query): AsyncGenerator<readonly StoredMessage[]> {
  const wanted = ({ name }: { readonly name: string }): boolean => folders.every((matches) => matches(name));
  for await (const messages of mail.messages(wanted))
    yield messages.filter((message) => facts.every((matches) => matches(message)));
}

/** Those of the messages that are as the rest of the query says, in their order. */
export async function* search(messages: Iterable<StoredMessage>, given: Search): AsyncGenerator<Found> {
  const { store, signal, onFailure } = given;
  const alone = oneAtATime();
  const examined = ahead(withHeaders(messages, store, signal), LANES, async ({ message, header }) => {
    const work = () => examine(message, header, given);
    try {
      return await (message.size > BIG ? alone(work) : work());
    } catch (error) {
      if (!(error instanceof Error) || !isOfOneFile(error)) throw error;
      return error;
    }
  });
  for await (const { item, result } of examined) {
    throwIfAborted(signal);
    if (result instanceof Error) onFailure(item.message, result);
    else if (result) yield { message: item.message, header: result };
  }
}

/** An error that costs one message, and not the others. */
function isOfOneFile(error: Error): boolean {
  return (["NOT_FOUND", "ITEM_UNREADABLE", "DESTINATION_UNWRITABLE"] as const).some((code) =>
    isBackupError(error, code),
  );
}

/** What is said of it. */
export function failureOf(message: StoredMessage, error: Error): BackupEvent {
  const { folder: collection, id: item } = message;
  const { code, message: reason } = describeError(error);
  return { type: "failed", collection, item, code, message: `${labelOf(message)} cannot be read: ${reason}` };
}

/** What is said of a message whose bytes are not those that its name promises. */
export function damageOf(message: StoredMessage): BackupEvent {
  const { folder: collection, id: item, path } = message;
  const text = `${labelOf(message)} is damaged: the bytes of ${path} are not those that were stored`;
  return { type: "failed", collection, item, code: "ITEM_UNREADABLE", message: text };
}

/** The header of a message that is looked for; undefined: it is not. What costs more comes last. */
async function examine(message: StoredMessage, head: Header | undefined, given: Search): Promise<Header | undefined> {
  const { query, store, signal } = given;
  const header = head ?? (await readHeader(store, message, signal));
  if (!query.fields.every((matches) => matches(header))) return undefined;
  const fields = query.words.length > 0 ? header.fields().map(({ name, value }) => `${name}: ${value}`) : [];
  const words = missingWords(fields.join("\n"), query.words);
  if (words.length === 0 && !query.attachment) return header;
  const { text, attachments } = await parseMail((await readWhole(store, message, signal)).bytes);
  if (query.attachment && attachments.length === 0) return undefined;
  return missingWords(text, words).length === 0 ? header : undefined;
}
