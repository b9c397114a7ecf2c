import type { Path } from "@backup/core";
import type { StoredMessage } from "./restore-messages.js";

/** A message that the target has. */
export interface PresentMessage {
  readonly uid: number;
  /** Bytes. */
  readonly size: number;
  /** INTERNALDATE, seconds since 1970. */
  readonly seconds: number;
}

/** First bytes, and what else is known of a message's content. */
export interface Likeness {
  readonly head: Uint8Array;
  /** Bytes, with every line ended by CRLF: what a server makes of bare line feeds. */
  readonly size: number;
  readonly messageId: string | undefined;
}

export interface Match {
  /** Those that the target has not. */
  readonly missing: readonly StoredMessage[];
  /** Those of the target that none was found to be. */
  readonly others: readonly PresentMessage[];
}

/** Present messages that some stored one may be: of its size and time. */
export function likelyOnes(
  messages: readonly StoredMessage[],
  present: readonly PresentMessage[],
): { readonly messages: readonly StoredMessage[]; readonly present: readonly PresentMessage[] } {
  const here = new Set(messages.map(keyOf));
  const there = new Set(present.map(keyOf));
  return {
    messages: messages.filter((one) => there.has(keyOf(one))),
    present: present.filter((one) => here.has(keyOf(one))),
  };
}

/** What is compared of messages: their first bytes, or their digests where those do not tell them apart. */
export interface Marks {
  /** By path. */
  readonly here: Map<Path, Uint8Array>;
  /** By UID. */
  readonly there: Map<number, Uint8Array>;
}

/** Stored messages of the same size, time and first bytes that are not the same, and present ones that look like them. */
export function indistinctOnes(
  messages: readonly StoredMessage[],
  present: readonly PresentMessage[],
  { here, there }: Marks,
): { readonly messages: readonly StoredMessage[]; readonly present: readonly PresentMessage[] } {
  const looks = (message: StoredMessage): string => lookOf(message, here.get(message.file.path));
  const digests = new Map<string, Set<string>>();
  for (const message of messages) {
    const look = looks(message);
    digests.set(look, (digests.get(look) ?? new Set()).add(message.digest));
  }
  const isIndistinct = (look: string): boolean => (digests.get(look)?.size ?? 0) > 1;
  return {
    messages: messages.filter((message) => isIndistinct(looks(message))),
    present: present.filter((one) => isIndistinct(lookOf(one, there.get(one.uid)))),
  };
}

/** Finds each stored message among those of its size and time, by its mark. One that is there twice is two. */
export function matchExactly(
  messages: readonly StoredMessage[],
  present: readonly PresentMessage[],
  { here, there }: Marks,
): Match {
  const pool = new Map<string, PresentMessage[]>();
  for (const one of present) add(pool, lookOf(one, there.get(one.uid)), one);
  const missing = messages.filter((message) => {
    const mark = here.get(message.file.path);
    return !mark || !pool.get(lookOf(message, mark))?.shift();
  });
  const left = new Set([...pool.values()].flat());
  return { missing, others: present.filter((one) => left.has(one)) };
}

/**
 * Stored messages, and present ones that they may be although the server has another size or time for them: it made CRLF
 * of line feeds, it wrote the header anew, or it keeps no time of the future.
 */
export function alikeOnes(
  messages: readonly StoredMessage[],
  others: readonly PresentMessage[],
  nowSeconds: number,
): readonly { readonly message: StoredMessage; readonly alike: readonly PresentMessage[] }[] {
  const byTime = new Map<string, PresentMessage[]>();
  const bySize = new Map<string, PresentMessage[]>();
  for (const one of others) {
    add(byTime, String(one.seconds), one);
    add(bySize, String(one.size), one);
  }
  return messages.flatMap((message) => {
    const sized = message.seconds > nowSeconds ? (bySize.get(String(message.size)) ?? []) : [];
    const alike = [...(byTime.get(String(message.seconds)) ?? []), ...sized];
    return alike.length > 0 ? [{ message, alike }] : [];
  });
}

/** Whether two are the same message, whatever the server made of it: equal Message-ID, or equal but for the ends of lines. */
export function isAlike(here: Likeness, there: Likeness): boolean {
  if (here.messageId !== undefined && here.messageId === there.messageId) return true;
  const [one, other] = [textOf(here.head), textOf(there.head)];
  const length = Math.min(one.length, other.length);
  return here.size === there.size && length > 0 && one.slice(0, length) === other.slice(0, length);
}

/** Equal for messages that cannot be told apart. */
function lookOf(message: { readonly size: number; readonly seconds: number }, mark: Uint8Array | undefined): string {
  return `${keyOf(message)} ${textOf(mark)}`;
}

function keyOf({ size, seconds }: { readonly size: number; readonly seconds: number }): string {
  return `${size} ${seconds}`;
}

/** IMAP sends no NUL: servers send 0x80 for it. */
function textOf(head: Uint8Array | undefined): string {
  return head ? Buffer.from(head).toString("latin1").replaceAll("\0", "\x80") : "";
}

function add<T>(groups: Map<string, T[]>, key: string, value: T): void {
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}

/** The Message-ID of a message, or of a part of its header. */
export function messageIdIn(bytes: Buffer): string | undefined {
  const text = bytes.toString("latin1");
  const end = /\r?\n\r?\n/.exec(text)?.index ?? text.length;
  return /^message-id:\s*(\S+)/im.exec(text.slice(0, end))?.[1];
}
