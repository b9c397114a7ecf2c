import type { ImapFlow } from "imapflow";
import { cutBatches, uidSet } from "./uid-batches.js";

/**
 * How much of a message's header proves that it is the same one, bytes: of received mail the id that a server gave it, of
 * other mail date, sender and Message-ID. Beside them size and INTERNALDATE are equal.
 */
export const HEAD = 256;

/** Messages of one FETCH. */
export const MOST_HEADS = 500;

/** Adds the first bytes of messages of the open folder, by UID; what the server does not tell is left out. */
export async function addHeads(client: ImapFlow, uids: readonly number[], heads: Map<number, Buffer>): Promise<void> {
  const query = { uid: true, source: { start: 0, maxLength: HEAD } } as const;
  for (const set of setsOf(uids))
    for await (const row of client.fetch(set, query, { uid: true }))
      if (Buffer.isBuffer(row.source)) heads.set(row.uid, row.source.subarray(0, HEAD));
}

/** The field Message-ID of messages of the open folder, by UID, as it stands in the header. */
export async function fetchMessageIds(client: ImapFlow, uids: readonly number[]): Promise<ReadonlyMap<number, Buffer>> {
  const fields = new Map<number, Buffer>();
  for (const set of setsOf(uids))
    for await (const row of client.fetch(set, { uid: true, headers: ["message-id"] }, { uid: true }))
      if (Buffer.isBuffer(row.headers)) fields.set(row.uid, row.headers);
  return fields;
}

function setsOf(uids: readonly number[]): readonly string[] {
  const batches = cutBatches(
    uids.map((uid) => ({ uid, size: 1 })),
    { bytes: MOST_HEADS, setLength: 4000 },
  );
  return batches.map((batch) => uidSet(batch.map(({ uid }) => uid)));
}
