import { BackupError, type Path, type Store, contentOf, isBackupError, throwIfAborted } from "@backup/core";
import type { ImapFlow, MailboxObject } from "imapflow";
import { HEAD, addHeads, fetchMessageIds } from "./fetch-heads.js";
import { type Row, fetchRows } from "./fetch-rows.js";
import type { Folder } from "./list-folders.js";
import { openFolder } from "./open-folder.js";
import {
  type Likeness,
  type Match,
  type PresentMessage,
  alikeOnes,
  indistinctOnes,
  isAlike,
  likelyOnes,
  matchExactly,
  messageIdIn,
} from "./restore-match.js";
import type { StoredMessage } from "./restore-messages.js";
import type { ImapSession } from "./session.js";

export interface CompareOptions {
  readonly store: Store;
  /** The folder is opened for writing: the server tells which flags it takes. */
  readonly write: boolean;
  readonly signal: AbortSignal;
}

export interface Comparison {
  readonly missing: readonly StoredMessage[];
  /** Whether the folder keeps this keyword. */
  readonly takes: (keyword: string) => boolean;
}

/** Times that a folder is compared when answers fail. */
const ATTEMPTS = 3;

/**
 * Which messages of a backup a folder of the target has not. One is there if size, INTERNALDATE and first bytes are equal,
 * or else by what `isAlike` says; each that is there counts for one.
 * @throws BackupError COLLECTION_UNAVAILABLE, or what concerns the server
 */
export async function compareFolder(
  session: ImapSession,
  folder: Folder,
  messages: readonly StoredMessage[],
  options: CompareOptions,
): Promise<Comparison> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await compareOnce(session, folder, messages, options);
    } catch (error) {
      throwIfAborted(options.signal);
      const problem = session.error(error);
      if ((isBackupError(error) && error.code !== "PROTOCOL") || !problem.transient) throw problem;
      session.drop();
      if (attempt < ATTEMPTS) continue;
      const message = `folder ${folder.name} cannot be compared: ${problem.message}`;
      throw new BackupError("COLLECTION_UNAVAILABLE", message, { transient: true, cause: problem });
    }
  }
}

async function compareOnce(
  session: ImapSession,
  folder: Folder,
  messages: readonly StoredMessage[],
  { store, write, signal }: CompareOptions,
): Promise<Comparison> {
  const { client, mailbox } = await openFolder(session, folder, { fresh: true, write, signal });
  const takes = keywordTest(mailbox);
  const rows = await fetchRows({ session, folder, client, exists: mailbox.exists, expected: [] });
  const present = [...rows.values()].map(presentMessage);
  const likely = likelyOnes(messages, present);
  const there = await headsThere(client, likely.present);
  const marks = { here: await headsHere(store, likely.messages, signal), there };
  const indistinct = indistinctOnes(likely.messages, likely.present, marks);
  for (const { file, digest } of indistinct.messages) marks.here.set(file.path, Buffer.from(digest));
  await addDigests(client, indistinct.present, there);
  const exact = matchExactly(messages, present, marks);
  const { missing } = await matchAlike(exact, { client, store, signal });
  if (write && mailbox.readOnly && missing.length > 0)
    throw new BackupError(
      "COLLECTION_UNAVAILABLE",
      `folder ${folder.name} is read-only at the server; give the account the right to write to it`,
    );
  return { missing, takes };
}

/** PERMANENTFLAGS (RFC 9051, section 7.1): `\*` takes any; a server that does not tell takes any too. */
function keywordTest({ permanentFlags, readOnly }: MailboxObject): (keyword: string) => boolean {
  if (readOnly || !permanentFlags || permanentFlags.has("\\*")) return () => true;
  const known = new Set(Array.from(permanentFlags, (flag) => flag.toLowerCase()));
  return (keyword) => known.has(keyword.toLowerCase());
}

/** One that nothing is known of might be any, and would be there twice. */
function presentMessage({ uid, size, internalDate }: Row): PresentMessage {
  const seconds = Math.floor(new Date(internalDate ?? Number.NaN).getTime() / 1000);
  if (size === undefined || Number.isNaN(seconds)) throw notTold(uid);
  return { uid, size, seconds };
}

function notTold(uid: number): BackupError {
  return new BackupError("PROTOCOL", `the server does not tell of message UID ${uid}`, { transient: true });
}

/** A message that nobody can look at might be there, and would be there twice: so this fails where one is missing. */
async function headsThere(client: ImapFlow, present: readonly PresentMessage[]): Promise<Map<number, Buffer>> {
  const heads = new Map<number, Buffer>();
  const uids = present.map(({ uid }) => uid);
  await addHeads(client, uids, heads);
  const uid = uids.find((each) => !heads.has(each));
  if (uid !== undefined) throw notTold(uid);
  return heads;
}

/** Of whole messages: there are few. */
async function addDigests(
  client: ImapFlow,
  present: readonly PresentMessage[],
  marks: Map<number, Buffer>,
): Promise<void> {
  for (const { uid } of present) {
    const row = await client.fetchOne(String(uid), { uid: true, source: true }, { uid: true });
    if (!row || !Buffer.isBuffer(row.source)) throw notTold(uid);
    marks.set(uid, Buffer.from(contentOf(row.source).digest));
  }
}

/** Of files that the store reads only as a whole, the beginning of that. */
async function headsHere(
  store: Store,
  messages: readonly StoredMessage[],
  signal: AbortSignal,
): Promise<Map<Path, Uint8Array>> {
  const files = messages.map(({ file }) => file);
  const heads = new Map(
    await store.heads(
      files.map(({ path }) => path),
      HEAD,
      signal,
    ),
  );
  for await (const content of store.contents(
    files.filter(({ path }) => !heads.has(path)),
    signal,
  ))
    if ("bytes" in content) heads.set(content.path, Buffer.from(content.bytes.subarray(0, HEAD)));
  return heads;
}

/** What is left, held against what is left. */
async function matchAlike(
  { missing, others }: Match,
  { client, store, signal }: { readonly client: ImapFlow; readonly store: Store; readonly signal: AbortSignal },
): Promise<Pick<Match, "missing">> {
  const candidates = new Map(
    alikeOnes(missing, others, Date.now() / 1000).map((each) => [each.message.file.path, each]),
  );
  if (candidates.size === 0) return { missing };
  const there = await likenessesThere(client, [...new Set([...candidates.values()].flatMap(({ alike }) => alike))]);
  const found = new Set<StoredMessage>();
  const files = [...candidates.values()].map(({ message }) => message.file);
  for await (const content of store.contents(files, signal)) {
    const candidate = candidates.get(content.path);
    if (!candidate || "error" in content) continue;
    const here = likenessOf(Buffer.from(content.bytes));
    const uid = candidate.alike
      .map((one) => one.uid)
      .find((each) => {
        const likeness = there.get(each);
        return likeness !== undefined && isAlike(here, likeness);
      });
    if (uid === undefined) continue;
    there.delete(uid);
    found.add(candidate.message);
  }
  return { missing: missing.filter((message) => !found.has(message)) };
}

async function likenessesThere(client: ImapFlow, present: readonly PresentMessage[]): Promise<Map<number, Likeness>> {
  const heads = await headsThere(client, present);
  const fields = await fetchMessageIds(client, [...heads.keys()]);
  const none = Buffer.alloc(0);
  return new Map(
    present.map(({ uid, size }) => {
      return [uid, { size, head: heads.get(uid) ?? none, messageId: messageIdIn(fields.get(uid) ?? none) }];
    }),
  );
}

function likenessOf(bytes: Buffer): Likeness {
  const text = bytes.toString("latin1").replace(/\r?\n/g, "\r\n");
  return { size: text.length, head: Buffer.from(text.slice(0, HEAD), "latin1"), messageId: messageIdIn(bytes) };
}
