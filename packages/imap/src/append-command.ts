import type { ImapFlow } from "imapflow";
import { encodePath, formatDateTime } from "imapflow/lib/tools.js";

/** A message as APPEND takes it. */
export interface Appended {
  /** System flags and keywords, each an atom that the folder takes. */
  readonly flags: readonly string[];
  /** INTERNALDATE, seconds since 1970. */
  readonly seconds: number;
  readonly bytes: Buffer;
}

/** How a server takes several messages: by one command (RFC 3502), by several that do not wait for each other (RFC 7888), or not. */
export function waysOf({ capabilities }: ImapFlow): "command" | "pipeline" | undefined {
  if (capabilities.has("MULTIAPPEND")) return "command";
  return capabilities.has("LITERAL+") ? "pipeline" : undefined;
}

/** The largest message that the server takes, bytes (RFC 7889); undefined: it does not tell, or only folder by folder. */
export function largestOf({ capabilities }: ImapFlow): number | undefined {
  const limit = capabilities.get("APPENDLIMIT");
  return typeof limit === "number" ? limit : undefined;
}

/**
 * Stores messages in a folder by one APPEND (RFC 9051, section 6.3.12; several by RFC 3502): all of them or none. Dates
 * are sent in UTC. With LITERAL+ (RFC 7888) that takes one round trip, whatever the sizes are; else one more for each
 * message that is larger than the server takes unasked.
 *
 * Errors are imapflow's.
 */
export async function appendMessages(client: ImapFlow, mailbox: string, messages: readonly Appended[]): Promise<void> {
  const internals = internalsOf(client);
  const folder = { type: "ATOM", value: encodePath(client, mailbox) };
  const run = client.capabilities.has("LITERAL+") ? atOnce(messages, internals) : inTurns(messages);
  (await internals.exec("APPEND", [folder, ...run.attributes], { onSend: run.onSend })).next();
}

/**
 * Stores messages by one APPEND each, all sent before the first is answered; for a server with LITERAL+. Says whether all of
 * them were stored: where not, which ones is to be found out.
 *
 * Errors are imapflow's.
 */
export async function appendPipelined(
  client: ImapFlow,
  mailbox: string,
  messages: readonly Appended[],
): Promise<boolean> {
  const last = messages.at(-1);
  if (!last) return true;
  const internals = internalsOf(client);
  const folder = encodePath(client, mailbox).replace(/["\\]/g, "\\$&");
  let stored = 0;
  // Imapflow has one command at a time. So it gets the last one; the answers to the others come with tags that it does not know.
  const count = ({ response }: { readonly response: string }): void => void (response === "OK" && stored++);
  client.on("response", count);
  try {
    for (const [index, message] of messages.slice(0, -1).entries()) {
      internals.write(Buffer.from(`P${index} APPEND "${folder}" ${headOf(message)}`));
      internals.write(message.bytes);
    }
    await appendMessages(client, mailbox, [last]);
  } catch (error) {
    if (!client.usable) throw error;
  } finally {
    client.off("response", count);
  }
  return stored === messages.length;
}

interface Internals {
  /** The answer; the next one is read after `next`. */
  exec(
    command: string,
    attributes: readonly unknown[],
    options: { readonly onSend?: (() => void) | undefined },
  ): Promise<{ next(): void }>;
  /** Adds the end of a line. */
  write(bytes: Buffer): void;
}

function internalsOf(client: ImapFlow): Internals {
  return client as unknown as Internals;
}

interface Arguments {
  readonly attributes: readonly unknown[];
  readonly onSend?: () => void;
}

/** Imapflow waits for the server before each large literal; so the command ends with the first one's size, and the rest is written behind it. */
function atOnce(messages: readonly Appended[], internals: Internals): Arguments {
  const heads = messages.map(headOf);
  return {
    attributes: [{ type: "TEXT", value: heads[0] }],
    onSend() {
      for (const [index, { bytes }] of messages.entries()) {
        const head = heads[index + 1];
        internals.write(head === undefined ? bytes : Buffer.concat([bytes, Buffer.from(` ${head}`)]));
      }
    },
  };
}

function inTurns(messages: readonly Appended[]): Arguments {
  const attributes = messages.flatMap(({ flags, seconds, bytes }) => [
    flags.map((value) => ({ type: "ATOM", value })),
    { type: "STRING", value: dateOf(seconds) },
    { type: "LITERAL", value: bytes },
  ]);
  return { attributes };
}

/** What precedes the bytes: flags, date, and their size as a literal that waits for nobody. */
function headOf({ flags, seconds, bytes }: Appended): string {
  return `(${flags.join(" ")}) "${dateOf(seconds)}" {${bytes.byteLength}+}`;
}

function dateOf(seconds: number): string {
  return formatDateTime(new Date(seconds * 1000)) ?? "";
}
