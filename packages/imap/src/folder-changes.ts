import { setTimeout as sleep } from "node:timers/promises";
import { BackupError, isBackupError, systemCode, throwIfAborted } from "@backup/core";
import type { ImapFlow } from "imapflow";
import { Bell } from "./bell.js";
import type { Folder } from "./list-folders.js";
import { notify } from "./notify.js";
import { openFolder } from "./open-folder.js";
import { formatServer } from "./server.js";
import { ImapSession, type SessionOptions } from "./session.js";
import { trust } from "./trust.js";
import { hearAnswers, hearCode } from "./unasked-answers.js";

export interface FolderChangesOptions extends SessionOptions {
  /** Connections for it, at most. */
  readonly connections: number;
  /** How often each is asked for something, milliseconds: see BEAT_MS. */
  readonly beatMs?: number | undefined;
  /** Which folders are watched; one at least. The session is the first connection. */
  readonly find: (session: ImapSession, signal: AbortSignal) => Promise<readonly Folder[]>;
}

/**
 * A connection is asked for something so often, milliseconds: an answer says that it still is one, an IDLE begins anew
 * (RFC 2177 wants that every 29 minutes), and folders without a connection of their own are looked at.
 */
const BEAT_MS = 60_000;
const TIMEOUT_MS = 60_000;

/** Of a folder that is open: deleted messages, flags. New ones are told by a count, which some servers repeat. */
const OF_FOLDER = ["EXPUNGE", "VANISHED", "FETCH"] as const;
/** By NOTIFY. */
const OF_ACCOUNT = ["STATUS", "LIST"] as const;

/**
 * Yields when it is listening, and when something changes in the folders: by NOTIFY (RFC 5465) on one connection where
 * the server has it, else by IDLE (RFC 2177), or NOOP, on a connection for each folder, and by STATUS for those that there
 * is no connection for. Ends by an error, at the latest two beats and a timeout after a connection was lost in silence.
 */
export async function* folderChanges(options: FolderChangesOptions, signal: AbortSignal): AsyncGenerator<void> {
  const { timeoutMs = TIMEOUT_MS, beatMs = Math.min(BEAT_MS, timeoutMs) } = options;
  // Between two beats the server owes us nothing. Whoever calls tries again, and knows when.
  const secureContext = trust(options.ca);
  const lasting = { ...options, secureContext, timeoutMs: beatMs + timeoutMs, reconnects: 0, patience: { totalMs: 0 } };
  const sessions: ImapSession[] = [];
  const open = (): ImapSession => {
    const session = new ImapSession(lasting);
    sessions.push(session);
    return session;
  };
  const ending = new AbortController();
  const bell = new Bell();
  const stop = (): void => bell.break(signal.reason);
  const beats: Promise<void>[] = [];
  try {
    throwIfAborted(signal);
    signal.addEventListener("abort", stop, { once: true });
    for (const ear of await openEars(options, open, bell, signal))
      beats.push(beat(ear, { beatMs, bell, signal: ending.signal }));
    bell.ring();
    for (;;) {
      await bell.heard();
      yield;
    }
  } catch (error) {
    throwIfAborted(signal);
    const problem = sessions[0]?.error(error) ?? error;
    if (!isBackupError(problem, "CONNECTION_LOST")) throw problem;
    const message = `the connection to ${formatServer(options.server)} that waits for changes was lost`;
    throw new BackupError("CONNECTION_LOST", message, { transient: true, cause: problem });
  } finally {
    signal.removeEventListener("abort", stop);
    ending.abort();
    await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
    await Promise.all(beats);
  }
}

/** A connection that listens. */
interface Ear {
  readonly session: ImapSession;
  readonly client: ImapFlow;
  /** Whether it has a folder open, and is to IDLE. */
  readonly idles: boolean;
  /** Folders that it looks at now and then. */
  readonly polled: readonly Folder[];
  /** How they are: see statesOf. */
  readonly states: string;
}

/** As soon as they are there, every change rings the bell. */
async function openEars(
  { connections, find }: FolderChangesOptions,
  open: () => ImapSession,
  bell: Bell,
  signal: AbortSignal,
): Promise<readonly Ear[]> {
  const session = open();
  const folders = await find(session, signal);
  const client = await session.client(signal);
  await session.enableChanges(client);
  hearAnswers(client, OF_ACCOUNT, bell.ring);
  if (await notify(client, folders)) {
    // RFC 5465, section 5.8: too much happens, and from then on it tells nothing.
    const message = "the server tells of no changes any more, there are too many";
    const overflow = new BackupError("PROTOCOL", message, { transient: true });
    hearCode(client, "NOTIFICATIONOVERFLOW", () => bell.break(overflow));
    return [{ session, client, idles: false, polled: [], states: "" }];
  }
  return await openFolders(folders, { session, most: connections, open, bell, signal });
}

interface OpenFolders {
  /** For the first one. */
  readonly session: ImapSession;
  readonly most: number;
  readonly open: () => ImapSession;
  readonly bell: Bell;
  readonly signal: AbortSignal;
}

/** A connection for each folder; for those that the server, or the limit, allows none, the first one has to look. */
async function openFolders(folders: readonly Folder[], given: OpenFolders): Promise<readonly Ear[]> {
  const { session, most, open, bell, signal } = given;
  const ears: Ear[] = [];
  for (const folder of folders.slice(0, most)) {
    const own = ears.length === 0 ? session : open();
    try {
      const { client } = await openFolder(own, folder, { fresh: true, signal });
      client.on("exists", bell.ring);
      hearAnswers(client, OF_FOLDER, bell.ring);
      ears.push({ session: own, client, idles: client.capabilities.has("IDLE"), polled: [], states: "" });
    } catch (error) {
      throwIfAborted(signal);
      if (own === session || !isBackupError(error)) throw error;
      own.drop();
      break;
    }
  }
  const [first, ...others] = ears;
  const polled = folders.slice(ears.length);
  if (!first || polled.length === 0) return ears;
  return [{ ...first, polled, states: await statesOf(first.client, polled) }, ...others];
}

interface Beat {
  readonly beatMs: number;
  readonly bell: Bell;
  readonly signal: AbortSignal;
}

/** Keeps a connection listening until the signal fires; what ends it breaks the bell. */
async function beat({ session, client, idles, polled, states }: Ear, { beatMs, bell, signal }: Beat): Promise<void> {
  const fail = (error: unknown): void => bell.break(session.error(error));
  const lost = (): void => bell.break(new BackupError("CONNECTION_LOST", "closed", { transient: true }));
  client.on("error", fail).on("close", lost);
  try {
    let before = states;
    while (!signal.aborted) {
      // Ends by the next command; a server that refuses it is asked by that alone.
      if (idles) client.idle().catch(fail);
      await sleep(beatMs, undefined, { signal });
      await client.noop();
      const now = await statesOf(client, polled);
      if (now !== before) bell.ring();
      before = now;
    }
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    client.off("error", fail).off("close", lost);
  }
}

/** What STATUS says of the folders, to be compared; a folder that is gone says so too. */
async function statesOf(client: ImapFlow, folders: readonly Folder[]): Promise<string> {
  const states: string[] = [];
  for (const { mailbox } of folders) {
    const query = { messages: true, uidNext: true, uidValidity: true, unseen: true, highestModseq: true };
    const status = await client.status(mailbox, query).catch((error: unknown) => {
      if (systemCode(error) === "NotFound") return false as const;
      throw error;
    });
    const { uidValidity, uidNext, messages, unseen, highestModseq } = status || {};
    states.push([uidValidity, uidNext, messages, unseen, highestModseq].join(" "));
  }
  return states.join("\n");
}
