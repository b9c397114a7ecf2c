import type { ImapFlow } from "imapflow";
import { fetchUsual, partOf } from "./fetch-usual.js";
import type { Folder } from "./list-folders.js";
import type { MessageItem } from "./mail-item.js";
import { isOpenAs, openBefore } from "./open-folder.js";
import { sendAtOnce } from "./pipeline.js";
import type { PartReader } from "./read-in-parts.js";
import type { ImapSession } from "./session.js";

interface Reading {
  readonly session: ImapSession;
  readonly folder: Folder;
  readonly signal: AbortSignal;
}

/** A part that the server was asked for. */
interface Asked {
  readonly client: ImapFlow;
  readonly start: number;
  /** Undefined: it did not come as it should. */
  readonly part: Promise<Buffer | undefined>;
}

/** Connections to servers that send whole messages instead. */
const wholeOnly = new WeakSet<ImapFlow>();

/**
 * Reads the parts of a message, the next one asked for before one has come: so the server never waits for us. What does
 * not come as it should, for whatever reason, is left to the other reader.
 */
export function partsAhead({ session, folder, signal }: Reading, item: MessageItem, careful: PartReader): PartReader {
  let ahead: Asked | undefined;
  let opened: ImapFlow | undefined;
  const ask = (client: ImapFlow, start: number, length: number): Asked => {
    const isOpen = opened === client || isOpenAs(client, folder, item);
    opened = client;
    return { client, start, part: sendFor(client, { folder, item, isOpen, start, length }) };
  };
  return async (start, length) => {
    const client = await session.client(signal);
    if (wholeOnly.has(client)) return await careful(start, length);
    const isAsked = ahead?.client === client && ahead.start === start;
    const { part } = isAsked && ahead ? ahead : ask(client, start, length);
    const next = start + length;
    ahead = next < item.size ? ask(client, next, length) : undefined;
    return (await part) ?? (await careful(start, length));
  };
}

interface PartQuery {
  readonly folder: Folder;
  readonly item: MessageItem;
  readonly isOpen: boolean;
  readonly start: number;
  readonly length: number;
}

/** Sends what it takes to have a part. */
async function sendFor(
  client: ImapFlow,
  { folder, item, isOpen, start, length }: PartQuery,
): Promise<Buffer | undefined> {
  let found: Buffer | undefined;
  try {
    await sendAtOnce(client, () => {
      if (!isOpen) openBefore(client, folder);
      return fetchUsual(client, String(item.uid), partOf(start, length), ({ uid, source, origin }) => {
        if (uid !== item.uid || !source || !isOpenAs(client, folder, item)) return undefined;
        if (origin === undefined) wholeOnly.add(client);
        // The whole is what a PartReader may give for the first part.
        if (origin === undefined && start === 0) found ??= source;
        else if (origin === start) found ??= source.length > length ? Buffer.from(source.subarray(0, length)) : source;
        return undefined;
      });
    });
    return found;
  } catch {
    // Whoever asks again is told.
    return undefined;
  }
}
