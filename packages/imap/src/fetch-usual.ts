import type { ImapFlow, MailboxObject } from "imapflow";
import { formatMessageResponse } from "imapflow/lib/tools.js";
import { type AnswerLine, type FetchedRow, UsualRows } from "./usual-row.js";

/** What imapflow's types do not have. */
interface Internals {
  readonly currentRequest: { readonly options: { readonly onUsualRow?: OnRow } } | false | undefined;
  handleResponse(data: AnswerLine): Promise<boolean>;
  /** The answer; the next one is read after `next`. */
  exec(command: string, attributes: readonly unknown[], options: object): Promise<{ next(): void }>;
}

/** Called for each row; the next one waits for what it returns. */
type OnRow = (row: FetchedRow) => Promise<void> | undefined;

/** Has a connection read rows of the usual form by itself, where `fetchUsual` asks for them. Before it connects. */
export function readUsualRows(client: ImapFlow): void {
  const internals = client as unknown as Internals;
  const handle = internals.handleResponse.bind(client);
  const rows = new UsualRows();
  internals.handleResponse = async (data) => {
    const onRow = internals.currentRequest ? internals.currentRequest.options.onUsualRow : undefined;
    const row = onRow && rows.read(data);
    if (!row) return await handle(data);
    await onRow(row);
    return true;
  };
}

/** Data items of a FETCH, as imapflow writes them down. */
type Items = readonly {
  readonly type: "ATOM";
  readonly value: string;
  readonly section?: readonly never[];
  readonly partial?: readonly [start: number, length: number];
}[];

export const LISTED: Items = ["UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE"].map((value) => ({ type: "ATOM", value }));
export const WHOLE: Items = [
  { type: "ATOM", value: "UID" },
  { type: "ATOM", value: "BODY.PEEK", section: [] },
];

/** Some bytes of a message. */
export function partOf(start: number, length: number): Items {
  return [
    { type: "ATOM", value: "UID" },
    { type: "ATOM", value: "BODY.PEEK", section: [], partial: [start, length] },
  ];
}

/**
 * One UID FETCH of the open folder. It is that of imapflow, less what takes most of its time and nobody here wants (an
 * id by MD5 for each row, names of items made anew from what was parsed), and without its pauses for servers that throttle.
 *
 * Errors are imapflow's.
 * @param range of UIDs
 */
export async function fetchUsual(client: ImapFlow, range: string, items: Items, onRow: OnRow): Promise<void> {
  const query = [...items, ...(items === LISTED ? sameIdOf(client) : [])];
  const onOther = async (untagged: unknown): Promise<void> => {
    if (client.mailbox) await onRow(await read(untagged, client.mailbox, client));
  };
  const options = { untagged: { FETCH: onOther }, onUsualRow: onRow };
  const sequence = { type: "SEQUENCE", value: range };
  (await (client as unknown as Internals).exec("UID FETCH", [sequence, query], options)).next();
}

/**
 * The same, row by row; asked for at once. The next one is read when the caller asks for it; those that nobody asks for any more
 * are dropped.
 */
export function fetchUsualRows(client: ImapFlow, range: string, items: Items): AsyncGenerator<FetchedRow> {
  let next: FetchedRow | undefined;
  let release: (() => void) | undefined;
  let wake: (() => void) | undefined;
  let end: { readonly error?: unknown } | undefined;
  let isLeft = false;
  const finish = (how: { readonly error?: unknown }): void => {
    end = how;
    wake?.();
  };
  fetchUsual(client, range, items, (row) => {
    if (isLeft) return undefined;
    next = row;
    wake?.();
    return new Promise((resolve) => {
      release = resolve;
    });
  }).then(
    () => finish({}),
    (error: unknown) => finish({ error }),
  );
  const drain = async function* (): AsyncGenerator<FetchedRow> {
    try {
      for (;;) {
        if (next) {
          const row = next;
          next = undefined;
          yield row;
          release?.();
        } else if (end) break;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
      if ("error" in end) throw end.error;
    } finally {
      isLeft = true;
      release?.();
    }
  };
  return drain();
}

/** What tells that two messages are the same, where the server can. */
function sameIdOf({ capabilities }: ImapFlow): Items {
  if (capabilities.has("OBJECTID")) return [{ type: "ATOM", value: "EMAILID" }];
  return capabilities.has("X-GM-EXT-1") ? [{ type: "ATOM", value: "X-GM-MSGID" }] : [];
}

/** A row of any form, as imapflow reads it. */
async function read(untagged: unknown, mailbox: MailboxObject, client: ImapFlow): Promise<FetchedRow> {
  const formatted = await formatMessageResponse(untagged as never, mailbox, "md5", client);
  const { seq, uid, flags, internalDate, size, emailId, source } = formatted;
  // Imapflow's type does not have it (RFC 3501, section 7.4.2).
  const { partialOrigins } = formatted as { readonly partialOrigins?: ReadonlyMap<string, number> };
  const body = Buffer.isBuffer(source) ? { source, origin: partialOrigins?.get("") } : {};
  return { seq, uid, flags, internalDate, size, emailId, ...body };
}
