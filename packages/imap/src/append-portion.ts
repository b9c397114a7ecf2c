import { BackupError, type EventSink, type FileContent, type Store, contentOf, throwIfAborted } from "@backup/core";
import { formatFlag } from "imapflow/lib/tools.js";
import { type Appended, appendMessages, appendPipelined, largestOf, waysOf } from "./append-command.js";
import { refusalOf } from "./append-refusal.js";
import type { StoredMessage } from "./restore-messages.js";
import { type Portion, isFull } from "./restore-portions.js";
import type { ImapSession } from "./session.js";

/** What became of messages. */
export interface AppendLog {
  restored(messages: readonly StoredMessage[]): void;
  /** It is left out, and the others go on. */
  failed(message: StoredMessage, error: BackupError): void;
  /** Sent, and not answered one by one: they may be there. */
  uncertain(messages: readonly StoredMessage[]): void;
}

export interface AppendOptions {
  readonly store: Store;
  readonly log: AppendLog;
  /** It was lost with a connection before: so it is sent alone. */
  readonly isSuspect: (message: StoredMessage) => boolean;
  /** Nothing more is begun. */
  readonly isStopped: () => boolean;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal;
}

interface Loaded extends Appended {
  readonly message: StoredMessage;
  readonly size: number;
}

/**
 * Appends messages of one folder, in their order. Ends early where `isStopped` says so.
 * @throws BackupError OVER_QUOTA, COLLECTION_UNAVAILABLE where the server takes none, CONNECTION_LOST; those of the store
 */
export async function appendPortion(
  session: ImapSession,
  { destination: { stored, folder }, takes, messages }: Portion,
  { store, log, isSuspect, isStopped, onEvent, signal }: AppendOptions,
): Promise<void> {
  const client = await session.client(signal);
  const largest = largestOf(client) ?? Number.POSITIVE_INFINITY;
  for (const message of messages)
    if (message.size > largest) log.failed(message, tooLarge(stored.name, message, largest));
  const fitting = messages.filter(({ size }) => size <= largest);
  const files = new Map(fitting.map((message) => [message.file.path, message]));
  const most = waysOf(client) ? Number.POSITIVE_INFINITY : 1;
  const dropped = new Set<string>();
  let batch: Loaded[] = [];
  const send = async (): Promise<void> => {
    const full = batch;
    batch = [];
    if (full.length > 0) await appendBatch(session, { name: stored.name, mailbox: folder.mailbox, log, signal }, full);
  };
  for await (const content of store.contents(
    fitting.map(({ file }) => file),
    signal,
  )) {
    if (isStopped()) break;
    const message = files.get(content.path);
    if (!message) continue;
    const loaded = load(message, content, { name: stored.name, takes, dropped });
    if (loaded instanceof BackupError) {
      log.failed(message, loaded);
      continue;
    }
    const isAlone = isSuspect(message);
    if (isAlone || batch.length >= most || isFull(batch, loaded)) await send();
    if (isStopped()) break;
    batch.push(loaded);
    if (isAlone) await send();
  }
  if (!isStopped()) await send();
  if (dropped.size > 0) {
    const message = `folder ${stored.name}: the server does not keep the keywords ${[...dropped].join(", ")}; messages are restored without them`;
    onEvent({ type: "warning", code: "KEYWORDS_DROPPED", message });
  }
}

function tooLarge(name: string, { file, size }: StoredMessage, largest: number): BackupError {
  const message = `folder ${name}: ${file.path} has ${size} bytes, and the server takes no message of more than ${largest}; it is left out`;
  return new BackupError("ITEM_REFUSED", message);
}

/** A file as it is to be sent; not where its bytes are not those that its name says. */
function load(
  message: StoredMessage,
  content: FileContent,
  { name, takes, dropped }: Pick<Portion, "takes"> & { readonly name: string; readonly dropped: Set<string> },
): Loaded | BackupError {
  if ("error" in content)
    return new BackupError(content.error.code, `folder ${name}: ${content.error.message}`, { cause: content.error });
  const bytes = Buffer.from(content.bytes.buffer, content.bytes.byteOffset, content.bytes.byteLength);
  const { digest, size } = contentOf(bytes);
  if (digest !== message.digest || size !== message.size)
    return new BackupError(
      "ITEM_UNREADABLE",
      `folder ${name}: ${content.path} is damaged: its bytes are not those that its name says; it is left out. ` +
        "If its account still has the message, remove the file and back up again",
    );
  // A literal of no bytes takes the whole command back (RFC 3502, section 6.3.11).
  if (size === 0)
    return new BackupError(
      "ITEM_REFUSED",
      `folder ${name}: ${content.path} is empty, and IMAP stores no empty message`,
    );
  const keywords = keywordsFor(message, takes);
  for (const keyword of keywords.dropped) dropped.add(keyword);
  return { message, size, bytes, seconds: message.seconds, flags: [...message.flags, ...keywords.taken] };
}

/** Keywords of a message that a folder takes, and that a command can name, and the others. */
export function keywordsFor(
  { keywords }: Pick<StoredMessage, "keywords">,
  takes: Portion["takes"],
): { readonly taken: readonly string[]; readonly dropped: readonly string[] } {
  const isTaken = (keyword: string): boolean => takes(keyword) && formatFlag(keyword) === keyword;
  return { taken: keywords.filter(isTaken), dropped: keywords.filter((keyword) => !isTaken(keyword)) };
}

interface Appending {
  readonly name: string;
  readonly mailbox: string;
  readonly log: AppendLog;
  readonly signal: AbortSignal;
}

/** One command; where one message of it is refused, and so all are, in halves, down to that message. */
async function appendBatch(session: ImapSession, appending: Appending, batch: readonly Loaded[]): Promise<void> {
  const { name, mailbox, log, signal } = appending;
  throwIfAborted(signal);
  const client = await session.client(signal);
  const messages = batch.map(({ message }) => message);
  try {
    if (batch.length === 1 || waysOf(client) === "command") await appendMessages(client, mailbox, batch);
    // Some are there now: whoever compares the folder sees which.
    else if (!(await appendPipelined(client, mailbox, batch))) return log.uncertain(messages);
    return log.restored(messages);
  } catch (error) {
    const refused = client.usable ? refusalOf(error) : undefined;
    if (!refused) {
      log.uncertain(messages);
      session.drop();
      throwIfAborted(signal);
      throw session.error(error);
    }
    const said = session.said((error as { readonly responseText?: unknown }).responseText);
    if (refused === "account")
      throw new BackupError(
        "OVER_QUOTA",
        `the account is full: the server takes no more (${said}). What was restored stays; make room there and run again`,
      );
    if (refused === "folder")
      throw new BackupError("COLLECTION_UNAVAILABLE", `folder ${name}: the server takes no messages (${said})`);
    const [only] = batch;
    if (only && batch.length === 1) {
      const message = `folder ${name}: the server refuses ${only.message.file.path} (${said}); it is left out`;
      return log.failed(only.message, new BackupError("ITEM_REFUSED", message));
    }
  }
  const half = Math.ceil(batch.length / 2);
  await appendBatch(session, appending, batch.slice(0, half));
  await appendBatch(session, appending, batch.slice(half));
}
