import type { ImapFlow, SearchObject } from "imapflow";
import type { ImapSession } from "./session.js";

/** UIDs that match; undefined: the server refused (NO, BAD), or its answer could not be read. */
export async function searchUids(
  session: ImapSession,
  client: ImapFlow,
  query: SearchObject,
): Promise<ReadonlySet<number> | undefined> {
  const before = session.unreadable;
  const found = await client.search(query, { uid: true });
  return found && session.unreadable === before ? new Set(found) : undefined;
}
