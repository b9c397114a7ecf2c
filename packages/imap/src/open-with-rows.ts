import { throwIfAborted } from "@backup/core";
import type { ImapFlow, MailboxObject } from "imapflow";
import { type AllRows, type Row, addRows } from "./fetch-rows.js";
import type { Folder } from "./list-folders.js";
import { hasUidValidity, openNow, silenceModseq } from "./open-folder.js";
import { sendAtOnce } from "./pipeline.js";
import type { SharedLane } from "./shared-lanes.js";

/** Connections on which the FETCH was refused once: some servers do that where a folder is empty. */
const refused = new WeakSet<ImapFlow>();

export interface OpenedWithRows extends AllRows {
  readonly mailbox: MailboxObject;
}

/**
 * Opens a folder read-only, and has all its messages listed by a FETCH that does not wait until it is open. By the time
 * this returns another folder may be open.
 * Undefined: that did not go as it should, and is to be done one after the other.
 * @throws BackupError THROTTLED
 */
export async function openWithRows(
  { session, client }: SharedLane,
  folder: Folder,
  signal: AbortSignal,
): Promise<OpenedWithRows | undefined> {
  if (refused.has(client)) return undefined;
  const rows = new Map<number, Row>();
  const [opened, listed] = await Promise.allSettled(
    sendAtOnce(client, () => [openNow(client, folder), addRows(client, "1:*", rows)] as const),
  );
  throwIfAborted(signal);
  const isOpen = opened.status === "fulfilled" && hasUidValidity(opened.value);
  if (isOpen && listed.status === "fulfilled") {
    silenceModseq(opened.value);
    return { mailbox: opened.value, rows, answered: listed.value };
  }
  if (isOpen) refused.add(client);
  for (const result of [opened, listed])
    if (result.status === "rejected" && client.usable) await session.heed(result.reason, signal);
  return undefined;
}
